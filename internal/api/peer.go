package api

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerKey is the context key of the name of who is at the other end.
type peerKey struct{}

// withPeer notes who opened a connection: on a unix socket the kernel tells
// (SO_PEERCRED, unix(7)), on TCP there is only an address.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	who := c.RemoteAddr().String()
	if u, ok := c.(*net.UnixConn); ok {
		who = "unknown"
		if cred, err := credentials(u); err == nil {
			who = describe(cred)
		}
	}
	return context.WithValue(ctx, peerKey{}, who)
}

// peerOf returns the name that withPeer noted.
func peerOf(ctx context.Context) string {
	who, _ := ctx.Value(peerKey{}).(string)
	return who
}

func credentials(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil {
		return nil, err
	}
	return cred, credErr
}

// describe names a peer as "alice (uid 1000, pid 4711)".
func describe(cred *unix.Ucred) string {
	name := "uid"
	if u, err := user.LookupId(strconv.FormatUint(uint64(cred.Uid), 10)); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("%s (uid %d, pid %d)", name, cred.Uid, cred.Pid)
}
