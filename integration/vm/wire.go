package vm

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// The guest reports over one virtio port as frames, so that the end of a step
// comes after its last output: stream (1 byte), step (2), length (4), data.
const (
	frameHeader = 7
	frameLimit  = 1 << 20
)

// writeEvent writes one event as one frame in one call.
func writeEvent(w io.Writer, e Event) error {
	data := e.Data
	if e.Stream == Ended {
		var err error
		if data, err = json.Marshal(e.Exit); err != nil {
			return fmt.Errorf("encode exit: %w", err)
		}
	}
	frame := make([]byte, frameHeader, frameHeader+len(data))
	frame[0] = byte(e.Stream)
	binary.BigEndian.PutUint16(frame[1:], uint16(e.Step))
	binary.BigEndian.PutUint32(frame[3:], uint32(len(data)))
	_, err := w.Write(append(frame, data...))
	return err
}

// readEvent reads the next event, io.EOF when there is none.
func readEvent(r io.Reader) (Event, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return Event{}, err
	}
	event := Event{Stream: Stream(header[0]), Step: int(binary.BigEndian.Uint16(header[1:]))}
	if event.Stream < Stdout || event.Stream > Ended {
		return Event{}, fmt.Errorf("read guest: no such stream: %d", header[0])
	}
	size := binary.BigEndian.Uint32(header[3:])
	if size > frameLimit {
		return Event{}, fmt.Errorf("read guest: frame of %d bytes", size)
	}
	event.Data = make([]byte, size)
	if _, err := io.ReadFull(r, event.Data); err != nil {
		return Event{}, fmt.Errorf("read guest: %w", io.ErrUnexpectedEOF)
	}
	if event.Stream == Ended {
		if err := json.Unmarshal(event.Data, &event.Exit); err != nil {
			return Event{}, fmt.Errorf("decode exit: %w", err)
		}
		event.Data = nil
	}
	return event, nil
}
