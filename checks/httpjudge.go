package checks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// judge returns the verdict on what has come so far; nil if more is needed. A
// status that is not wanted decides before the rest has come.
func (r *httpRunner) judge(b []byte, readErr error) *verdict {
	a, complete, err := parseHTTP(b, errors.Is(readErr, io.EOF), r.wants)
	if err == nil && !complete {
		err = readErr
	}
	return r.rate(a, complete, err)
}

// rate returns the verdict on an answer, of which so much has come; nil if more
// is needed.
func (r *httpRunner) rate(a httpAnswer, complete bool, err error) *verdict {
	if a.status < 200 && a.status != 101 {
		if err != nil {
			return &verdict{err: err}
		}
		return nil
	}
	v := &verdict{seen: Observation{Status: strconv.Itoa(a.status)}}
	switch {
	case !r.wanted(a.status):
		v.seen.Reason = fmt.Sprintf("http status %d, wanted %s", a.status, r.ranges())
		if location, ok := field(a.header, "Location"); ok && redirects(a.status) {
			v.status, v.location = a.status, string(location)
		}
	case err != nil:
		v.err = err
	case !complete:
		return nil
	case !bytes.Contains(a.body, []byte(r.Contains)):
		v.seen.Reason = fmt.Sprintf("http body does not contain %q%s", r.Contains, within(a.body))
	case r.matches != nil && !r.matches.Match(a.body):
		v.seen.Reason = fmt.Sprintf("http body does not match %q%s", r.Matches, within(a.body))
	default:
		v.seen.Reason = r.problem(a, &v.seen)
		v.seen.OK = v.seen.Reason == ""
	}
	return v
}

// within says of how much of a body something holds, if there may be more.
func within(body []byte) string {
	if len(body) < maxHTTPBody {
		return ""
	}
	return fmt.Sprintf(" in its first %d bytes", maxHTTPBody)
}

// problem says what else is wrong with an answer, and takes its weight.
func (r *httpRunner) problem(a httpAnswer, seen *Observation) string {
	if r.JSON.Path != "" {
		if problem := r.JSON.problem(a.body); problem != "" {
			return "http body " + problem
		}
	}
	if r.SHA256 != "" {
		if problem := digestProblem(a.body, r.SHA256); problem != "" {
			return "http body " + problem
		}
	}
	switch value, ok := field(a.header, r.WeightHeader); {
	case r.WeightHeader != "" && ok:
		weight, ok := parseWeight(string(value))
		if !ok {
			return fmt.Sprintf("http header %s is %s, wanted a weight", r.WeightHeader, shorten(value))
		}
		seen.Weight = &weight
	case r.WeightBody:
		first, _, _ := bytes.Cut(bytes.TrimSpace(a.body), []byte{'\n'})
		word, _, _ := strings.Cut(string(first), " ")
		weight, ok := parseWeight(strings.TrimSpace(word))
		if !ok {
			return fmt.Sprintf("http body begins with %s, wanted a weight", shorten([]byte(word)))
		}
		seen.Weight = &weight
	}
	return ""
}

// digestProblem says why a body does not have a digest, if it does not.
func digestProblem(body []byte, want string) string {
	if len(body) >= maxHTTPBody {
		return fmt.Sprintf("has %d bytes or more, of which no digest is made", maxHTTPBody)
	}
	sum := sha256.Sum256(body)
	if got := hex.EncodeToString(sum[:]); got != want {
		return fmt.Sprintf("has the digest %s…, wanted %s…", got[:12], want[:12])
	}
	return ""
}

func (r *httpRunner) wanted(status int) bool {
	for _, s := range r.Status {
		if s.From <= status && status <= s.To {
			return true
		}
	}
	return false
}

func (r *httpRunner) ranges() string {
	words := make([]string, len(r.Status))
	for i, s := range r.Status {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}
