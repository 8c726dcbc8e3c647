package checks

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the reactor, on non-blocking sockets. They do not tell Go's
// scheduler that a system call is under way, as it needs to know only of calls
// that wait: being told wakes its watchdog thread (sysmon), which then looks
// around every 20 µs and costs as much as the probes themselves.

// address is a socket address as the kernel wants it.
type address struct {
	raw  unix.RawSockaddrInet6 // the larger of the two
	size uintptr
}

func rawAddress(a netip.AddrPort) address {
	var addr address
	if a.Addr().Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&addr.raw))
		four.Family, four.Addr = unix.AF_INET, a.Addr().As4()
		four.Port = binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, a.Port()))
		addr.size = unix.SizeofSockaddrInet4
		return addr
	}
	addr.raw.Family, addr.raw.Addr = unix.AF_INET6, a.Addr().As16()
	addr.raw.Port = binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, a.Port()))
	if zone := a.Addr().Zone(); zone != "" {
		if link, err := net.InterfaceByName(zone); err == nil {
			addr.raw.Scope_id = uint32(link.Index)
		}
	}
	addr.size = unix.SizeofSockaddrInet6
	return addr
}

func rawConnect(fd int, to *address) error {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size)
	return rawError(errno)
}

func rawBind(fd int, to address) error {
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size)
	return rawError(errno)
}

func rawSetInt(fd, level, option int, value int32) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	return rawError(errno)
}

// rawSend sends as much of b as the kernel takes.
func rawSend(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_NOSIGNAL, 0, 0)
	return int(n), rawError(errno)
}

func rawRead(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), rawError(errno)
}

// rawClose closes a socket that does not linger, which never waits.
func rawClose(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func rawError(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// longAgo is a deadline that ends any wait.
func longAgo() time.Time { return time.Unix(1, 0) }
