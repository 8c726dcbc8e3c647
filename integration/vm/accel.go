package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kvmPatience is how long a probe boot may take: with KVM that works it needs
// about two seconds.
const kvmPatience = 10 * time.Second

// probeKVM says whether KVM works here. /dev/kvm may exist and still be useless,
// with a guest that stops early in boot without an error: so only a guest that
// has run proves it. The answer holds until this machine boots again.
func (m *Machine) probeKVM(ctx context.Context, say func(string, ...any)) (bool, error) {
	switch accel := os.Getenv("DIRECTOR_VM_ACCEL"); accel {
	case "tcg":
		return false, nil
	case "kvm":
		return true, nil
	case "":
	default:
		return false, fmt.Errorf("DIRECTOR_VM_ACCEL is %q: want tcg or kvm", accel)
	}
	file, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false, nil
	}
	file.Close()

	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false, fmt.Errorf("probe kvm: %w", err)
	}
	answer := filepath.Join(m.cache, "kvm")
	if known, err := os.ReadFile(answer); err == nil {
		if verdict, ok := strings.CutPrefix(string(known), strings.TrimSpace(string(id))+" "); ok {
			return verdict == "yes", nil
		}
	}
	say("probing KVM")
	trial := *m
	trial.kvm = true
	_, err = trial.Run(ctx, Job{Steps: []Step{{Name: "probe", Args: []string{"true"}}}, Limit: kvmPatience}, func(Event) {})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	verdict := "yes"
	if err != nil {
		verdict = "no"
	}
	say("KVM works: %s", verdict)
	if err := os.WriteFile(answer, []byte(strings.TrimSpace(string(id))+" "+verdict), 0o644); err != nil {
		return false, fmt.Errorf("remember kvm: %w", err)
	}
	return verdict == "yes", nil
}
