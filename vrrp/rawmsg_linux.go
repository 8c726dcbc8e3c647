package vrrp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls for each advertisement, on non-blocking descriptors. They do not tell
// Go's scheduler that a system call is under way, as it needs to know only of
// calls that wait: being told wakes its watchdog thread (sysmon), which then looks
// around every 20 µs.

// datagram is what recvmsg and sendmsg need, for one call after the other.
type datagram struct {
	header unix.Msghdr
	iov    unix.Iovec
	name   unix.RawSockaddrInet6 // the larger of the two families
	n      int                   // received
	err    unix.Errno
}

// prepare points the datagram at its parts.
func (d *datagram) prepare(payload, control []byte) {
	d.iov.Base = unsafe.SliceData(payload)
	d.iov.SetLen(len(payload))
	d.header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&d.name)), Iov: &d.iov, Control: unsafe.SliceData(control)}
	d.header.Namelen = uint32(unsafe.Sizeof(d.name))
	d.header.SetIovlen(1)
	d.header.SetControllen(len(control))
}

// send sends, and does not wait.
func (d *datagram) send(fd uintptr) { d.call(unix.SYS_SENDMSG, fd, unix.MSG_DONTWAIT) }

// receive reports whether there was anything to receive.
func (d *datagram) receive(fd uintptr) bool {
	d.call(unix.SYS_RECVMSG, fd, 0)
	return d.err != unix.EAGAIN
}

func (d *datagram) call(number, fd, flags uintptr) {
	n, _, errno := unix.RawSyscall(number, fd, uintptr(unsafe.Pointer(&d.header)), flags)
	d.n, d.err = int(n), errno
}
