// Package vm runs programs as root on a Linux kernel that has IPVS, on
// machines whose own kernel has not.
//
// A Machine is what a boot needs: QEMU, Debian's kernel, its modules, and this
// program itself as the guest's first process. Every boot is a fresh guest that
// sees the machine's whole file system at the same paths, read-only: what the
// guest writes goes to its memory and is lost, except in the job's Out folder.
// The guest has no network but its own. Where the machine's own kernel has IPVS
// and the caller is root, the steps run there instead, in namespaces.
//
// The package starts no guest by itself and keeps nothing between boots but the
// cache folder. A program that uses it must call Guest first thing in main.
package vm

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// InsideVariable is the environment variable that is set for every step, so
// that a test knows that a missing feature is a failure here. Its value is "vm"
// or "native".
const InsideVariable = "DIRECTOR_INTEGRATION"

// OutVariable names the folder that outlives the guest, if the job has one.
const OutVariable = "DIRECTOR_OUT"

// ProgramVariable names the director that tests run, in every step of a test.
const ProgramVariable = "DIRECTOR_PROGRAM"

// Step is one program to run in the guest.
type Step struct {
	Name  string        // for messages
	Args  []string      // the program's path or name, and its arguments
	Dir   string        // where it runs; empty is /
	Env   []string      // KEY=value, besides the guest's own
	Limit time.Duration // after which it is killed; zero is none
}

// Job is what one boot does: its steps, one after the other, also after one
// that failed.
type Job struct {
	Steps []Step
	Out   string        // a folder that the guest may write to; empty is none
	Limit time.Duration // of the whole boot; zero is ten minutes
	// Terminal connects the steps to this pseudo terminal instead of pipes:
	// what is read from it is typed there. It is for one step.
	Terminal io.Reader
	Rows     uint16 // of the terminal
	Columns  uint16
}

// Stream says where an Event's data comes from.
type Stream uint8

// The streams of a step. Began and Ended have no data.
const (
	Stdout Stream = iota + 1
	Stderr
	Began // the step starts
	Ended // the step has ended; Exit is set
)

// Event is something that a step did.
type Event struct {
	Step   int
	Stream Stream
	Data   []byte
	Exit   Exit
}

// Exit is how a step ended.
type Exit struct {
	Status  int // as a shell tells it: 128 and the signal's number for a signal
	Late    bool
	Elapsed time.Duration
	Error   string // why it could not be started
	// Left are the processes that a step in a guest has not ended, as
	// "PID NAME". They are killed, or they would disturb the next step.
	Left []string
}

// Err returns nil for success, else what happened.
func (e Exit) Err() error {
	switch {
	case e.Error != "":
		return errors.New(e.Error)
	case e.Late:
		return fmt.Errorf("killed after %v", e.Elapsed.Round(time.Second))
	case e.Status != 0:
		return fmt.Errorf("exit status %d", e.Status)
	}
	return nil
}

// MachineError is a failure of the guest itself, not of a step.
type MachineError struct {
	Err     error
	Console string // the console's last lines
}

// Error returns the failure with the end of the console below it.
func (e *MachineError) Error() string {
	if e.Console == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v\nthe guest's console ended with:\n%s", e.Err, indent(e.Console))
}

// Unwrap returns the cause.
func (e *MachineError) Unwrap() error { return e.Err }

func indent(text string) string {
	return "  | " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  | ")
}
