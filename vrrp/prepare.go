package vrrp

import "go.uber.org/zap"

// prepare has everything ready for a takeover on each link, when there is time:
// a backup that cannot take over says so before it must.
func (k *keeper) prepare() {
	if k.prepared {
		return
	}
	was := k.ready
	k.ready = make(map[int]bool)
	for _, l := range k.leases {
		link := l.w.link
		if k.ready[link.index] || link.index == 0 || l.w.owned {
			continue
		}
		if was[link.index] {
			k.ready[link.index] = true
			continue
		}
		if len(k.wishes) > 0 {
			continue // they go first, and then this is done again
		}
		k.ready[link.index] = true
		if err := k.kernel.prepare(link, l.prefix.Addr()); err != nil {
			k.log.Warn("not ready to take over", zap.String("group", l.w.member.name), zap.String("interface", link.name), zap.Error(err))
		}
	}
	k.prepared = true
}
