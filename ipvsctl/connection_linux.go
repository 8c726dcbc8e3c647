package ipvsctl

import (
	"fmt"
	"iter"
	"os"
)

// ConnectionTable reads the kernel's connection table.
func (l *Linux) ConnectionTable() iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		var f *os.File
		err := l.inNamespace(func() (err error) {
			f, err = os.Open("/proc/thread-self/net/ip_vs_conn")
			return err
		})
		if err != nil {
			yield(Connection{}, fmt.Errorf("read connections: %w", err))
			return
		}
		defer f.Close()
		for c, err := range ReadConnections(f) {
			if !yield(c, err) {
				return
			}
		}
	}
}
