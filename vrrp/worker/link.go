package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// handshakeTimeout is how long the other side may take for its hello. A
	// worker's hello needs no lock and no system call but the write.
	handshakeTimeout = 5 * time.Second
	// farewellTimeout is how long the last frame may take to be written.
	farewellTimeout = time.Second
)

// errNotOurs says that what answers is no director, or of another version.
var errNotOurs = errors.New("another protocol")

// link is a connection after the hellos: a goroutine that reads and one that
// writes, so that its owner never waits for the other side.
type link struct {
	conn net.Conn
	peer hello
	dec  decoder

	in   chan *frame   // closed when nothing more comes; then err says why
	out  chan *frame   // unbuffered: what cannot be written yet stays with the owner
	gone chan struct{} // closed when the link is of no use any more
	err  error
	once sync.Once
}

// greet exchanges hellos. When it fails the connection is closed; errNotOurs
// then comes with the link all the same, for what it knows of the peer.
func greet(ctx context.Context, conn net.Conn, mine hello) (*link, error) {
	l := &link{
		conn: conn,
		dec:  decoder{r: bufio.NewReader(conn)},
		in:   make(chan *frame),
		out:  make(chan *frame),
		gone: make(chan struct{}),
	}
	if err := l.greet(ctx, mine); err != nil {
		conn.Close()
		return l, err
	}
	return l, nil
}

func (l *link) greet(ctx context.Context, mine hello) error {
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	if err := l.conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	// Both speak first: neither may wait for the other to read.
	wrote := make(chan error, 1)
	go func() {
		e := encoder{w: l.conn}
		wrote <- e.encode(&frame{Hello: &mine})
	}()
	f, err := l.dec.decode(maxHello)
	if err != nil {
		l.conn.Close()
		<-wrote
		return fmt.Errorf("greet: %w", err)
	}
	if err := <-wrote; err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if f.Hello == nil || f.Hello.Magic != mine.Magic {
		return fmt.Errorf("greet: %w: no hello", errFrame)
	}
	l.peer = *f.Hello
	if l.peer.Protocol != mine.Protocol || l.peer.Schema != mine.Schema {
		return fmt.Errorf("greet: %w: %d/%s, ours is %d/%s", errNotOurs, l.peer.Protocol, l.peer.Schema, mine.Protocol, mine.Schema)
	}
	if err := l.conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	return nil
}

// start starts the two goroutines. They end soon after close, or after a frame
// with Bye was written.
func (l *link) start(wg *sync.WaitGroup) {
	wg.Go(l.read)
	wg.Go(l.write)
}

func (l *link) read() {
	defer close(l.in)
	for {
		f, err := l.dec.decode(maxFrame)
		if err == nil && f.Hello != nil {
			err = fmt.Errorf("read frame: %w: a second hello", errFrame)
		}
		if err != nil {
			l.err = err
			l.conn.Close()
			return
		}
		select {
		case l.in <- f:
		case <-l.gone:
			l.err = net.ErrClosed
			return
		}
	}
}

func (l *link) write() {
	e := encoder{w: l.conn}
	for {
		select {
		case f := <-l.out:
			err := e.encode(f)
			if lost(err) {
				// The reader finds out by itself, after what the other side has
				// said before it went away.
				return
			}
			if err != nil || f.Bye != "" {
				l.conn.Close()
				return
			}
		case <-l.gone:
			return
		}
	}
}

// close gives the link up at once.
func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.conn.Close()
	})
}

// part gives the link up after the frames last, for which it takes
// farewellTimeout at most. The other side is to read Bye in the last of them.
func (l *link) part(last ...*frame) {
	defer l.close()
	// Also bounds a write that is under way.
	if err := l.conn.SetWriteDeadline(time.Now().Add(farewellTimeout)); err != nil {
		return
	}
	timer := time.NewTimer(farewellTimeout)
	defer timer.Stop()
	for _, f := range last {
		select {
		case l.out <- f:
		case <-timer.C:
			return
		}
	}
	// The writer closes the connection after Bye; until then the reader lives.
	for {
		select {
		case _, ok := <-l.in:
			if !ok {
				return
			}
		case <-timer.C:
			return
		}
	}
}

// lost reports whether an error says that the other side went away, in
// contrast to one that says it did wrong or was silent.
func lost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || connReset(err)
}

// silent reports whether an error says that the other side did not answer in time.
func silent(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
