package ipvsctl

import (
	"encoding/binary"
	"errors"
)

// Numbers of linux/ip_vs.h, the generic netlink interface of IPVS. The client
// library keeps its copy internal.
const (
	genlName    = "IPVS"
	genlVersion = 1

	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11
	cmdSetConfig  = 12
	cmdGetConfig  = 13
	cmdGetInfo    = 15
	cmdZero       = 16
	cmdFlush      = 17

	attrService       = 1
	attrDest          = 2
	attrDaemon        = 3
	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6

	svcFamily   = 1
	svcProtocol = 2
	svcAddr     = 3
	svcPort     = 4
	svcFWMark   = 5
	svcSched    = 6
	svcFlags    = 7
	svcTimeout  = 8
	svcNetmask  = 9
	svcStats    = 10
	svcEngine   = 11
	svcStats64  = 12

	destAddr         = 1
	destPort         = 2
	destForward      = 3
	destWeight       = 4
	destUpper        = 5
	destLower        = 6
	destActive       = 7
	destInactive     = 8
	destPersistent   = 9
	destStats        = 10
	destFamily       = 11
	destStats64      = 12
	destTunnelType   = 13
	destTunnelPort   = 14
	destTunnelFlags  = 15
	daemonState      = 1
	daemonInterface  = 2
	daemonSyncID     = 3
	daemonMaxLen     = 4
	daemonGroup      = 5
	daemonGroup6     = 6
	daemonPort       = 7
	daemonTTL        = 8
	forwardMask      = 7 // IP_VS_CONN_F_FWD_MASK
	flagPersistent   = 1 // IP_VS_SVC_F_PERSISTENT
	netlinkHeaderLen = 16
	genlHeaderLen    = 4
	attrHeaderLen    = 4
	attrNested       = 0x8000
	attrTypeMask     = 0x3fff
)

// encoder appends generic netlink messages to one buffer, so that a whole batch
// is a single send without an allocation per attribute.
type encoder struct {
	b []byte
}

// message begins a message and returns its place for endMessage.
func (e *encoder) message(family uint16, flags uint16, seq uint32, command uint8) int {
	at := len(e.b)
	e.b = append(e.b, 0, 0, 0, 0)
	e.b = binary.NativeEndian.AppendUint16(e.b, family)
	e.b = binary.NativeEndian.AppendUint16(e.b, flags)
	e.b = binary.NativeEndian.AppendUint32(e.b, seq)
	e.b = append(e.b, 0, 0, 0, 0) // the kernel knows the sender's port
	e.b = append(e.b, command, genlVersion, 0, 0)
	return at
}

func (e *encoder) endMessage(at int) {
	binary.NativeEndian.PutUint32(e.b[at:], uint32(len(e.b)-at))
}

// nest begins an attribute that holds others and returns its place for endNest.
func (e *encoder) nest(typ uint16) int {
	at := len(e.b)
	e.b = append(e.b, 0, 0)
	e.b = binary.NativeEndian.AppendUint16(e.b, typ|attrNested)
	return at
}

func (e *encoder) endNest(at int) {
	binary.NativeEndian.PutUint16(e.b[at:], uint16(len(e.b)-at))
}

func (e *encoder) header(typ uint16, n int) {
	e.b = binary.NativeEndian.AppendUint16(e.b, uint16(attrHeaderLen+n))
	e.b = binary.NativeEndian.AppendUint16(e.b, typ)
}

func (e *encoder) uint8(typ uint16, v uint8) {
	e.header(typ, 1)
	e.b = append(e.b, v, 0, 0, 0)
}

func (e *encoder) uint16(typ uint16, v uint16) {
	e.header(typ, 2)
	e.b = binary.NativeEndian.AppendUint16(e.b, v)
	e.b = append(e.b, 0, 0)
}

// port writes a number in network order.
func (e *encoder) port(typ uint16, v uint16) {
	e.header(typ, 2)
	e.b = binary.BigEndian.AppendUint16(e.b, v)
	e.b = append(e.b, 0, 0)
}

func (e *encoder) uint32(typ uint16, v uint32) {
	e.header(typ, 4)
	e.b = binary.NativeEndian.AppendUint32(e.b, v)
}

func (e *encoder) bytes(typ uint16, v []byte) {
	e.header(typ, len(v))
	e.b = append(e.b, v...)
	e.pad()
}

// text writes a string with the NUL that the kernel's policy wants.
func (e *encoder) text(typ uint16, v string) {
	e.header(typ, len(v)+1)
	e.b = append(e.b, v...)
	e.b = append(e.b, 0)
	e.pad()
}

// pad aligns to 4 bytes. The buffer begins aligned, and so does every message.
func (e *encoder) pad() {
	for len(e.b)%4 != 0 {
		e.b = append(e.b, 0)
	}
}

var errTruncated = errors.New("truncated netlink attribute")

// eachAttr calls f for every attribute in b, with its type and value.
func eachAttr(b []byte, f func(typ uint16, v []byte) error) error {
	for len(b) >= attrHeaderLen {
		n := int(binary.NativeEndian.Uint16(b))
		typ := binary.NativeEndian.Uint16(b[2:]) & attrTypeMask
		if n < attrHeaderLen || n > len(b) {
			return errTruncated
		}
		if err := f(typ, b[attrHeaderLen:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	if len(b) != 0 {
		return errTruncated
	}
	return nil
}

// The values of attributes, refused when they have another size than theirs.

func attrUint8(v []byte) (uint8, error) {
	if len(v) != 1 {
		return 0, errTruncated
	}
	return v[0], nil
}

func attrUint16(v []byte) (uint16, error) {
	if len(v) != 2 {
		return 0, errTruncated
	}
	return binary.NativeEndian.Uint16(v), nil
}

func attrPort(v []byte) (uint16, error) {
	if len(v) != 2 {
		return 0, errTruncated
	}
	return binary.BigEndian.Uint16(v), nil
}

func attrUint32(v []byte) (uint32, error) {
	if len(v) != 4 {
		return 0, errTruncated
	}
	return binary.NativeEndian.Uint32(v), nil
}

func attrUint64(v []byte) (uint64, error) {
	if len(v) != 8 {
		return 0, errTruncated
	}
	return binary.NativeEndian.Uint64(v), nil
}

// attrText returns a string without its NUL.
func attrText(v []byte) string {
	for i, c := range v {
		if c == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}

func appendNative(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}
