package ipvsctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// batchSize is the number of messages in one send. Larger ones gain little, and
// the errors of one must fit in the receive buffer.
const batchSize = 128

// Do does the operations in order. All messages are made before the first one is
// sent, and each send is acknowledged once, so that the kernel's table is in
// between for as short a time as possible.
func (l *Linux) Do(ops []Op) error {
	if err := l.ready(); err != nil {
		return err
	}
	var failed []OpError
	for i := 0; i < len(ops); {
		if ops[i].Kind == SetTimeouts {
			if err := l.setTimeouts(ops[i].Timeouts); errors.Is(err, errNoAnswer) {
				return fmt.Errorf("set timeouts: %w", err)
			} else if err != nil {
				failed = append(failed, OpError{Index: i, Op: ops[i], Err: err})
			}
			i++
			continue
		}
		end := i
		for end < len(ops) && ops[end].Kind != SetTimeouts {
			end++
		}
		errs, err := l.socket.doBatches(ops[i:end])
		if err != nil {
			l.broken()
			return fmt.Errorf("change ipvs: %w", err)
		}
		for _, e := range errs {
			e.Index += i
			failed = append(failed, e)
		}
		i = end
	}
	if failed != nil {
		return &BatchError{Failed: failed}
	}
	return nil
}

// batch is a part of the encoded operations that is sent at once.
type batch struct {
	messages []byte
	last     uint32 // sequence number of the last message, the acknowledged one
}

// doBatches does the operations and returns those that failed, in order.
func (s *socket) doBatches(ops []Op) ([]OpError, error) {
	first := s.seq + 1
	s.seq += uint32(len(ops)) + 1 // one for the barrier
	batches, errnos := s.encodeBatches(ops, first)
	for _, b := range batches {
		if err := s.send(b.messages); err != nil {
			return nil, err
		}
		err := s.answers(b.last, func(seq uint32, errno syscall.Errno) {
			if i := seq - first; i < uint32(len(ops)) {
				errnos[int(i)] = errno
			}
		})
		if err != nil {
			return nil, err
		}
	}
	var failed []OpError
	for i, op := range ops {
		if errno, ok := errnos[i]; ok {
			failed = append(failed, OpError{Index: i, Op: op, Err: explainOp(op, errno)})
		}
	}
	return failed, nil
}

// encodeBatches makes the messages of the operations, the first with the
// sequence number given. What cannot be put into a message has failed already.
//
// The kernel does not always acknowledge StopDaemon: stopping a sync thread that
// has not run yet succeeds with EINTR (kthread_stop), to which netlink gives no
// answer at all (netlink_rcv_skb). A program that waits for it hangs for good.
// So a batch that would end with it gets a question about the kernel's version
// as a barrier, which is answered in any case.
func (s *socket) encodeBatches(ops []Op, first uint32) ([]batch, map[int]syscall.Errno) {
	const perOp = 192 // more than most need
	e := encoder{b: make([]byte, 0, perOp*len(ops))}
	errnos := make(map[int]syscall.Errno)
	var batches []batch
	begin, last, count := 0, 0, 0
	var seq uint32
	stops := false // the last operation is StopDaemon
	flush := func() {
		if count == 0 {
			return
		}
		if stops {
			last, seq = len(e.b), first+uint32(len(ops))
			e.endMessage(e.message(s.family, unix.NLM_F_REQUEST, seq, cmdGetInfo))
		}
		flags := binary.NativeEndian.Uint16(e.b[last+6:])
		binary.NativeEndian.PutUint16(e.b[last+6:], flags|unix.NLM_F_ACK)
		batches = append(batches, batch{messages: e.b[begin:len(e.b):len(e.b)], last: seq})
		begin, count = len(e.b), 0
	}
	for i, op := range ops {
		at := len(e.b)
		if err := e.encodeOp(s.family, unix.NLM_F_REQUEST, first+uint32(i), op); err != nil {
			errnos[i] = unix.EINVAL
			continue
		}
		last, seq, stops = at, first+uint32(i), op.Kind == StopDaemon
		if count++; count == batchSize {
			flush()
		}
	}
	flush()
	return batches, errnos
}

// answers receives up to the acknowledgement of the message with the sequence
// number last, and reports those that failed.
func (s *socket) answers(last uint32, failed func(uint32, syscall.Errno)) error {
	return s.messages(func(m message) (done bool, err error) {
		if m.typ != unix.NLMSG_ERROR {
			return false, nil
		}
		errno, err := m.errno()
		if err != nil {
			return false, err
		}
		if errno != 0 {
			failed(m.seq, errno)
		}
		return m.seq == last, nil
	})
}

// explainOp adds to an errno what it means for the operation.
func explainOp(op Op, errno syscall.Errno) error {
	service := op.Kind == AddService || op.Kind == EditService || op.Kind == DeleteService
	destination := op.Kind == AddDestination || op.Kind == EditDestination || op.Kind == DeleteDestination
	switch {
	case service && errno == unix.ENOENT:
		if engine := op.Service.Persistence.Engine; engine != "" {
			return fmt.Errorf("the kernel has no scheduler %s (module ip_vs_%[1]s) or no persistence engine %s (module ip_vs_pe_%[2]s): %w",
				op.Service.Scheduler, engine, errno)
		}
		return fmt.Errorf("the kernel has no scheduler %s (module ip_vs_%[1]s): %w", op.Service.Scheduler, errno)
	case (service || destination) && errno == unix.ESRCH:
		return fmt.Errorf("no such service: %w", errno)
	case service && errno == unix.EEXIST:
		return fmt.Errorf("the service exists already: %w", errno)
	case destination && errno == unix.ENOENT:
		return fmt.Errorf("no such destination: %w", errno)
	case destination && errno == unix.EEXIST:
		return fmt.Errorf("the destination exists already: %w", errno)
	case destination && errno == unix.ERANGE:
		return fmt.Errorf("weight %d or connection limits %d to %d out of range: %w",
			op.Destination.Weight, op.Destination.Lower, op.Destination.Upper, errno)
	case op.Kind == StopDaemon && errno == unix.ESRCH:
		return fmt.Errorf("it does not run: %w", errno)
	case op.Kind == StartDaemon && errno == unix.EEXIST:
		return fmt.Errorf("it runs already: %w", errno)
	}
	return errno
}
