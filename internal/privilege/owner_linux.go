package privilege

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// AsOwner does f with the rights to files of another account, whose processes'
// files in /proc only that account can open: no capability of ours helps but those that
// open every file. Without CAP_SETUID and CAP_SETGID f has our own rights, as
// it has for root, who may open them anyway.
//
// f must stay on its goroutine.
func AsOwner(uid, gid int, f func()) {
	euid, egid := os.Geteuid(), os.Getegid()
	if euid == 0 {
		f()
		return
	}
	// The two belong to a thread, and the kernel always lets them back.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer unix.Setfsgid(egid)
	defer unix.Setfsuid(euid)
	unix.Setfsgid(gid)
	unix.Setfsuid(uid)
	f()
}
