package lab

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseChanges(t *testing.T) {
	const family = 32
	message := func(kind, flags uint16, command uint8, extra int) []byte {
		size := unix.NLMSG_HDRLEN + 4 + extra
		b := binary.NativeEndian.AppendUint32(nil, uint32(size))
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = binary.NativeEndian.AppendUint16(b, flags)
		b = append(b, make([]byte, 8)...)
		b = append(b, command, 1, 0, 0)
		b = append(b, make([]byte, extra)...)
		return append(b, make([]byte, (4-len(b)%4)%4)...)
	}
	packet := message(family, unix.NLM_F_REQUEST, 6, 5)                                 // SET_DEST
	packet = append(packet, message(family, unix.NLM_F_REQUEST, 8, 0)...)               // GET_DEST
	packet = append(packet, message(family+1, unix.NLM_F_REQUEST, 6, 0)...)             // another family
	packet = append(packet, message(family, 0, 5, 0)...)                                // an answer
	packet = append(packet, message(family, unix.NLM_F_REQUEST, 17, 0)...)              // FLUSH
	packet = append(packet, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // nonsense
	if diff := cmp.Diff([]string{"SET_DEST", "FLUSH"}, parseChanges(packet, family)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
