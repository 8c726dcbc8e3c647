// Package privilege tells which capabilities this process has, and keeps them
// from the programs that it starts.
//
// What a service manager gives to a process that is not root is inheritable and
// ambient, and passes to every program that is started: a change from one
// account to another takes nothing from it unless one of them is root's
// (capabilities(7)). The sets belong to a thread, and a program gets those of the
// thread that starts it.
package privilege

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Capability is a capability by its number in linux/capability.h.
type Capability int

// The capabilities that something here asks for.
const (
	SetGID      Capability = unix.CAP_SETGID
	SetUID      Capability = unix.CAP_SETUID
	NetAdmin    Capability = unix.CAP_NET_ADMIN
	NetRaw      Capability = unix.CAP_NET_RAW
	IPCLock     Capability = unix.CAP_IPC_LOCK
	SysNice     Capability = unix.CAP_SYS_NICE
	SysResource Capability = unix.CAP_SYS_RESOURCE
)

// String returns its name, as "CAP_NET_ADMIN".
func (c Capability) String() string {
	switch c {
	case SetGID:
		return "CAP_SETGID"
	case SetUID:
		return "CAP_SETUID"
	case NetAdmin:
		return "CAP_NET_ADMIN"
	case NetRaw:
		return "CAP_NET_RAW"
	case IPCLock:
		return "CAP_IPC_LOCK"
	case SysNice:
		return "CAP_SYS_NICE"
	case SysResource:
		return "CAP_SYS_RESOURCE"
	}
	return fmt.Sprintf("capability %d", int(c))
}

// sets are the capability sets of a thread but for the ambient one, which holds
// nothing that is not in the others.
type sets [2]unix.CapUserData

func readSets() (sets, error) {
	var s sets
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&head, &s[0]); err != nil {
		return s, fmt.Errorf("read capabilities: %w", err)
	}
	return s, nil
}

func (c Capability) in(low, high uint32) bool {
	return (uint64(high)<<32|uint64(low))>>c&1 != 0
}

// Has reports whether the process can use a capability.
func Has(c Capability) bool {
	s, err := readSets()
	return err == nil && c.in(s[0].Effective, s[1].Effective)
}

// Missing returns the names of those that the process cannot use, as
// "CAP_SETUID, CAP_SETGID", or nothing.
func Missing(wanted ...Capability) string {
	var names []string
	for _, c := range wanted {
		if !Has(c) {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, ", ")
}

// Grantable returns those that the process may pass on to a program, as
// syscall.SysProcAttr.AmbientCaps wants them.
func Grantable(wanted ...Capability) []uintptr {
	s, err := readSets()
	if err != nil {
		return nil
	}
	var granted []uintptr
	for _, c := range wanted {
		// What is outside of the bounding set cannot be made inheritable.
		bounded, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err == nil && bounded == 1 && c.in(s[0].Permitted, s[1].Permitted) {
			granted = append(granted, uintptr(c))
		}
	}
	return granted
}

// withhold empties the inheritable set of s, and reports whether it held anything.
// The kernel takes out of the ambient set what is inheritable no more.
func (s *sets) withhold() bool {
	held := s[0].Inheritable|s[1].Inheritable != 0
	s[0].Inheritable, s[1].Inheritable = 0, 0
	return held
}

// Withhold keeps the capabilities of this process from all programs that it starts
// from now on, except those of SysProcAttr.AmbientCaps.
//
// A program with C linked in, as the race detector is, has threads that Go does not
// know of, and is refused: there only Start keeps them back.
func Withhold() error {
	s, err := readSets()
	if err != nil || !s.withhold() {
		return err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&s[0])), 0)
	if errno != 0 && errno != unix.ENOTSUP {
		return fmt.Errorf("withhold capabilities: %w", errno)
	}
	return nil
}

// Start does f, which starts a program, on a thread that has nothing to pass on
// to it. It does not do f if that cannot be had.
func Start(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := readSets()
	if err != nil {
		return err
	}
	if s.withhold() {
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&head, &s[0]); err != nil {
			return fmt.Errorf("withhold capabilities: %w", err)
		}
	}
	return f()
}
