package vrrp

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRefusal(t *testing.T) {
	answer := func(kind uint16, number int32) []byte {
		b := make([]byte, 36) // the header of the message follows the number
		binary.NativeEndian.PutUint32(b, 36)
		binary.NativeEndian.PutUint16(b[4:], kind)
		binary.NativeEndian.PutUint32(b[16:], uint32(number))
		return b
	}
	for _, test := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"all is well", answer(unix.NLMSG_ERROR, 0), nil},
		{"refused", answer(unix.NLMSG_ERROR, -int32(unix.ENODEV)), unix.ENODEV},
		{"nothing", nil, errUnanswered},
		{"cut short", answer(unix.NLMSG_ERROR, 0)[:19], errUnanswered},
		{"the number alone", answer(unix.NLMSG_ERROR, -int32(unix.EPERM))[:20], unix.EPERM},
		{"something else", answer(unix.RTM_NEWADDR, 0), errUnanswered},
	} {
		if got := refusal(test.answer); !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
