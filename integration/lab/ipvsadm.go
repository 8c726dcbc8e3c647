package lab

import (
	"fmt"
	"slices"
	"strings"
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

// Synced returns how many connections to a server, as "10.0.0.100:80", the box's
// kernel knows as established, itself or by synchronisation.
func (n *Namespace) Synced(virtual string) (int, error) {
	by, err := n.Established(virtual)
	sum := 0
	for _, count := range by {
		sum += count
	}
	return sum, err
}

// Established returns how many connections to a server the box's kernel knows as
// established, by the real server, as "10.1.0.11:80", that has them.
func (n *Namespace) Established(virtual string) (map[string]int, error) {
	out, err := n.Run("ipvsadm", "-Lcn")
	if err != nil {
		return nil, err
	}
	by := map[string]int{}
	for line := range strings.Lines(out) {
		// pro expire state source virtual destination
		if f := strings.Fields(line); len(f) >= 6 && f[2] == "ESTABLISHED" && f[4] == virtual {
			by[f[5]]++
		}
	}
	return by, nil
}
