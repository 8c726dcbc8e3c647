package ipvstext

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lvs-director/director/ipvsctl"
)

const (
	maxRule   = 4 << 10 // bytes, far longer than any rule
	maxErrors = 20      // lines that are wrong before the rest is not read
)

// Restore reads the rules that ipvsadm --save has written, one a line, as
// operations. Empty lines and those that begin with # are skipped. The error
// names the first lines that are wrong.
func Restore(r io.Reader) ([]ipvsctl.Op, error) {
	var ops []ipvsctl.Op
	var errs []error
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxRule), maxRule)
	n := 0
	for len(errs) < maxErrors && lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		op, err := ParseRule(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		ops = append(ops, op)
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, fmt.Errorf("line %d: %w", n+1, err))
	}
	return ops, errors.Join(errs...)
}
