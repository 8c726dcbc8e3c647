package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/conf"
)

func newFormatCommand() *cobra.Command {
	var check bool
	command := &cobra.Command{
		Use:   "fmt [FILE|DIRECTORY|-]...",
		Short: "Bring configuration files into the canonical form",
		Long: `Rewrite configuration files in the canonical form and name those that changed. Without
arguments it does so in ` + defaultConfig + `; with "-" it reads standard input and writes
standard output. A file that cannot be parsed is left as it is.

With --check nothing is written, and the exit code is 3 when a file is not in form.`,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{defaultConfig}
			}
			changed := false
			for _, path := range args {
				if path == "-" {
					if err := formatStream(command.InOrStdin(), command.OutOrStdout()); err != nil {
						return explain(err, path, command.ErrOrStderr())
					}
					continue
				}
				files, err := configFiles(path)
				if err != nil {
					return err
				}
				for _, file := range files {
					did, err := formatFile(file, !check)
					if err != nil {
						return explain(err, file, command.ErrOrStderr())
					}
					if did {
						changed = true
						fmt.Fprintln(command.OutOrStdout(), file)
					}
				}
			}
			if changed && check {
				return &exitError{code: exitFinding}
			}
			return nil
		},
	}
	command.Flags().BoolVar(&check, "check", false, "only name the files that are not in form")
	return command
}

// configFiles returns the file itself, or the *.hcl files of a directory.
func configFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("format configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	return filepath.Glob(filepath.Join(path, "*.hcl"))
}

func formatStream(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	formatted, err := conf.Format("standard input", text)
	if err != nil {
		return err
	}
	_, err = out.Write(formatted)
	return err
}

// formatFile reports whether the file is not in form, and rewrites it if so and
// wanted.
func formatFile(path string, write bool) (changed bool, err error) {
	text, err := conf.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("format configuration: %w", err)
	}
	formatted, err := conf.Format(path, text)
	if err != nil || bytes.Equal(text, formatted) {
		return false, err
	}
	if write {
		err = replaceFile(path, formatted)
	}
	return true, err
}

// replaceFile writes a new file with the old one's mode and owner and puts it in
// its place, so that a reload never reads half of it. A symbolic link stays one.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("rewrite configuration: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("rewrite configuration: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("rewrite configuration: %w", err)
	}
	defer os.Remove(file.Name()) // in vain once it has the other name
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		err = file.Chown(int(st.Uid), int(st.Gid))
	}
	_, writeErr := file.Write(text)
	err = errors.Join(err, writeErr, file.Chmod(info.Mode().Perm()), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	return nil
}
