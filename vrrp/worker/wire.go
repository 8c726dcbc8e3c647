package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"reflect"

	"github.com/lvs-director/director/vrrp"
)

const (
	// protocol is raised when the meaning of a frame changes although its type does not.
	protocol = 1
	// magic is what both sides call themselves in their first frame.
	magic = "director vrrp"

	// maxFrame bounds a frame: orders for 10,000 groups with long names need about 6 MB.
	maxFrame = 16 << 20
	// maxHello bounds the first frame, before we know whom we talk to.
	maxHello = 4 << 10
	// keepBuffer is how large a buffer may be to be kept for the next frame.
	keepBuffer = 256 << 10
)

// errFrame is wrapped by every error that says the other side broke the protocol.
var errFrame = errors.New("malformed frame")

// frame is one message: a length of four bytes, big endian, and this as JSON.
// Exactly one field is set.
type frame struct {
	Hello *hello `json:"hello,omitempty"` // first in each direction

	// From the engine.
	Command *vrrp.Command `json:"command,omitempty"`
	Again   bool          `json:"again,omitempty"` // the engine gave the same orders once more
	Ack     uint64        `json:"ack,omitempty"`   // transitions up to this number have arrived

	// From the worker.
	Report *report `json:"report,omitempty"`
	Bye    string  `json:"bye,omitempty"` // why the connection ends now
}

// hello tells who speaks. Its fields may be added to but never change, since
// it is what two different versions tell each other apart by.
type hello struct {
	Magic    string `json:"magic"`
	Protocol int    `json:"protocol"`
	Schema   string `json:"schema"`
	Instance string `json:"instance,omitempty"` // of the worker: the numbers of its transitions are its own
	Yield    bool   `json:"yield,omitempty"`    // of the engine: another engine goes first
}

// report is a vrrp.Report with the number of its first transition, so that a
// transition that is sent again after a lost connection is told from a new one.
type report struct {
	vrrp.Report
	First uint64 `json:"first,omitempty"`
}

// check says what is wrong with a frame that arrived.
func (f *frame) check() error {
	set := 0
	for _, is := range []bool{f.Hello != nil, f.Command != nil, f.Again, f.Ack != 0, f.Report != nil, f.Bye != ""} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%w: %d messages in one", errFrame, set)
	}
	if c := f.Command; c != nil {
		set = 0
		for _, is := range []bool{c.Orders != nil, c.Failover != nil, c.Stop} {
			if is {
				set++
			}
		}
		if set != 1 {
			return fmt.Errorf("%w: %d commands in one", errFrame, set)
		}
	}
	return nil
}

// ours is the hello of this program.
func ours() hello {
	return hello{Magic: magic, Protocol: protocol, Schema: schemaOf(reflect.TypeFor[frame]())}
}

// Wire tells which engines and workers understand one another: those of the same
// protocol, and of the same types in it.
func Wire() string {
	h := ours()
	return fmt.Sprintf("%d/%s", h.Protocol, h.Schema)
}

// schemaOf is a fingerprint of a type as it is encoded: of the names and types
// of all fields, all the way down. Engine and worker may be of different
// builds (the engine is upgraded, the worker still runs), and JSON drops
// silently what it does not know: a field that one side has and the other has
// not must make them strangers, without anybody remembering to raise a number.
func schemaOf(t reflect.Type) string {
	h := fnv.New64a()
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		fmt.Fprintf(h, "%s %s;", t.Kind(), t.Name())
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				f := t.Field(i)
				fmt.Fprintf(h, "%s %q{", f.Name, f.Tag)
				walk(f.Type)
				fmt.Fprint(h, "}")
			}
		case reflect.Map:
			walk(t.Key())
			walk(t.Elem())
		case reflect.Slice, reflect.Pointer:
			walk(t.Elem())
		case reflect.Array:
			fmt.Fprintf(h, "%d", t.Len())
			walk(t.Elem())
		}
	}
	walk(t)
	return fmt.Sprintf("%016x", h.Sum64())
}

// encoder writes frames.
type encoder struct {
	w   io.Writer
	buf bytes.Buffer
}

func (e *encoder) encode(f *frame) error {
	if e.buf.Cap() > keepBuffer {
		e.buf = bytes.Buffer{}
	}
	e.buf.Reset()
	e.buf.Write(make([]byte, 4)) // the length, when it is known
	if err := json.NewEncoder(&e.buf).Encode(f); err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	b := e.buf.Bytes()
	if len(b)-4 > maxFrame {
		return fmt.Errorf("encode frame: %w: %d bytes, at most %d can be sent", errFrame, len(b)-4, maxFrame)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := e.w.Write(b); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// decoder reads frames.
type decoder struct {
	r   io.Reader
	buf bytes.Buffer
}

// decode reads one frame of at most limit bytes. Memory grows with the bytes
// that arrive, never with the length that is announced.
func (d *decoder) decode(limit int) (*frame, error) {
	if d.buf.Cap() > keepBuffer {
		d.buf = bytes.Buffer{}
	}
	var head [4]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(limit) {
		return nil, fmt.Errorf("read frame: %w: %d bytes announced, at most %d allowed", errFrame, n, limit)
	}
	d.buf.Reset()
	if _, err := io.CopyN(&d.buf, d.r, n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read frame: %w", err)
	}
	f := new(frame)
	if err := json.Unmarshal(d.buf.Bytes(), f); err != nil {
		return nil, fmt.Errorf("read frame: %w: %w", errFrame, err)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}
