package vrrp

import (
	"slices"
	"time"
)

// numbersAtOnce is how many groups a report tells of although nothing has
// changed but what is counted. To tell of hundreds of groups in each report
// costs both processes more than all their advertisements.
const numbersAtOnce = 25

// telling is what the reader of the reports knows.
type telling struct {
	members []*member // of the last whole report
	turn    int       // whose numbers are next
}

// lookedAt is how many groups are looked at before anything else has its turn: to
// look at hundreds takes longer than an advertisement should be late.
const lookedAt = 25

// survey is a look at all groups for a report. The zero survey has not begun.
type survey struct {
	began   time.Time
	all     []*member
	whole   bool // it tells of all of them
	numbers bool // and of numbers, of those whose turn it is
	seen    int  // how many have been looked at
	told    []*member
	status  []Status // of those
}

// look looks at some more of the groups, at all of them if it is to tell of all: it
// adds those that are otherwise than the reader was told and, if there is room for
// numbers, those whose turn it is. It returns whether that was the last of them.
func (s *survey) look(turn int, status func(*member) Status) bool {
	n := len(s.all)
	until := min(s.seen+lookedAt, n)
	if s.whole {
		until = n
	}
	for ; s.seen < until; s.seen++ {
		m := s.all[s.seen]
		counts := (s.seen-turn+n)%n < numbersAtOnce && (s.numbers || n <= numbersAtOnce)
		if is := status(m); s.whole || counts || is.differs(m.told) {
			s.status, s.told = append(s.status, is), append(s.told, m)
		}
	}
	return s.seen == n
}

// taken notes that the reader has the report of a survey.
func (t *telling) taken(s *survey) {
	for i, m := range s.told {
		m.told = s.status[i]
	}
	t.members = s.all
	if n := len(s.all); s.numbers && n > 0 {
		t.turn = (t.turn%n + numbersAtOnce) % n
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
