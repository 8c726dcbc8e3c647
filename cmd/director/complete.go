package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvs-director/director/internal/engine"
)

// completionTimeout bounds how long a shell waits for the names of a daemon.
const completionTimeout = time.Second

// completion is what cobra asks for the words that may come next.
type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeFrom completes with the names that a running daemon knows. Without a
// daemon there is nothing to complete, and no error.
func (f *daemonFlags) completeFrom(names func(s *engine.Status, args []string) []string) completion {
	return func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		client, err := f.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer client.Close()
		ctx := command.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionTimeout)
		defer cancel()
		status, err := client.Status(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(status, args), cobra.ShellCompDirectiveNoFileComp
	}
}

func groupNames(s *engine.Status, args []string) []string {
	var names []string
	for _, g := range s.VRRP.Groups {
		if !slices.Contains(args, g.Name) {
			names = append(names, g.Name+"\t"+g.State)
		}
	}
	return names
}

func virtualNames(s *engine.Status, args []string) []string {
	var names []string
	for _, v := range s.VirtualServers {
		if !slices.Contains(args, v.Name) {
			names = append(names, v.Name+"\t"+v.State)
		}
	}
	return names
}

// realNames returns the real servers of the virtual server named last, or of
// all with the virtual servers before them.
func realNames(s *engine.Status, args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var names []string
	if len(args) == 0 {
		names = virtualNames(s, nil)
	} else {
		names = append(names, "all\tevery real server of "+args[0])
	}
	for _, v := range s.VirtualServers {
		if len(args) == 1 && v.Name != args[0] {
			continue
		}
		for _, r := range v.Reals {
			names = append(names, r.Address+"\t"+r.State)
		}
	}
	slices.Sort(names)
	return slices.Compact(names) // an address of many virtual servers is offered once
}
