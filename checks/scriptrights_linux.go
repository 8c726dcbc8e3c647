package checks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvs-director/director/internal/privilege"
)

// credential returns what makes a child of ours run as the named user; nil if
// it does so anyway.
func credential(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if int(uid) == os.Geteuid() {
		return nil, nil
	}
	if missing := privilege.Missing(privilege.SetUID, privilege.SetGID); missing != "" {
		return nil, fmt.Errorf("as user %s: missing %s", name, missing)
	}
	result := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	names, err := account.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range names {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			result.Groups = append(result.Groups, uint32(n))
		}
	}
	return result, nil
}

// asAccount does f with the rights to files of the account that cmd runs as.
func asAccount(cmd *exec.Cmd, f func()) {
	if as := cmd.SysProcAttr.Credential; as != nil {
		privilege.AsOwner(int(as.Uid), int(as.Gid), f)
		return
	}
	f()
}

// limitsRefused has what LimitsRefused tells.
var limitsRefused = make(chan error, 1)

// LimitsRefused tells why a command runs without its limits, of the first that
// did. What comes after it says the same.
func LimitsRefused() <-chan error { return limitsRefused }

// refuseLimit notes that cmd runs without a limit, unless it has ended already.
func refuseLimit(cmd *exec.Cmd, err error) {
	if err == nil || hasEnded(cmd.Process.Pid) {
		return
	}
	if missing := privilege.Missing(privilege.SysResource); missing != "" {
		err = fmt.Errorf("missing %s: %w", missing, err)
	}
	select {
	case limitsRefused <- fmt.Errorf("limit %s: %w", cmd.Path, err):
	default:
	}
}

// limitResources bounds what a runaway script can take, and takes from it what
// the daemon was given for itself. It comes a moment after the start, which Go
// gives no way to avoid; children inherit it.
func limitResources(ctx context.Context, cmd *exec.Cmd) {
	const (
		never  = 0
		memory = 8 << 20 // that may be locked: what systemd gives a service
	)
	pid := cmd.Process.Pid
	err := cmp.Or(
		lower(pid, unix.RLIMIT_CORE, never),
		lower(pid, unix.RLIMIT_RTPRIO, never),
		lower(pid, unix.RLIMIT_MEMLOCK, memory),
	)
	if deadline, ok := ctx.Deadline(); ok {
		// Also ends what has escaped and spins.
		err = cmp.Or(err, lower(pid, unix.RLIMIT_CPU, uint64(time.Until(deadline).Seconds())+2))
	}
	refuseLimit(cmd, err)
}

// lower lowers a limit of a process. One that is lower stays.
func lower(pid, resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
		return err
	}
	return unix.Prlimit(pid, resource, &unix.Rlimit{Cur: min(now.Cur, most), Max: min(now.Max, most)}, nil)
}

// exposeToOOM takes from cmd the daemon's protection from being killed when memory
// runs out.
//
// The start of a program ends for us when the kernel closes our files for it. That
// is before the end of execve(2), and until then its files in /proc are root's.
func exposeToOOM(cmd *exec.Cmd) {
	const longest = 64 * time.Millisecond
	for pause := time.Millisecond; ; pause *= 2 {
		var err error
		asAccount(cmd, func() { err = raiseOOMScore(cmd.Process.Pid) })
		if !errors.Is(err, fs.ErrPermission) || pause > longest || hasEnded(cmd.Process.Pid) {
			refuseLimit(cmd, err)
			return
		}
		time.Sleep(pause)
	}
}

// raiseOOMScore raises the score of a process that is below that of others.
func raiseOOMScore(pid int) error {
	name := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	score, err := os.ReadFile(name)
	if err != nil || !bytes.HasPrefix(score, []byte("-")) {
		return err
	}
	return os.WriteFile(name, []byte("0"), 0)
}

// hasEnded reports whether a child of ours that is not reaped has ended.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err != nil || info.Signo != 0
}
