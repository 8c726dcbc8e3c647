package vrrp

import "slices"

// numbersAtOnce is how many groups a report tells of although nothing has
// changed but what is counted. To tell of hundreds of groups in each report
// costs both processes more than all their advertisements.
const numbersAtOnce = 25

// telling is what the reader of the reports knows.
type telling struct {
	members []*member // of the last whole report
	turn    int       // whose numbers are next
}

// news adds to a report the groups that are otherwise than their reader was told,
// and, if there is room for numbers, those whose turn it is. It returns whom the
// report tells of.
func (l *loop) news(r *Report, all []*member, numbers bool, status func(*member) Status) []*member {
	r.Whole = !slices.Equal(all, l.told.members)
	var told []*member
	for i, m := range all {
		turn := (i-l.told.turn+len(all))%len(all) < numbersAtOnce && (numbers || len(all) <= numbersAtOnce)
		if s := status(m); r.Whole || turn || s.differs(m.told) {
			r.Status, told = append(r.Status, s), append(told, m)
		}
	}
	r.Whole = len(told) == len(all)
	return told
}

// taken notes that the reader has a report, which tells of some of the members.
func (t *telling) taken(r Report, numbers bool, all, told []*member) {
	for i, m := range told {
		m.told = r.Status[i]
	}
	t.members = all
	if numbers && len(all) > 0 {
		t.turn = (t.turn%len(all) + numbersAtOnce) % len(all)
	}
}

// differs tells whether a status says more than another one, apart from what is
// only counted.
func (s *Status) differs(o Status) bool {
	return s.Group != o.Group || s.State != o.State || !s.Since.Equal(o.Since) || s.Reason != o.Reason ||
		s.Priority != o.Priority || s.MasterAddr != o.MasterAddr || s.MasterPrio != o.MasterPrio ||
		!slices.Equal(s.Addresses, o.Addresses) || s.Routes != o.Routes || s.Rules != o.Rules || s.Closed != o.Closed ||
		!slices.Equal(s.Tracks, o.Tracks) || s.Split != o.Split || s.Stranger != o.Stranger
}
