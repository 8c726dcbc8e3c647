// Director is an LVS director: it checks real servers, writes the kernel's
// IPVS table and moves virtual addresses between the machines of a pair.
//
// This package parses flags, wires the parts and exits. It decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "unknown"

// The exit codes of every command.
const (
	exitOK      = 0
	exitFailure = 1 // it was tried and did not work
	exitUsage   = 2 // the command line is wrong; nothing was tried
	exitFinding = 3 // asked with --exit-code: something is wrong, or would change
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	refuseUnknown(root)
	command, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		// Only what a command did itself is marked: this is the command line's fault.
		fmt.Fprintf(stderr, "director: %v\nTry '%s --help'.\n", err, command.CommandPath())
		return exitUsage
	}
	if exit.err != nil {
		fmt.Fprintf(stderr, "director: %v\n", exit.err)
	}
	return exit.code
}

// exitError is the outcome of a command that was carried out. Without err it is
// only an exit code: what there is to say has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// markFailures makes every command's error an exitError, so that it can be told
// from one of the command line.
func markFailures(command *cobra.Command) {
	if do := command.RunE; do != nil {
		command.RunE = func(command *cobra.Command, args []string) error {
			err := do(command, args)
			var exit *exitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return &exitError{code: exitFailure, err: err}
		}
	}
	for _, sub := range command.Commands() {
		markFailures(sub)
	}
}

// refuseUnknown makes commands that only have others below them, and the help,
// refuse what is no command: cobra's own answer is the help and exit code 0, so
// that a script never learns of a misspelt word.
func refuseUnknown(root *cobra.Command) {
	// Otherwise cobra adds these two when it runs. They keep the output of now.
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch {
		case command.Name() == "help":
			command.Args = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					err = cobra.NoArgs(of, rest)
				}
				return err
			}
		case command.HasSubCommands():
			refuseArguments(command)
		}
	}
}

func refuseArguments(command *cobra.Command) {
	if !command.Runnable() {
		command.Args = cobra.NoArgs
		command.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		command.DisableFlagsInUseLine = true
	}
	for _, sub := range command.Commands() {
		if sub.HasSubCommands() {
			refuseArguments(sub)
		}
	}
}

// The groups of commands in the help.
const (
	groupDaemon = "daemon"
	groupConfig = "config"
	groupClient = "client"
	groupTools  = "tools"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "director",
		Short: "LVS director: health checks, IPVS and VRRP in one",
		Long: `Director checks the health of real servers, writes the kernel's IPVS table and
moves virtual addresses between the machines of a pair with VRRP.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 with --exit-code: there is
something to look at.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddGroup(
		&cobra.Group{ID: groupDaemon, Title: "The daemon:"},
		&cobra.Group{ID: groupConfig, Title: "Configuration:"},
		&cobra.Group{ID: groupClient, Title: "A running daemon:"},
		&cobra.Group{ID: groupTools, Title: "Tools:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupDaemon, newRunCommand(), newVRRPWorkerCommand())
	add(groupConfig, newValidateCommand(), newFormatCommand(), newPlanCommand(), newCheckCommand())
	add(groupClient, newStatusCommand(), newTailCommand(), newReloadCommand(), newFailoverCommand(), newLogLevelCommand(),
		newDrainCommand(), newDisableCommand(), newWeightCommand(), newEnableCommand())
	add(groupTools, newIPVSCommand(), newRealserverCommand(), newVersionCommand(), newManCommand())
	root.SetHelpCommandGroupID(groupTools)
	root.SetCompletionCommandGroupID(groupTools)
	markFailures(root)
	return root
}
