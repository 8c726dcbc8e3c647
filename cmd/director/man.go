package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/internal/manpage"
)

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages",
		Long:   "Write the manual page of every command into a directory, for packages to install.",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			for _, c := range manpage.Pages(command.Root()) {
				if err := writePage(filepath.Join(args[0], manpage.Name(c)), c); err != nil {
					return fmt.Errorf("write manual page: %w", err)
				}
			}
			return nil
		},
	}
}

func writePage(path string, c *cobra.Command) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(manpage.Write(file, c, version), file.Close())
}
