package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvs-director/director/conf"
)

// A server without checks is up because the configuration says so. Ten thousand
// of them are not ten thousand events; but one that a reload frees from the
// check that held it down is.
func TestServerWithoutChecksIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool(2))
		w.start()
		w.after(time.Second)
		w.table("1=1 2=2")
		if got := w.events(KindReal); len(got) != 0 {
			t.Errorf("events of servers that were never in doubt: %q", got)
		}
		w.stop(errSignal)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.VirtualServers = []*conf.VirtualServer{w.checked(pool(1, remove))}
		w.servers.set("10.0.0.1", "gone")
		w.start()
		w.after(2 * time.Second)
		w.reload(pool(1, remove))
		w.table("1=1")
		got := w.events(KindReal)
		if len(got) != 2 || got[1] != "10.0.0.1:80 down>up" {
			t.Errorf("events %q, want that it is up again", got)
		}
		w.stop(errSignal)
	})
}
