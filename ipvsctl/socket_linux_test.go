package ipvsctl

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A kernel that never answers must not hold the director up for good.
func TestSocketNoAnswer(t *testing.T) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatalf("socket: %v", err)
	}
	s := &socket{fd: fd, in: make([]byte, partSize)}
	t.Cleanup(func() { s.close() })
	if err := s.prepare(time.Millisecond); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if _, err := s.receive(); !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("receive: %v, want ETIMEDOUT", err)
	}
}

// The last message of each batch is acknowledged and no other one; what cannot
// be encoded is left out, and the stop of a daemon is followed by a barrier.
func TestEncodeBatches(t *testing.T) {
	var ops []Op
	for range batchSize {
		ops = append(ops, Op{Kind: StopDaemon, State: SyncMaster})
	}
	ops = append(ops,
		Op{Kind: AddService, Service: Service{ID: ServiceID{FWMark: 1, Family: IPv4}, Scheduler: "rr"}},
		Op{Kind: AddService}, // no address
	)
	s := &socket{family: 77}
	batches, errnos := s.encodeBatches(ops, 1000)
	if len(batches) != 2 {
		t.Fatalf("%d batches, want 2", len(batches))
	}
	if len(errnos) != 1 || errnos[batchSize+1] != unix.EINVAL {
		t.Errorf("failed before they are sent: %v", errnos)
	}
	barrier := uint32(1000 + len(ops))
	want := [][]uint32{{barrier}, {1000 + batchSize}}
	for i, b := range batches {
		var acked []uint32
		for rest := b.messages; len(rest) > 0; {
			var m message
			var err error
			if m, rest, err = nextMessage(rest); err != nil {
				t.Fatalf("batch %d: %v", i, err)
			}
			if m.typ != 77 {
				t.Errorf("batch %d: message for family %d", i, m.typ)
			}
			if m.flags&unix.NLM_F_ACK != 0 {
				acked = append(acked, m.seq)
			}
		}
		if len(acked) != 1 || acked[0] != want[i][0] || b.last != acked[0] {
			t.Errorf("batch %d: acknowledged %v, waits for %d, want %v", i, acked, b.last, want[i])
		}
	}
}

func TestEncodeDestination(t *testing.T) {
	var e encoder
	op := Op{
		Kind:        DeleteDestination,
		Service:     Service{ID: ServiceID{FWMark: 7, Family: IPv4}},
		Destination: Destination{Addr: unmap(mustAddrPort("[::ffff:10.0.0.1]:80"))},
	}
	if err := e.encodeOp(0x1234, unix.NLM_F_REQUEST, 5, op); err != nil {
		t.Fatalf("encode: %v", err)
	}
	want := []byte{
		68, 0, 0, 0, 0x34, 0x12, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, // netlink header
		7, 1, 0, 0, // DEL_DEST
		20, 0, 1, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 5, 0, 7, 0, 0, 0, // service: AF_INET, fwmark 7
		28, 0, 2, 0x80, 8, 0, 1, 0, 10, 0, 0, 1, 6, 0, 2, 0, 0, 80, 0, 0, // destination: address, port
		6, 0, 11, 0, 2, 0, 0, 0, // address family
	}
	if !bytes.Equal(e.b, want) {
		t.Errorf("message\n%v, want\n%v", e.b, want)
	}
}
