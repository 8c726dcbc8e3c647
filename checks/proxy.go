package checks

// Proxy is a version of HAProxy's PROXY protocol, whose header begins a
// connection to a server that expects one; 0 is none.
type Proxy uint8

// header returns the header for a connection that speaks for itself and for no
// client, which is how a health check announces itself in each version.
func (p Proxy) header() string {
	switch p {
	case 1:
		return "PROXY UNKNOWN\r\n"
	case 2:
		const local = "\x20" // version 2, command LOCAL: no addresses follow
		return "\r\n\r\n\x00\r\nQUIT\n" + local + "\x00\x00\x00"
	}
	return ""
}
