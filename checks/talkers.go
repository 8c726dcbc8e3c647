package checks

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Nearly all that a dialog costs is spent in the kernel, on both ends of a
// handshake if the network is near, and by the thread that asked for it. So one
// thread can make no more probes than one processor can, however little there
// is to do for us. When Run falls behind with what is due, helpers take from
// the same line, in the same order. They cost nothing while it does not.

// mostTalkers bounds how many hold dialogs: processors are for others too.
const mostTalkers = 4

// atOnce is how many dialogs are begun together: see reactor.start.
const atOnce = 8

// behind is how long the dialogs that are due may keep one talker busy before
// it calls for help.
const behind = time.Millisecond

// beginTalk makes Run's reactor, and its helpers.
func (p *Pool) beginTalk(ctx context.Context, probes *sync.WaitGroup) error {
	first, err := newReactor()
	if err != nil {
		return err
	}
	last := first
	for range min(runtime.GOMAXPROCS(0), mostTalkers) - 1 {
		// Without one it goes slower.
		helper, err := newReactor()
		if err != nil {
			break
		}
		last.helper = helper
		last = helper
		probes.Go(func() { p.help(ctx, helper) })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reactor = first
	return nil
}

// help holds dialogs in r, whenever it is woken, until ctx is done.
func (p *Pool) help(ctx context.Context, r *reactor) {
	defer r.close()
	for ctx.Err() == nil {
		p.talk(r)
		p.ended(ctx, r.wait(time.Now().Add(time.Hour)))
	}
}

// talk starts the dialogs that are due in r, and calls its helper if that takes long.
func (p *Pool) talk(r *reactor) {
	begin, called := time.Now(), r.helper == nil
	for now := begin; ; now = time.Now() {
		more := p.take(r, now)
		if len(r.batch) == 0 {
			return
		}
		if more && !called && now.Sub(begin) > behind {
			called = true
			r.helper.wake()
		}
		r.start()
	}
}

// take takes some of the dialogs that are due for r, and tells whether there are more.
func (p *Pool) take(r *reactor, now time.Time) (more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.calls), atOnce)
	r.batch = append(r.batch[:0], p.calls[:n]...)
	p.calls = slices.Delete(p.calls, 0, n)
	if n > 0 {
		p.clock.busy(now)
	}
	return len(p.calls) > 0
}

// endReactor ends Run's reactor. Its helpers, who learn here that ctx is done,
// end their own.
func (p *Pool) endReactor() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reactor == nil {
		return
	}
	for r := p.reactor.helper; r != nil; r = r.helper {
		r.wake()
	}
	p.reactor.close()
	p.reactor = nil
}
