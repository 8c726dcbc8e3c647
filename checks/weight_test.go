package checks

import "testing"

func TestWeighs(t *testing.T) {
	tests := []struct {
		probe Probe
		want  bool
	}{
		{TCP{}, false}, {HTTP{}, false}, {HTTP{WeightHeader: "X"}, true}, {HTTP{WeightBody: true}, true}, {Agent{}, true},
		{Script{}, false}, {Script{Exit: ExitNagios}, false}, {Script{Exit: ExitKeepalived}, true}, {Script{DynamicWeight: true}, true},
	}
	for _, tt := range tests {
		if got := Weighs(tt.probe); got != tt.want {
			t.Errorf("%+v: got %v", tt.probe, got)
		}
	}
}

func TestNextWeight(t *testing.T) {
	of := func(n int) *int { return &n }
	tests := []struct {
		was, asked *int
		step       int
		want       *int
	}{
		{nil, of(50), 10, of(50)}, {of(50), nil, 10, nil}, {of(50), of(0), 0, of(0)},
		{of(50), of(0), 10, of(40)}, {of(50), of(100), 10, of(60)}, {of(50), of(45), 10, of(45)}, {of(5), of(0), 10, of(0)},
	}
	for _, tt := range tests {
		if got := nextWeight(tt.was, tt.asked, tt.step); !sameWeight(got, tt.want) {
			t.Errorf("from %v, asked for %v in steps of %d: %v", tt.was, tt.asked, tt.step, got)
		}
	}
}
