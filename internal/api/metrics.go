package api

import (
	"bufio"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lvs-director/director/internal/engine"
)

// metricsContentType is Prometheus' text format, version 0.0.4.
const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// getMetrics writes what the status holds, and then what the Prometheus
// library knows of this process.
func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", metricsContentType)
	if writeMetrics(w, s.engine.Status()) == nil {
		s.process().ServeHTTP(w, r)
	}
}

// processMetrics serves the go_ and process_ families, uncompressed, so that
// they can follow our own text.
func processMetrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	h := promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := r.Clone(r.Context())
		plain.Header.Del("Accept") // whatever the client prefers, our text goes first
		h.ServeHTTP(w, plain)
	})
}

// writeMetrics writes the status as Prometheus text. The library's own
// encoder would take half a second and 77 MB for 100,000 series; this takes
// a hundredth of either.
func writeMetrics(w io.Writer, s *engine.Status) error {
	m := &metricsWriter{out: bufio.NewWriterSize(w, 64<<10)}
	m.daemon(s)
	m.fifos(s.FIFOs)
	m.groups(s.VRRP.Groups)
	m.tracks(s.VRRP.Groups)
	m.sessions(s.BFD)
	m.virtualServers(s.VirtualServers)
	m.realServers(s.VirtualServers)
	m.checks(s.VirtualServers)
	return m.out.Flush()
}

func (m *metricsWriter) daemon(s *engine.Status) {
	m.family("director_info", "gauge", "Version and node name of this director; always 1.")
	m.sample(1, "version", s.Version, "node", s.Node)
	m.one("director_start_time_seconds", "gauge", "When this director started, in seconds since 1970.", seconds(s.Started))
	m.one("director_config_loaded_timestamp_seconds", "gauge", "When the running configuration was loaded.", seconds(s.Config.Loaded))
	m.one("director_config_reloads_total", "counter", "Reloads that were taken.", float64(s.Config.Reloads))
	m.one("director_config_last_reload_successful", "gauge", "1 unless the last reload was refused.", truth(s.Config.LastError == ""))
	m.one("director_kernel_in_sync", "gauge", "1 when the kernel's table is what it should be.", truth(s.Kernel.InSync))
	m.one("director_kernel_last_resync_timestamp_seconds", "gauge", "When the kernel's table was last compared.", seconds(s.Kernel.LastResync))
	m.one("director_kernel_repairs_total", "counter", "Rows put right after somebody else changed them.", float64(s.Kernel.Repairs))
	m.one("director_kernel_operations_total", "counter", "Changes made to the kernel's table.", float64(s.Kernel.Operations))
	c := s.Checks
	m.one("director_probes", "gauge", "Probes that are run again and again; one that many use counts once.", float64(c.Probes))
	m.one("director_probes_in_flight", "gauge", "Probes under way.", float64(c.InFlight))
	m.one("director_probes_waiting", "gauge", "Probes that are due while as many of their kind as may run are running.", float64(c.Waiting))
	m.one("director_probes_started_total", "counter", "Probes started.", float64(c.Started))
	m.one("director_probes_left_out_total", "counter", "Probes left out, since intervals were longer than configured.", float64(c.LeftOut))
	m.one("director_probes_repeated_total", "counter", "Probes asked again, since they failed while this director did not run.", float64(c.Repeated))
	m.one("director_probes_failed_here_total", "counter", "Probes that failed for want of something on this machine; they do not count.", float64(c.FailedHere))
	m.one("director_probes_lag_seconds", "gauge", "The latest start of a probe in the last 10 to 20 seconds.", c.Lag.Seconds())
	m.one("director_probes_late", "gauge", "1 while this machine cannot keep up with its checks.", truth(c.Late))
	h := s.Hooks
	m.one("director_hooks_running", "gauge", "Hooks under way.", float64(h.Running))
	m.one("director_hooks_waiting", "gauge", "Hooks that wait for their turn.", float64(h.Waiting))
	m.one("director_hooks_failed_total", "counter", "Hooks that ended with an error, or with their time.", float64(h.Failed))
	m.one("director_hooks_dropped_total", "counter", "Hooks left out, since too many were waiting.", float64(h.Dropped))
	m.one("director_vrrp_connected", "gauge", "1 when the VRRP process answers.", truth(s.VRRP.Connected))
}

func (m *metricsWriter) fifos(list []engine.FIFOStatus) {
	if len(list) == 0 {
		return
	}
	m.family("director_notify_fifo_lines_total", "counter", "Lines written to a named pipe.")
	for _, f := range list {
		m.sample(float64(f.Written), "path", f.Path)
	}
	m.family("director_notify_fifo_dropped_total", "counter", "Lines dropped, since nobody read or the pipe could not be opened.")
	for _, f := range list {
		m.sample(float64(f.Dropped), "path", f.Path)
	}
}

// vrrpStates are the values of the label state, as engine.GroupStatus has them.
var vrrpStates = [...]string{"INIT", "BACKUP", "MASTER", "FAULT"}

func (m *metricsWriter) groups(groups []engine.GroupStatus) {
	if len(groups) == 0 {
		return
	}
	m.family("director_vrrp_state", "gauge", "1 for the state that the group is in, 0 for the others.")
	for _, g := range groups {
		for _, state := range vrrpStates {
			m.sample(truth(g.State == state), "group", g.Name, "state", state)
		}
	}
	each := func(name, kind, help string, value func(engine.GroupStatus) float64) {
		m.family(name, kind, help)
		for _, g := range groups {
			m.sample(value(g), "group", g.Name)
		}
	}
	each("director_vrrp_state_since_timestamp_seconds", "gauge", "When the group entered its state.",
		func(g engine.GroupStatus) float64 { return seconds(g.Since) })
	each("director_vrrp_priority", "gauge", "Effective priority, with what is tracked.",
		func(g engine.GroupStatus) float64 { return float64(g.Priority) })
	each("director_vrrp_addresses", "gauge", "Virtual addresses held now.",
		func(g engine.GroupStatus) float64 { return float64(len(g.Addresses)) })
	each("director_vrrp_split", "gauge", "1 while another master of the group is heard.",
		func(g engine.GroupStatus) float64 { return truth(g.Split != "") })
	each("director_vrrp_conflict", "gauge", "1 while somebody else claims an address of the group by ARP or neighbour discovery.",
		func(g engine.GroupStatus) float64 { return truth(g.Stranger != "") })
	each("director_vrrp_routes", "gauge", "Virtual routes in the kernel now.",
		func(g engine.GroupStatus) float64 { return float64(g.Routes) })
	each("director_vrrp_rules", "gauge", "Virtual rules of the routing policy in the kernel now.",
		func(g engine.GroupStatus) float64 { return float64(g.Rules) })
	each("director_vrrp_closed_addresses", "gauge", "Virtual addresses that only IPVS answers for, accept being false.",
		func(g engine.GroupStatus) float64 { return float64(g.Closed) })
	each("director_vrrp_advertisements_sent_total", "counter", "Advertisements sent.",
		func(g engine.GroupStatus) float64 { return float64(g.Sent) })
	each("director_vrrp_advertisements_received_total", "counter", "Advertisements received and taken.",
		func(g engine.GroupStatus) float64 { return float64(g.Received) })
	each("director_vrrp_advertisements_dropped_total", "counter", "Packets received and refused.",
		func(g engine.GroupStatus) float64 { return float64(g.Dropped) })
}

func (m *metricsWriter) tracks(groups []engine.GroupStatus) {
	tracked := func(g engine.GroupStatus) bool { return len(g.Tracks) > 0 }
	if !slices.ContainsFunc(groups, tracked) {
		return
	}
	each := func(name, help string, value func(engine.TrackStatus) float64) {
		m.family(name, "gauge", help)
		for _, g := range groups {
			for _, t := range g.Tracks {
				m.sample(value(t), "group", g.Name, "kind", t.Kind, "track", t.Name)
			}
		}
	}
	each("director_vrrp_track_up", "1 while what is tracked counts as up.",
		func(t engine.TrackStatus) float64 { return truth(t.State == "up") })
	each("director_vrrp_track_points", "What it adds to the priority.",
		func(t engine.TrackStatus) float64 { return float64(t.Points) })
}

func (m *metricsWriter) sessions(b *engine.BFDStatus) {
	if b == nil {
		return
	}
	each := func(name, kind, help string, value func(engine.SessionStatus) float64) {
		m.family(name, kind, help)
		for _, s := range b.Sessions {
			m.sample(value(s), "session", s.Name, "neighbor", s.Neighbor)
		}
	}
	each("director_bfd_up", "gauge", "1 while the session is up, 0 while not; no sample before the first verdict.",
		func(s engine.SessionStatus) float64 { return verdict(s.State) })
	each("director_bfd_state_since_timestamp_seconds", "gauge", "When the session entered its state.",
		func(s engine.SessionStatus) float64 { return seconds(s.Since) })
	each("director_bfd_detection_seconds", "gauge", "How long without a packet is down; no sample before the first packet.",
		func(s engine.SessionStatus) float64 { return unless(s.Detection == 0, s.Detection.Seconds()) })
	each("director_bfd_downs_total", "counter", "How often the session went down.",
		func(s engine.SessionStatus) float64 { return float64(s.Downs) })
	each("director_bfd_packets_sent_total", "counter", "Packets sent.",
		func(s engine.SessionStatus) float64 { return float64(s.Sent) })
	each("director_bfd_packets_received_total", "counter", "Packets received and taken.",
		func(s engine.SessionStatus) float64 { return float64(s.Received) })
	m.family("director_bfd_packets_dropped_total", "counter", "Packets received and refused, of any session and of none.")
	for _, reason := range slices.Sorted(maps.Keys(b.Dropped)) {
		m.sample(float64(b.Dropped[reason]), "reason", reason)
	}
}

func (m *metricsWriter) virtualServers(list []*engine.ServiceStatus) {
	each := func(name, help string, value func(*engine.ServiceStatus) float64) {
		m.family(name, "gauge", help)
		for _, v := range list {
			m.sample(value(v), "virtual_server", v.Name)
		}
	}
	if len(list) == 0 {
		return
	}
	each("director_virtual_server_up", "1 with quorum, 0 without; no sample before the first verdict.",
		func(v *engine.ServiceStatus) float64 { return verdict(v.State) })
	each("director_virtual_server_weight_up", "Weight of the real servers that are up.",
		func(v *engine.ServiceStatus) float64 { return float64(v.WeightUp) })
	each("director_virtual_server_quorum", "Weight that must be up.",
		func(v *engine.ServiceStatus) float64 { return float64(v.Quorum) })
	each("director_virtual_server_sorry_in_use", "1 while the sorry server answers.",
		func(v *engine.ServiceStatus) float64 { return truth(v.SorryInUse) })
	each("director_virtual_server_sorry_up", "0 while its own checks say that the sorry server is down; no sample without one.",
		func(v *engine.ServiceStatus) float64 {
			return unless(v.Sorry == nil, truth(v.Sorry != nil && v.Sorry.State != "down"))
		})
	each("director_virtual_server_panics", "1 while too few real servers are up to believe it.",
		func(v *engine.ServiceStatus) float64 { return truth(v.Panics) })
}

func (m *metricsWriter) realServers(list []*engine.ServiceStatus) {
	each := func(name, help string, value func(*engine.RealStatus) float64) {
		m.family(name, "gauge", help)
		for _, v := range list {
			for _, r := range v.Reals {
				m.sample(value(r), "virtual_server", v.Name, "real_server", r.Address)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	each("director_real_server_up", "1 up, 0 down; no sample before the first verdict.",
		func(r *engine.RealStatus) float64 { return verdict(r.State) })
	each("director_real_server_weight", "Weight in the kernel's table.",
		func(r *engine.RealStatus) float64 { return float64(r.Weight) })
	each("director_real_server_configured_weight", "Weight in the configuration.",
		func(r *engine.RealStatus) float64 { return float64(r.Configured) })
	each("director_real_server_in_table", "1 when the kernel's table has the real server.",
		func(r *engine.RealStatus) float64 { return truth(r.InTable) })
	each("director_real_server_overridden", "1 while an operator's command counts, not the configuration.",
		func(r *engine.RealStatus) float64 { return truth(r.Override != "") })
	each("director_real_server_maintenance", "1 while a file of the maintenance directory has the real server drained.",
		func(r *engine.RealStatus) float64 { return truth(r.Maintenance != "") })
}

func (m *metricsWriter) checks(list []*engine.ServiceStatus) {
	sample := func(v *engine.ServiceStatus, r *engine.RealStatus, value func(engine.CheckStatus) float64) {
		for _, c := range r.Checks {
			m.sample(value(c), "virtual_server", v.Name, "real_server", r.Address, "check", c.Name)
		}
	}
	each := func(name, help string, value func(engine.CheckStatus) float64) {
		m.family(name, "gauge", help)
		for _, v := range list {
			for _, r := range v.Reals {
				sample(v, r, value)
			}
			if v.Sorry != nil {
				sample(v, v.Sorry, value)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	each("director_check_up", "1 up, 0 down; no sample before the first verdict.",
		func(c engine.CheckStatus) float64 { return verdict(c.State) })
	each("director_check_latency_seconds", "How long the last probe took.",
		func(c engine.CheckStatus) float64 { return unless(c.LastAt.IsZero(), c.Latency.Seconds()) })
	each("director_check_last_timestamp_seconds", "When the last probe ended.",
		func(c engine.CheckStatus) float64 { return seconds(c.LastAt) })
}

// verdict is 1, 0 or, before there is one, NaN: no sample.
func verdict(state string) float64 {
	return unless(state == "unknown", truth(state == "up"))
}

// unless is v, or no sample when without is true.
func unless(without bool, v float64) float64 {
	if without {
		return math.NaN()
	}
	return v
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is t since 1970, or no sample for a time that has not come yet.
func seconds(t time.Time) float64 {
	return unless(t.IsZero(), float64(t.UnixMilli())/1e3)
}

// metricsWriter appends families of samples to a buffer.
type metricsWriter struct {
	out  *bufio.Writer
	name string
	line []byte
}

// family begins the samples of one name.
func (m *metricsWriter) family(name, kind, help string) {
	m.name = name
	m.line = append(m.line[:0], "# HELP "...)
	m.line = append(append(append(m.line, name...), ' '), help...)
	m.line = append(append(m.line, "\n# TYPE "...), name...)
	m.line = append(append(append(m.line, ' '), kind...), '\n')
	m.out.Write(m.line) // an error sticks to the bufio.Writer until Flush
}

// one writes a family that has one value and no labels.
func (m *metricsWriter) one(name, kind, help string, value float64) {
	m.family(name, kind, help)
	m.sample(value)
}

// sample writes one value under label names and values by turns. NaN is no sample.
func (m *metricsWriter) sample(value float64, labels ...string) {
	if math.IsNaN(value) {
		return
	}
	m.line = append(m.line[:0], m.name...)
	for i := 0; i+1 < len(labels); i += 2 {
		m.line = append(m.line, "{,"[min(i, 1)])
		m.line = append(append(m.line, labels[i]...), `="`...)
		m.line = append(appendEscaped(m.line, labels[i+1]), '"')
	}
	if len(labels) > 0 {
		m.line = append(m.line, '}')
	}
	m.line = strconv.AppendFloat(append(m.line, ' '), value, 'f', -1, 64)
	m.out.Write(append(m.line, '\n'))
}

// appendEscaped appends a label's value: backslash, quote and newline are
// the three that the format escapes.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, c)
		}
	}
	return b
}
