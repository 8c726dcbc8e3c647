package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-director/director/integration/lab"
)

// takeover measures how long a pair needs for a takeover by the packets alone: from
// the lost master's last advertisement to the backup's first, and to its first
// announcement of an address. What a client sees (failover) begins at any time
// between two advertisements, and on a slow machine its own questions are the larger
// part of the load.
func (b *bench) takeover() error {
	for _, interval := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		for _, event := range []string{"kill -9", "hang"} {
			for range b.trials {
				for _, p := range b.peers {
					if err := b.takeoversOf(p, interval, event); err != nil {
						b.table.lose(p.name(), fmt.Sprintf("takeover at %v, %s", interval, event), err)
					}
				}
			}
		}
	}
	return nil
}

// inARow is how often the same pair is upset.
const inARow = 5

func (b *bench) takeoversOf(p peer, interval time.Duration, event string) error {
	n, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer n.Close()
	folder, err := os.MkdirTemp("", "takeover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	first := work{pair: pair{interval: interval, priority: 150, bare: true}}
	master, err := p.start(n, n.A, first)
	if err != nil {
		return err
	}
	if err := n.A.AwaitAddress(lab.VIP(0), true, 20*time.Second); err != nil {
		return err
	}
	if _, err := p.start(n, n.B, work{pair: pair{interval: interval, priority: 100, bare: true}}); err != nil {
		return err
	}
	// At the backup, both interfaces on one clock. Text would cost more than VRRP.
	packets := filepath.Join(folder, "packets")
	listener, err := n.Start(n.B, filepath.Join(folder, "log"), "tcpdump", "-n", "-s", "128", "-i", "any", "-w", packets, "vrrp or arp")
	if err != nil {
		return err
	}
	// For the pair to be at rest, and for the listener to have all packets.
	rest := func() { time.Sleep(2*time.Second + 10*interval) }
	rest()
	for range inARow {
		if err := harm(n, master, event); err != nil {
			return err
		}
		if err := n.B.AwaitAddress(lab.VIP(0), true, 20*time.Second); err != nil {
			return err
		}
		time.Sleep(10 * interval) // until it has been announced
		if event == "hang" {
			err = master.SignalAll(syscall.SIGCONT)
		} else {
			master, err = p.start(n, n.A, first)
		}
		if err != nil {
			return err
		}
		if err := n.B.AwaitAddress(lab.VIP(0), false, 20*time.Second); err != nil {
			return err
		}
		rest()
	}
	if err := errors.Join(listener.Signal(syscall.SIGINT), listener.Wait(10*time.Second)); err != nil {
		return err
	}
	text, err := n.B.Run("tcpdump", "-tt", "-n", "-r", packets)
	if err != nil {
		return err
	}
	seen := takeovers(text, interval)
	if len(seen) < inARow {
		return fmt.Errorf("%d takeovers heard, want %d", len(seen), inARow)
	}
	what := fmt.Sprintf("takeover at %v, %s: from the last advertisement to the backup's ", interval, event)
	for _, t := range seen {
		b.table.add(what+"first", "µs", p.name(), float64(t.advert.Microseconds()))
		b.table.add(what+"announcement", "µs", p.name(), float64(t.announcement.Microseconds()))
	}
	return nil
}

// took is when a backup spoke, since the master did last.
type took struct{ advert, announcement time.Duration }

var (
	captured  = regexp.MustCompile(`^(\d+\.\d{6}) +\S+ +(In|Out|M|B) +(.*)`)
	announced = regexp.MustCompile(`^ARP, (Request who-has|Reply) ` + regexp.QuoteMeta(lab.VIP(0).String()) + ` `)
)

// takeovers returns those that a backup's tcpdump -i any has seen. A master that
// comes back and is answered at once is none.
func takeovers(text string, interval time.Duration) []took {
	var list []took
	var last time.Duration // the master's last advertisement
	var now took
	for line := range strings.Lines(text) {
		m := captured.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := time.ParseDuration(m[1] + "s")
		if err != nil {
			continue
		}
		since := at - last
		switch advert := strings.Contains(m[3], "VRRPv3, Advertisement"); {
		case advert && m[2] != "Out":
			last, now = at, took{}
		case last == 0 || since < 2*interval || now.announcement > 0:
		case advert && now.advert == 0:
			now.advert = since
		case now.advert > 0 && m[2] == "Out" && announced.MatchString(m[3]):
			now.announcement = since
			list = append(list, now)
		}
	}
	return list
}
