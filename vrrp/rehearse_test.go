package vrrp

import "testing"

// TestRehearse goes the whole way: advertisements as a new and as an old master,
// every address held and announced.
func TestRehearse(t *testing.T) {
	if s := rehearse(); s.sent < 4 || s.held != 3 || s.announced != 3 {
		t.Errorf("%d advertisements, %d addresses held, %d announced; want 4 at least, 3, 3", s.sent, s.held, s.announced)
	}
}
