package api

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-director/director/internal/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMetricsGolden(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeMetrics(&out, sampleStatus()); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// What is served must be what Prometheus reads: our families and the
// library's in one text, each family once.
func TestMetricsAreOneValidText(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	d.engine.status = sampleStatus()
	response, err := httpClient(t).Get(d.tcp + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if seen[name] {
				t.Errorf("family %s is there twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{"director_info", "director_check_up", "go_goroutines", "process_open_fds"} {
		if !seen[name] {
			t.Errorf("family %s is missing", name)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	s := &engine.Status{}
	for v := range 1000 {
		vs := &engine.ServiceStatus{Name: fmt.Sprintf("virtual-%d", v), State: "up"}
		for r := range 10 {
			vs.Reals = append(vs.Reals, &engine.RealStatus{
				Address: fmt.Sprintf("10.0.%d.%d:80", v%256, r), State: "up", Weight: 10,
				Checks: []engine.CheckStatus{{Name: "healthz", State: "up"}},
			})
		}
		s.VirtualServers = append(s.VirtualServers, vs)
	}
	for b.Loop() {
		if err := writeMetrics(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}
