package worker

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair returns both ends of a connected unix socket.
func socketPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { conns[i].Close() })
	}
	return conns[0], conns[1]
}

// linked returns a link and the other end of its connection.
func linked(t *testing.T, near, far net.Conn) *link {
	t.Helper()
	greeted := make(chan error, 1)
	go func() {
		_, err := greet(context.Background(), far, ours())
		greeted <- err
	}()
	l, err := greet(t.Context(), near, ours())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-greeted; err != nil {
		t.Fatal(err)
	}
	return l
}

// What a worker said before it went away arrives, although a beat was written
// to it afterwards and failed.
func TestLastWordsArrive(t *testing.T) {
	near, far := socketPair(t)
	l := linked(t, near, far)
	e := encoder{w: far}
	for range 3 {
		if err := e.encode(&frame{Bye: strings.Repeat("x", 10000)}); err != nil {
			t.Fatal(err)
		}
	}
	far.Close()

	var wg sync.WaitGroup
	wg.Go(l.write)
	l.out <- &frame{Again: true}
	wg.Wait() // the write has failed
	wg.Go(l.read)
	words := 0
	for range l.in {
		words++
	}
	wg.Wait()
	if words != 3 || !lost(l.err) {
		t.Errorf("%d words arrived and then %v, want 3 and that it went away", words, l.err)
	}
}

func TestPartDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // nobody reads the other end
		l := linked(t, near, far)
		var wg sync.WaitGroup
		l.start(&wg)
		began := time.Now()
		l.part(&frame{Bye: byeReplaced})
		wg.Wait()
		if took := time.Since(began); took != farewellTimeout {
			t.Errorf("part took %v, want %v", took, farewellTimeout)
		}
	})
}

func TestGreetingHasATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := net.Pipe()
		began := time.Now()
		_, err := greet(t.Context(), near, ours())
		if took := time.Since(began); !silent(err) || took != handshakeTimeout {
			t.Errorf("greet = %v after %v, want silence after %v", err, took, handshakeTimeout)
		}
	})
}
