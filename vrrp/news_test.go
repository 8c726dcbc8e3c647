package vrrp

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestStatusDiffers: every field of a status is news when it changes, but for
// those that only count.
func TestStatusDiffers(t *testing.T) {
	counted := []string{"Stats", "LatenessMax", "LastAdvertAt"}
	for i := range reflect.TypeFor[Status]().NumField() {
		var s Status
		f := reflect.TypeFor[Status]().Field(i)
		set(t, reflect.ValueOf(&s).Elem().Field(i))
		if got, want := s.differs(Status{}), !slices.Contains(counted, f.Name); got != want {
			t.Errorf("%s: differs is %v, want %v", f.Name, got, want)
		}
		if s.differs(s) {
			t.Errorf("%s: differs from itself", f.Name)
		}
	}
}

// set makes a value another than zero.
func set(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.IPv6Loopback()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		set(t, v.Field(0))
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// TestReportsTellDifferences: of 100 groups a report tells of all at first and of a
// quarter later, by turns, so that nobody's numbers are older than four
// seconds; and of what happens to a group at once.
func TestReportsTellDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups = 4 * numbersAtOnce
		n := newLAN()
		h := n.add()
		var list []Group
		for i := range groups {
			g := front(150)
			g.Name, g.RouterID, g.Interval = fmt.Sprintf("r%d", i), uint8(i+1), time.Second
			g.Addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.0.1.%d/32", i+1))}
			list = append(list, g)
		}
		o := orders(list...)
		r := h.boot(t, o)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		reports := r.heard()
		if first := reports[0]; !first.Whole || len(first.Status) != groups {
			t.Errorf("the first report is of %d groups, whole %v", len(first.Status), first.Whole)
		}

		before := time.Now()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		reports = r.heard()
		turn := make(map[string]int)
		for _, rep := range reports {
			if rep.Whole || len(rep.Status) != numbersAtOnce {
				t.Errorf("a report is of %d groups, whole %v, want %d", len(rep.Status), rep.Whole, numbersAtOnce)
			}
			for _, s := range rep.Status {
				turn[s.Group]++
				if s.Stats.Sent == 0 || s.Since.After(before) {
					t.Errorf("%s: %d sent, %s since %s", s.Group, s.Stats.Sent, s.State, s.Since)
				}
			}
		}
		if len(turn) != groups {
			t.Errorf("%d of %d groups have had their turn in %d reports", len(turn), groups, len(reports))
		}

		// Orders without a group: the reader learns that it has gone.
		less := orders(list[1:]...)
		r.Order(Command{Orders: &less})
		time.Sleep(10 * time.Second) // it leaves by rule
		synctest.Wait()
		reports = r.heard()
		if !slices.ContainsFunc(reports, func(rep Report) bool { return rep.Whole && len(rep.Status) == groups-1 }) {
			t.Error("no report is of all the groups that are left")
		}
		if r.status("r0").Group != "" || r.status("r1").State != Master {
			t.Errorf("the reader knows of r0 %v, of r1 %v", r.status("r0").Group, r.status("r1").State)
		}

		// A group that is otherwise is told of whoever's turn it is.
		less.Config.Groups = slices.Clone(less.Config.Groups)
		less.Config.Groups[50].Priority = 140
		r.Order(Command{Orders: new(less)})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.status(less.Config.Groups[50].Name).Priority; got != 140 {
			t.Errorf("priority %d is told, want 140", got)
		}
		r.end()
	})
}

// TestLookAtMany looks at no more than some of many groups at a time, unless all are
// to be told of, and tells of those that have changed and of those whose turn it is.
func TestLookAtMany(t *testing.T) {
	all := stillLoop(t, many(250)...).core.members
	for i, m := range all {
		m.told = Status{Group: m.name, Priority: uint8(i % 50 / 49)} // every fiftieth was another
	}
	for _, test := range []struct {
		name         string
		s            survey
		turn         int
		looks, tells int
	}{
		{"changes", survey{all: all}, 0, 10, 5},
		{"and numbers", survey{all: all, numbers: true}, 10, 10, 5 + numbersAtOnce},
		{"and numbers, from the last on", survey{all: all, numbers: true}, 249, 10, 5 + numbersAtOnce - 1},
		{"of all", survey{all: all, whole: true}, 0, 1, 250},
		{"of few, numbers always", survey{all: all[:numbersAtOnce]}, 0, 1, numbersAtOnce},
		{"of nobody", survey{}, 0, 1, 0},
	} {
		looks, asked := 1, 0
		status := func(m *member) Status { asked++; return Status{Group: m.name} }
		for ; !test.s.look(test.turn, status); looks++ {
			if asked != looks*lookedAt {
				t.Fatalf("%s: %d groups at the %d. look", test.name, asked, looks)
			}
		}
		if looks != test.looks || asked != len(test.s.all) || len(test.s.told) != test.tells || len(test.s.status) != test.tells {
			t.Errorf("%s: %d looks at %d groups, of %d and %d told, want %d and %d", test.name, looks, asked,
				len(test.s.told), len(test.s.status), test.looks, test.tells)
		}
	}
}

// TestSurveyOfOthers: groups that are given other orders while they are looked at
// are looked at again, and soon.
func TestSurveyOfOthers(t *testing.T) {
	l := stillLoop(t, many(250)...)
	now := time.Now()
	l.fit()
	l.told.members = l.core.known()
	l.tell(now, true)
	if l.survey.seen != lookedAt || l.deadline().After(now) {
		t.Fatalf("%d groups looked at, want %d and the others at once", l.survey.seen, lookedAt)
	}
	l.apply(now)
	if l.survey.seen != 0 || !l.tellAt.Equal(now.Add(gathering)) {
		t.Errorf("%d groups of the old orders looked at, a report in %v", l.survey.seen, l.tellAt.Sub(now))
	}
}

// TestAdvertisementsBeforeReports: what is due at the same time as the report of the
// second is not sent after it.
func TestAdvertisementsBeforeReports(t *testing.T) {
	l := stillLoop(t, many(250)...)
	l.told.members = l.core.known()
	now := l.core.next()
	l.lastState = now.Add(-statusEvery)
	l.fire(now)
	if sent := l.core.members[0].sent; sent != 1 || len(l.core.effects) > 0 {
		t.Errorf("%d advertisements sent, %d effects left when the report is written", sent, len(l.core.effects))
	}
	if l.survey.seen == 0 {
		t.Error("no report was due")
	}
}
