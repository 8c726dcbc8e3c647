package poller

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagram is what recvmsg(2) and sendmsg(2) need, for one call after the other on
// non-blocking descriptors. Unlike package net it allocates nothing for a packet.
type Datagram struct {
	Header unix.Msghdr
	Name   unix.RawSockaddrInet6 // the larger of the two families
	N      int                   // received
	Err    unix.Errno

	iov unix.Iovec
}

// Prepare points the datagram at its parts.
func (d *Datagram) Prepare(payload, control []byte) {
	d.iov.Base = unsafe.SliceData(payload)
	d.iov.SetLen(len(payload))
	d.Header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&d.Name)), Iov: &d.iov, Control: unsafe.SliceData(control)}
	d.Header.Namelen = uint32(unsafe.Sizeof(d.Name))
	d.Header.SetIovlen(1)
	d.Header.SetControllen(len(control))
}

// PrepareUnnamed is Prepare for a socket that is connected or told otherwise where
// its packets go.
func (d *Datagram) PrepareUnnamed(payload, control []byte) {
	d.Prepare(payload, control)
	d.Header.Name, d.Header.Namelen = nil, 0
}

// Send sends, and does not wait.
func (d *Datagram) Send(fd uintptr) { d.call(unix.SYS_SENDMSG, fd, unix.MSG_DONTWAIT) }

// Receive reports whether there was anything to receive.
func (d *Datagram) Receive(fd uintptr) bool {
	d.call(unix.SYS_RECVMSG, fd, 0)
	return d.Err != unix.EAGAIN
}

func (d *Datagram) call(number, fd, flags uintptr) {
	n, _, errno := unix.RawSyscall(number, fd, uintptr(unsafe.Pointer(&d.Header)), flags)
	d.N, d.Err = int(n), errno
}
