package checks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JSON says what a JSON document must hold. The zero JSON wants nothing.
type JSON struct {
	Path   string   // names and numbers of elements, joined by dots: "checks.0.state"
	Values []string // any of them is good; none given: that it is there and not false, null or empty
}

// problem says what is wrong with a document, which is the body of an answer;
// nothing if it is good.
func (j JSON) problem(document []byte) string {
	var v any
	switch err := json.Unmarshal(document, &v); {
	case err != nil && len(document) >= maxHTTPBody:
		return fmt.Sprintf("has %d bytes or more, too many to be read as JSON", maxHTTPBody)
	case err != nil:
		return "is not JSON"
	}
	for name := range strings.SplitSeq(j.Path, ".") {
		var ok bool
		switch in := v.(type) {
		case map[string]any:
			v, ok = in[name]
		case []any:
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(in) {
				v, ok = in[n], true
			}
		}
		if !ok {
			return "has no " + j.Path
		}
	}
	got := jsonText(v)
	switch {
	case len(j.Values) == 0 && (got == "" || got == "false" || got == "null"):
		return fmt.Sprintf("has %s = %s", j.Path, shorten([]byte(got)))
	case len(j.Values) > 0 && !slices.Contains(j.Values, got):
		return fmt.Sprintf("has %s = %s, wanted %s", j.Path, shorten([]byte(got)), strings.Join(j.Values, " or "))
	}
	return ""
}

// jsonText returns a value as an operator would write it.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // what came from JSON goes back
	}
	return string(b)
}
