package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/conf"
)

// configFlag adds the flag for the configuration of a command that reads it.
func configFlag(command *cobra.Command, path *string) {
	command.Flags().StringVarP(path, "config", "c", defaultConfig, "configuration: a file, or a directory of *.hcl files")
}

// explain writes what is wrong with a configuration, with its source text, and
// returns the error that is left to say.
func explain(err error, path string, w io.Writer) error {
	var problems *conf.Problems
	if !errors.As(err, &problems) {
		return err
	}
	screen := screenOf(w)
	if err := problems.Write(w, uint(screen.width), screen.color); err != nil {
		return err
	}
	return fmt.Errorf("%s has %s", path, count(problems.Len(), "problem"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
