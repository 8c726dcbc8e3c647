package lab

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Table returns the box's IPVS table as `ipvsadm -Sn` prints it, sorted: the
// kernel's order of destinations is that of their insertion.
func (n *Namespace) Table() ([]string, error) {
	out, err := n.Run("ipvsadm", "-Sn")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if lines[0] == "" {
		return nil, nil
	}
	slices.Sort(lines)
	return lines, nil
}

// Row returns the one line of the table that has all the words, "" if none has.
func (n *Namespace) Row(words ...string) (string, error) {
	table, err := n.Table()
	if err != nil {
		return "", err
	}
	var found string
	for _, line := range table {
		has := strings.Fields(line)
		if slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(has, w) }) {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("table of %s: both %q and %q have %q", n.Name, found, line, words)
		}
		found = line
	}
	return found, nil
}

// SyncDaemon returns the box's connection-sync daemons as "master eth1 51", one
// to a line, "" for none.
func (n *Namespace) SyncDaemon() (string, error) {
	out, err := n.Run("ipvsadm", "-L", "--daemon")
	if err != nil {
		return "", err
	}
	return parseSyncDaemon(out), nil
}

// parseSyncDaemon reads lines like "master sync daemon (mcast=eth1, syncid=51, maxlen=…".
func parseSyncDaemon(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		role, rest, ok := strings.Cut(line, " sync daemon (")
		if !ok {
			continue
		}
		words := []string{role}
		for field := range strings.SplitSeq(rest, ", ") {
			key, value, _ := strings.Cut(strings.TrimRight(field, ")\n"), "=")
			if key == "mcast" || key == "syncid" {
				words = append(words, value)
			}
		}
		lines = append(lines, strings.Join(words, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// AwaitSynced waits until the box's kernel knows one connection, by the client's
// own end, to a server as established, itself or by synchronisation.
func (n *Namespace) AwaitSynced(source, virtual netip.AddrPort, limit time.Duration) error {
	return Await(limit, func() error {
		out, err := n.Run("ipvsadm", "-Lcn")
		if err != nil {
			return err
		}
		for f := range established(out) {
			if f[3] == source.String() && f[4] == virtual.String() {
				return nil
			}
		}
		return fmt.Errorf("%s does not know the connection of %v to %v", n.Name, source, virtual)
	})
}

// Established returns how many connections to a server the box's kernel knows as
// established, by the real server, as "10.1.0.11:80", that has them.
func (n *Namespace) Established(virtual string) (map[string]int, error) {
	out, err := n.Run("ipvsadm", "-Lcn")
	if err != nil {
		return nil, err
	}
	by := map[string]int{}
	for f := range established(out) {
		if f[4] == virtual {
			by[f[5]]++
		}
	}
	return by, nil
}

// established yields the fields of ipvsadm's lines for established connections:
// protocol, expiry, state, source, virtual and real server.
func established(out string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) >= 6 && f[2] == "ESTABLISHED" && !yield(f) {
				return
			}
		}
	}
}
