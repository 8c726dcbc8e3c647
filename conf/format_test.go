package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	got, err := Format("x.hcl", []byte("a   = 1\nbcd= 2 # x\nb \"c\" {\nd=[1,\n2]\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "a   = 1\nbcd = 2 # x\nb \"c\" {\n  d = [1,\n  2]\n}\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = Format("x.hcl", []byte("a = \n"))
	if err == nil || !strings.HasPrefix(err.Error(), "x.hcl:1: ") {
		t.Errorf("Format of what cannot be parsed: %v", err)
	}
}
