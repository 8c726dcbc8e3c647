package ipvsctl

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/cloudflare/ipvs"
	"golang.org/x/sys/unix"
)

// DefaultTimeout is how long the kernel has for the answer to one request. A
// batch has it anew for each part of it.
const DefaultTimeout = 10 * time.Second

// Errors of Open that an operator can do something about.
var (
	ErrNoIPVS       = errors.New("this kernel has no IPVS: load the module ip_vs")
	ErrNoPermission = errors.New("no permission to use IPVS: CAP_NET_ADMIN is needed")
)

// Options say how to open the kernel's table. The zero value is the process's
// own network namespace and DefaultTimeout.
type Options struct {
	NetNS   string        // file that names a network namespace, as /run/netns/blue
	Timeout time.Duration // see DefaultTimeout
}

// Linux is the table of a network namespace of the running kernel. It is used by
// one goroutine.
//
// After a failure of the netlink socket, a time-out for example, it goes on with
// a new one.
type Linux struct {
	options Options
	netns   *os.File // nil: the process's own
	socket  *socket  // nil after a failure
	client  ipvs.Client
	info    ipvs.Info
}

// Open opens the table. The kernel loads the module ip_vs when it can be loaded;
// that of a scheduler is loaded with the first service that names it. The error
// is ErrNoIPVS or ErrNoPermission when that is the reason.
func Open(o Options) (*Linux, error) {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	l := &Linux{options: o}
	if o.NetNS != "" {
		f, err := os.Open(o.NetNS)
		if err != nil {
			return nil, fmt.Errorf("open network namespace: %w", err)
		}
		l.netns = f
	}
	if err := l.connect(); err != nil {
		return nil, errors.Join(fmt.Errorf("open ipvs: %w", explainOpen(err)), l.Close())
	}
	return l, nil
}

func explainOpen(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("%w (%w)", ErrNoIPVS, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w (%w)", ErrNoPermission, err)
	}
	return err
}

// connect opens the sockets that are not open.
func (l *Linux) connect() error {
	if err := l.inNamespace(l.openSockets); err != nil {
		return err
	}
	return l.call(func() (err error) {
		l.info, err = l.client.Info()
		return err
	})
}

func (l *Linux) openSockets() (err error) {
	if l.socket == nil {
		if l.socket, err = openSocket(l.options.Timeout); err != nil {
			return err
		}
	}
	if l.client == nil {
		l.client, err = ipvs.New()
	}
	return err
}

// inNamespace calls f on a thread in our network namespace, since a socket
// belongs to that of the thread that opens it.
//
// To enter even one's own namespace takes CAP_SYS_ADMIN, which a director that
// has CAP_NET_ADMIN does not need otherwise.
func (l *Linux) inNamespace(f func() error) error {
	if l.netns == nil {
		return f()
	}
	done := make(chan error)
	go func() { done <- there(l.netns, f) }()
	return <-done
}

// there takes its thread into a network namespace, calls f and comes back. A
// thread that cannot come back ends with its goroutine. The process's first
// cannot end, it would stay: the namespace would never go, and /proc would show
// the whole process in it.
func there(netns *os.File, f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("find way back from network namespace: %w", err)
	}
	defer own.Close()
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// call makes a call of the client library. It knows no time limit, so the call
// is ended by closing the socket beneath it.
func (l *Linux) call(f func() error) error {
	closer, _ := l.client.(io.Closer)
	late := make(chan struct{})
	timer := time.AfterFunc(l.options.Timeout, func() {
		defer close(late)
		if closer != nil {
			closer.Close()
		}
	})
	err := f()
	if timer.Stop() {
		return err
	}
	<-late
	l.client = nil
	if err != nil {
		return errNoAnswer
	}
	return nil
}

// ready opens again what a failure has closed.
func (l *Linux) ready() error {
	if l.socket != nil && l.client != nil {
		return nil
	}
	if err := l.connect(); err != nil {
		return fmt.Errorf("open ipvs: %w", explainOpen(err))
	}
	return nil
}

// broken closes the sockets after a failure, which may leave unread answers
// behind or come from an IPVS that was unloaded and has another number now.
func (l *Linux) broken() {
	_ = l.disconnect() // the failure itself is what is told
}

func (l *Linux) disconnect() error {
	var errs []error
	if l.socket != nil {
		errs = append(errs, l.socket.close())
		l.socket = nil
	}
	if c, ok := l.client.(io.Closer); ok {
		errs = append(errs, c.Close())
		l.client = nil
	}
	return errors.Join(errs...)
}

// Info returns the version of IPVS in the kernel and the size of its connection table.
func (l *Linux) Info() ipvs.Info { return l.info }

// Close closes the sockets.
func (l *Linux) Close() error {
	err := l.disconnect()
	if l.netns != nil {
		err = errors.Join(err, l.netns.Close())
	}
	return err
}

// configSeconds converts a time-out for the client library.
func configSeconds(d time.Duration) (uint32, error) {
	s, ok := seconds32(d)
	if !ok {
		return 0, syscall.EINVAL
	}
	return s, nil
}

// setTimeouts sets the time-outs that are not zero.
func (l *Linux) setTimeouts(t Timeouts) error {
	var c ipvs.Config
	var errs [3]error
	c.TCPTimeout, errs[0] = configSeconds(t.TCP)
	c.TCPFinTimeout, errs[1] = configSeconds(t.TCPFin)
	c.UDPTimeout, errs[2] = configSeconds(t.UDP)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	return l.call(func() error { return l.client.SetConfig(c) })
}

func (l *Linux) timeouts() (Timeouts, error) {
	var c ipvs.Config
	err := l.call(func() (err error) {
		c, err = l.client.Config()
		return err
	})
	if err != nil {
		l.broken()
		return Timeouts{}, fmt.Errorf("read timeouts: %w", err)
	}
	return Timeouts{
		TCP:    time.Duration(c.TCPTimeout) * time.Second,
		TCPFin: time.Duration(c.TCPFinTimeout) * time.Second,
		UDP:    time.Duration(c.UDPTimeout) * time.Second,
	}, nil
}
