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
