package lab

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/poller"
)

// udpEcho sends back what comes to a UDP port, and its name after it.
type udpEcho struct {
	fd      int
	name    string
	poller  *poller.Poller
	in, out poller.Datagram
	buf     [2048]byte
	stop    chan struct{}
	wg      sync.WaitGroup
}

// newUDPEcho starts one on all addresses of the calling thread's network. They are
// of one family, so that the answer's source is the address asked.
func newUDPEcho(port int, name string) (*udpEcho, error) {
	e := &udpEcho{name: name, stop: make(chan struct{})}
	var err error
	if e.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(e.fd, &unix.SockaddrInet4{Port: port}); err != nil {
		unix.Close(e.fd)
		return nil, os.NewSyscallError("bind", err)
	}
	if e.poller, err = poller.New(e.answer); err != nil {
		unix.Close(e.fd)
		return nil, err
	}
	if err := e.poller.Add(e.fd, unix.EPOLLIN); err != nil {
		e.poller.Close()
		unix.Close(e.fd)
		return nil, err
	}
	e.wg.Go(e.serve)
	return e, nil
}

func (e *udpEcho) serve() {
	for {
		select {
		case <-e.stop:
			return
		default:
			e.poller.Sleep(time.Now().Add(time.Hour))
		}
	}
}

// answer answers all that has come. It is never enough: only Close ends it.
func (e *udpEcho) answer(int, uint32) bool {
	for {
		e.in.Prepare(e.buf[:], nil)
		if !e.in.Receive(uintptr(e.fd)) || e.in.Err != 0 {
			return false
		}
		e.out.Prepare(append(e.buf[:e.in.N], e.name...), nil)
		e.out.Name, e.out.Header.Namelen = e.in.Name, e.in.Header.Namelen
		e.out.Send(uintptr(e.fd))
	}
}

// Close ends it.
func (e *udpEcho) Close() error {
	close(e.stop)
	e.poller.Wake()
	e.wg.Wait()
	e.poller.Close()
	return unix.Close(e.fd)
}
