package worker

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/lvs-director/director/vrrp"
)

// client is a Client of this process on a real system.
type client struct {
	*Client
	t      *testing.T
	cancel context.CancelFunc
	over   chan error
	orders *vrrp.Orders
	heard  []vrrp.Transition
}

func connect(t *testing.T, dir string) *client {
	t.Helper()
	c, err := NewClient(Options{RuntimeDir: dir, Log: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &client{Client: c, t: t, cancel: cancel, over: make(chan error, 1), orders: orders(1)}
	go func() { x.over <- c.Run(ctx) }()
	return x
}

// until beats and reads reports until one satisfies ok.
func (c *client) until(what string, ok func(vrrp.Report) bool) vrrp.Report {
	c.t.Helper()
	limit := time.After(30 * time.Second)
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for {
		c.Order(vrrp.Command{Orders: c.orders})
		select {
		case r := <-c.Reports():
			c.heard = append(c.heard, r.Transitions...)
			if ok(r) {
				return r
			}
		case <-beat.C:
		case <-limit:
			c.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// master waits until a worker reports mastership and returns its process id.
func (c *client) master() int {
	c.t.Helper()
	r := c.until("connected and master", func(r vrrp.Report) bool {
		return r.Connected && len(r.Status) == 1 && r.Status[0].State == vrrp.Master && r.Status[0].Reason != ""
	})
	pid, err := strconv.Atoi(r.Status[0].Reason)
	if err != nil {
		c.t.Fatal(err)
	}
	return pid
}

// stop ends the worker by order.
func (c *client) stop() {
	c.t.Helper()
	c.Order(vrrp.Command{Stop: true})
	limit := time.After(30 * time.Second)
	for {
		select {
		case r := <-c.Reports():
			c.heard = append(c.heard, r.Transitions...)
		case err := <-c.over:
			if err != nil {
				c.t.Errorf("Run: %v", err)
			}
			c.cancel()
			return
		case <-limit:
			c.t.Fatal("an ordered stop took more than 30 s")
		}
	}
}

// crash makes the engine go away; the worker stays.
func (c *client) crash() {
	c.cancel()
	for {
		select {
		case <-c.Reports():
		case <-c.over:
			return
		}
	}
}
