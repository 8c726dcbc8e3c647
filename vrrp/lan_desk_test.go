package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// lanDesk is the desk of a router on a machine.
type lanDesk struct {
	host   *lanHost
	nudges chan struct{}
	timer  *time.Timer
}

func (h *lanHost) sit() (desk, error) {
	return &lanDesk{host: h, nudges: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}, nil
}

func (d *lanDesk) wait(until time.Time, _ bool) {
	d.timer.Reset(someWait(time.Until(until)))
	select {
	case <-d.nudges:
	case <-d.timer.C:
	}
}

func (d *lanDesk) nudge() { mark1(d.nudges) }
func (d *lanDesk) close() { d.timer.Stop() }

// lanPort is a port on the LAN.
type lanPort struct {
	desk *lanDesk
	host *lanHost
	v6   bool
	in   chan frame
}

func (d *lanDesk) open(l link, v6 bool) (port, error) {
	h := d.host
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if h.noport != nil {
		return nil, h.noport
	}
	p := &lanPort{desk: d, host: h, v6: v6, in: make(chan frame, 1024)}
	h.ports = append(h.ports, p)
	return p, nil
}

func (p *lanPort) send(payload []byte, to envelope) error {
	n := p.host.lan
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen++
	if p.host.cut || !p.host.links["eth0"].up {
		return nil
	}
	f := frame{src: to.src, dst: to.dst, ttl: to.ttl}
	f.n = copy(f.buf[:], payload)
	for _, h := range n.hosts {
		if h != p.host && !h.cut && h.links["eth0"].up && (to.dst.IsMulticast() || h.links["eth0"].hears(to.dst)) {
			h.deliver(p.v6, f)
		}
	}
	return nil
}

// hears tells whether an address is the link's.
func (l link) hears(ip netip.Addr) bool {
	return slices.ContainsFunc(l.addresses, func(a linkAddress) bool { return a.prefix.Addr() == ip })
}

// deliver puts a packet into the machine's sockets. The caller holds lan.mu.
func (h *lanHost) deliver(v6 bool, f frame) {
	for _, p := range h.ports {
		if p.v6 == v6 {
			select {
			case p.in <- f:
				p.desk.nudge()
			default:
			}
		}
	}
}

func (p *lanPort) receive(f *frame) (bool, error) {
	select {
	case in := <-p.in:
		f.at, f.src, f.dst, f.ttl, f.n, f.buf = time.Now(), in.src, in.dst, in.ttl, in.n, in.buf
		return true, nil
	default:
		return false, nil
	}
}

func (p *lanPort) close() error {
	h := p.host
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	h.ports = slices.DeleteFunc(h.ports, func(o *lanPort) bool { return o == p })
	return nil
}
