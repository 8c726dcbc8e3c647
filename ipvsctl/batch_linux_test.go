package ipvsctl

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestExplainOp says what the kernel's numbers mean, for those that ip_vs_genl_set_cmd returns.
func TestExplainOp(t *testing.T) {
	service := Service{Scheduler: "wlc"}
	for _, tt := range []struct {
		kind  OpKind
		errno syscall.Errno
		want  string
	}{
		{AddService, unix.ENOENT, "the kernel has no scheduler wlc (module ip_vs_wlc): no such file or directory"},
		{AddService, unix.EEXIST, "the service exists already: file exists"},
		{EditService, unix.ESRCH, "no such service: no such process"},
		{DeleteService, unix.ESRCH, "no such service: no such process"},
		{AddDestination, unix.ESRCH, "no such service: no such process"},
		{AddDestination, unix.EEXIST, "the destination exists already: file exists"},
		{EditDestination, unix.ENOENT, "no such destination: no such file or directory"},
		{DeleteDestination, unix.ENOENT, "no such destination: no such file or directory"},
		{AddDestination, unix.ERANGE, "weight 0 or connection limits 0 to 0 out of range: numerical result out of range"},
		{StopDaemon, unix.ESRCH, "it does not run: no such process"},
		{StartDaemon, unix.EEXIST, "it runs already: file exists"},
		{StartDaemon, unix.ENODEV, "no such device"},
		{AddService, unix.ENOMEM, "cannot allocate memory"},
	} {
		err := explainOp(Op{Kind: tt.kind, Service: service}, tt.errno)
		if err.Error() != tt.want || !errors.Is(err, tt.errno) {
			t.Errorf("%v, %d: %q, want %q", tt.kind, tt.errno, err, tt.want)
		}
	}
}
