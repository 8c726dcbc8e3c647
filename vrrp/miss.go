package vrrp

import (
	"net/netip"
	"slices"

	"go.uber.org/zap"
)

// miss has those addresses put back that somebody else has removed: that were in the
// table before or had been put up before the new one was read, and are not in it.
func (l *loop) miss(is table) {
	had, has := make(map[string]map[netip.Prefix]bool), make(map[string]map[netip.Prefix]bool) // by device
	for _, m := range l.core.members {
		if m.intent != keep {
			continue
		}
		device := m.link.device()
		was, now := l.links[device], is.links[device]
		// Our macvlan may have been removed as a whole.
		gone := m.link.vmac != nil && was.index != 0 && now.index == 0 && is.links[m.link.name].up
		if !gone && (!now.up || was.index != now.index) {
			continue
		}
		if had[device] == nil {
			had[device], has[device] = was.prefixes(), now.prefixes()
		}
		k := l.kept[m]
		known := k.put && k.since.Before(is.began)
		for _, p := range m.group.held() {
			if has[device][p] || !had[device][p] && !(known && slices.Contains(k.held, p)) {
				continue
			}
			l.log.Warn("address was removed by somebody else, putting it back",
				zap.String("group", m.name), zap.Stringer("address", p))
			m.doubt++
			k.held = slices.DeleteFunc(slices.Clone(k.held), func(o netip.Prefix) bool { return o == p })
			l.kept[m] = k
		}
	}
}
