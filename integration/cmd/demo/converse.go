package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/lvs-director/director/integration/lab"
)

const help = `
  traffic [N]         send N requests (60) and count who answers
  break N, hang N     let rs N fail: answer 503, or not at all      heal N   mend it
  status [a|b]        what the director says                        table [a|b]  ipvsadm -Ln
  tail [a|b]          its last events
  failover            hand over gracefully
  kill a|b            kill -9 all processes of a director           start a|b
  stop a|b            stop it in good order
  freeze a|b          SIGSTOP                                       thaw a|b
  pull a|b            take the front cable out                      plug a|b
  shell [a|b|client]  a shell in that box                           quit
`

// converse does what somebody at the terminal wants, until they leave.
func (s *stage) converse(ctx context.Context, in io.Reader) error {
	s.title("Now you")
	fmt.Fprint(s.out, help)
	lines := bufio.NewScanner(in)
	for {
		fmt.Fprint(s.out, "\ndemo> ")
		if !lines.Scan() {
			return lines.Err()
		}
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" || words[0] == "exit" {
			return nil
		}
		if err := s.obey(ctx, words[0], words[1:]); err != nil {
			fmt.Fprintf(s.out, "%v\n", err)
		}
	}
}

// obey does one command.
func (s *stage) obey(ctx context.Context, command string, args []string) error {
	switch command {
	case "help", "?":
		fmt.Fprint(s.out, help)
		return nil
	case "traffic":
		n, err := number(args, 60)
		if err != nil {
			return err
		}
		return s.traffic(ctx, n)
	case "break":
		return s.treat(args, lab.Broken)
	case "hang":
		return s.treat(args, lab.Hanging)
	case "heal":
		return s.treat(args, lab.Healthy)
	case "shell":
		return s.shell(args)
	}
	d := s.a
	if len(args) > 0 {
		switch args[0] {
		case "a", "A", "dirA":
		case "b", "B", "dirB":
			d = s.b
		default:
			return fmt.Errorf("%s: no such director: want a or b", args[0])
		}
	}
	return s.direct(command, d)
}

// direct does a command that is about one director.
func (s *stage) direct(command string, d *lab.Director) error {
	switch command {
	case "status":
		return s.show(d, "status")
	case "tail":
		return s.show(d, "tail")
	case "table":
		out, err := d.Box.Run("ipvsadm", "-Ln")
		fmt.Fprint(s.out, out)
		return err
	case "failover":
		if err := s.show(s.a, "failover"); err != nil {
			return s.show(s.b, "failover")
		}
		return nil
	case "kill":
		return d.Kill()
	case "stop":
		return d.Signal(syscall.SIGTERM)
	case "start":
		select {
		case <-d.Done():
			return d.Start()
		default:
			return fmt.Errorf("%s runs", d.Node)
		}
	case "freeze":
		return d.SignalAll(syscall.SIGSTOP)
	case "thaw":
		return d.SignalAll(syscall.SIGCONT)
	case "pull":
		return s.network.Pull(d.Box, "eth0")
	case "plug":
		return s.network.Plug(d.Box, "eth0")
	}
	return fmt.Errorf("%s: no such command; help tells them all", command)
}

// number reads an optional argument.
func number(args []string, or int) (int, error) {
	if len(args) == 0 {
		return or, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || n > 100000 {
		return 0, fmt.Errorf("%s: want a number from 1 to 100000", args[0])
	}
	return n, nil
}

// treat changes how a web server behaves.
func (s *stage) treat(args []string, mode lab.Mode) error {
	n, err := number(args, 0)
	if err != nil || n < 1 || n > len(s.web) {
		return fmt.Errorf("want the number of a server, 1 to %d", len(s.web))
	}
	return s.web[n-1].Set(mode)
}

// shell gives the terminal to a shell in a box.
func (s *stage) shell(args []string) error {
	box := s.network.A
	if len(args) > 0 {
		switch args[0] {
		case "b":
			box = s.network.B
		case "client":
			box = s.network.Client
		}
	}
	cmd := exec.Command("/bin/bash", "--norc")
	cmd.Env = append(os.Environ(), "PS1="+box.Name+"# ")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := box.Do(cmd.Start); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		return err
	}
	return nil // how the last command in a shell ended is nobody's business
}
