package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lvs-director/director/internal/engine"
)

// maxProblems is how many problems stand before the tables; a rack that lost
// its power must not push them out of sight.
const maxProblems = 20

// View selects what Status shows.
type View struct {
	Problems       bool     // only the head and what is wrong, all of it
	VirtualServers []string // only these; none is all
}

// Status renders a snapshot: who and how long, what is wrong, then groups and
// virtual servers.
func (s Style) Status(status *engine.Status, view View) string {
	var b strings.Builder
	s.writeHead(&b, status)
	s.writeProblems(&b, s.Problems(status), view)
	if view.Problems {
		return b.String()
	}
	if len(view.VirtualServers) == 0 {
		s.writeGroups(&b, status.VRRP.Groups)
		s.writeSessions(&b, status.BFD)
	}
	for _, v := range status.VirtualServers {
		if len(view.VirtualServers) == 0 || slices.Contains(view.VirtualServers, v.Name) {
			s.writeVirtualServer(&b, v)
		}
	}
	return b.String()
}

func (s Style) writeHead(b *strings.Builder, status *engine.Status) {
	up := "not started"
	if !status.Started.IsZero() {
		up = "up " + s.since(status.Started)
	}
	fmt.Fprintf(b, "director %s on %s, %s, configuration loaded %s, %s\n",
		status.Version, s.paint(bold, status.Node), up,
		s.ago(status.Config.Loaded), count(status.Config.Reloads, "reload"))
	k := status.Kernel
	sync := s.paint(green, "in sync")
	if !k.InSync {
		sync = s.paint(red, "NOT in sync")
	}
	fmt.Fprintf(b, "kernel %s, compared %s, %s, %s", sync, s.ago(k.LastResync),
		count(k.Operations, "change"), count(k.Repairs, "repair"))
	if k.Sync != "" {
		fmt.Fprintf(b, ", connection sync %s", k.Sync)
	}
	b.WriteByte('\n')
	if c := status.Checks; c.Probes > 0 {
		pace := s.paint(green, "on time")
		if c.Late {
			pace = s.paint(red, "LATE")
		}
		fmt.Fprintf(b, "checks %s, %s, %d in flight, at most %s late, %d left out, %d asked again\n",
			pace, count(uint64(c.Probes), "probe"), c.InFlight, latency(c.Lag), c.LeftOut, c.Repeated)
	}
}

func (s Style) writeProblems(b *strings.Builder, problems []Problem, view View) {
	if len(problems) == 0 {
		b.WriteString(s.paint(green, "nothing is wrong") + "\n")
		return
	}
	b.WriteString("\n" + s.paint(bold, fmt.Sprintf("PROBLEMS (%d)", len(problems))) + "\n")
	for i, p := range problems {
		if !view.Problems && i == maxProblems {
			fmt.Fprintf(b, "  and %d more: director status --problems\n", len(problems)-i)
			break
		}
		color := [...]string{Note: "", Warning: yellow, Critical: red}[p.Severity]
		first, rest, _ := strings.Cut(p.Text, "\n")
		b.WriteString("  " + s.paint(color, first) + "\n")
		for line := range strings.Lines(rest) {
			if line != "\n" {
				line = "    " + line
			}
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
}

func (s Style) writeGroups(b *strings.Builder, groups []engine.GroupStatus) {
	if len(groups) == 0 {
		return
	}
	b.WriteByte('\n')
	rows := make([][]cell, len(groups))
	for i, g := range groups {
		rows[i] = []cell{
			{text: g.Name},
			{g.State, colorOf(g.State)},
			{text: s.since(g.Since)},
			{text: strconv.Itoa(int(g.Priority))},
			{text: fmt.Sprintf("%s vrid %d", g.Interface, g.RouterID)},
			{text: dash(g.Master)},
			{text: dash(strings.Join(g.Addresses, " "))},
			{text: clean(g.Reason)},
		}
	}
	head := []string{"GROUP", "STATE", "FOR", "PRIORITY", "WHERE", "MASTER", "HOLDS", "REASON"}
	s.writeTable(b, "", head, rows)
}

func (s Style) writeSessions(b *strings.Builder, bfd *engine.BFDStatus) {
	if bfd == nil {
		return
	}
	b.WriteByte('\n')
	rows := make([][]cell, len(bfd.Sessions))
	for i, f := range bfd.Sessions {
		where := f.Neighbor
		if f.Interface != "" {
			where += " on " + f.Interface
		}
		if f.Multihop {
			where += " (multihop)"
		}
		rows[i] = []cell{
			{text: f.Name},
			{f.State, colorOf(f.State)},
			{text: s.since(f.Since)},
			{text: where},
			{text: latency(f.Interval)},
			{text: latency(f.Detection)},
			{text: strconv.FormatUint(f.Downs, 10)},
			{text: clean(joined("; ", f.Reason, f.Problem))},
		}
	}
	s.writeTable(b, "", []string{"BFD SESSION", "STATE", "FOR", "NEIGHBOR", "EVERY", "DETECTS IN", "DOWNS", "REASON"}, rows)
}

func (s Style) writeVirtualServer(b *strings.Builder, v *engine.ServiceStatus) {
	fmt.Fprintf(b, "\n%s %s for %s, weight %d of quorum %d, %s %s, %s\n",
		s.paint(bold, v.Name), s.paint(colorOf(v.State), v.State), s.since(v.Since), v.WeightUp, v.Quorum,
		v.Scheduler, v.Forward, named(v.Addresses, 4))
	if v.Reason != "" {
		fmt.Fprintf(b, "  %s\n", clean(v.Reason))
	}
	if v.SorryInUse {
		b.WriteString("  " + s.paint(red, "the sorry server answers") + "\n")
	}
	if len(v.Reals) == 0 {
		return
	}
	rows := make([][]cell, 0, len(v.Reals)+1)
	for _, r := range v.Reals {
		rows = append(rows, s.realRow(r, ""))
	}
	if v.Sorry != nil {
		rows = append(rows, s.realRow(v.Sorry, "sorry server"))
	}
	s.writeTable(b, "  ", []string{"REAL SERVER", "STATE", "FOR", "WEIGHT", "CHECKS", "REASON"}, rows)
}

// realRow is the row of a real server, or of what role it has else.
func (s Style) realRow(r *engine.RealStatus, role string) []cell {
	return []cell{
		{text: r.Address},
		{r.State, colorOf(r.State)},
		{text: s.since(r.Since)},
		{text: weight(r)},
		{text: checksOf(r.Checks)},
		{text: joined("; ", role, override(r), reasonOf(r))},
	}
}

// weight is what the kernel has, and what is configured when that differs.
func weight(r *engine.RealStatus) string {
	switch {
	case !r.InTable:
		return fmt.Sprintf("- of %d", r.Configured)
	case r.Weight != r.Configured:
		return fmt.Sprintf("%d of %d", r.Weight, r.Configured)
	}
	return strconv.FormatUint(uint64(r.Weight), 10)
}

func override(r *engine.RealStatus) string {
	switch {
	case r.Maintenance != "":
		return joined("; ", "maintenance: file "+r.Maintenance, overridden(r))
	case r.Override != "":
		return "operator: " + overridden(r)
	}
	return ""
}

// overridden is what an operator asked for, and why.
func overridden(r *engine.RealStatus) string {
	if r.OverriddenBecause == "" {
		return r.Override
	}
	return fmt.Sprintf("%s (%s)", r.Override, clean(r.OverriddenBecause))
}

// checksOf is one word for each check: its latency when it is up, else its state.
func checksOf(list []engine.CheckStatus) string {
	words := make([]string, len(list))
	for i, c := range list {
		name := c.Name
		if c.Through != "" {
			name += " (forwarded)"
		}
		words[i] = name + " " + c.State
		if c.State == "up" && c.Kind != "bfd" {
			words[i] = name + " " + latency(c.Latency)
		}
	}
	return dash(strings.Join(words, ", "))
}

func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
