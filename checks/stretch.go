package checks

import "time"

// patience is how late the schedule may be before it waits for the machine. What
// is late by less is made up for.
const patience = 50 * time.Millisecond

// stretch lets the schedule wait for a machine that cannot keep up, or stood still:
// what is due first is late by patience at most, and all else comes as much
// later. So every monitor finds its interval longer by the same share, in its
// turn, and all stay spread as they were. To make up for everything would start
// ever more at once, and to leave out what is late would leave it to chance whose
// turn does not come.
func (p *Pool) stretch(now time.Time) {
	_, due, ok := p.schedule.First()
	late := p.planned(now).Sub(due)
	if !ok || late <= patience {
		return
	}
	p.clock.lag.add(now, late)
	p.behind += late - patience
	p.leftOut += (late - patience).Seconds() * p.allowed.rate
}

// planned is what the schedule's clock shows at a time: it stands still while the
// schedule waits.
func (p *Pool) planned(now time.Time) time.Time { return now.Add(-p.behind) }
