package checks

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"unicode"
)

func TestRedirects(t *testing.T) {
	// The server says 200 to what lies below /end, with the request in its body,
	// and leads on from all else.
	server := func(status int, location string) func(net.Conn) {
		return func(c net.Conn) {
			request := string(readRequest(c))
			if _, path, _ := strings.Cut(request, " "); strings.HasPrefix(path, "/end") {
				_, _ = io.WriteString(c, okHead+"\r\n"+request)
				return
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 %d Go\r\nLocation: %s\r\n\r\n", status, location)
		}
	}
	tests := []httpTest{
		{"absolute path", server(302, "/end?x=1"), HTTP{Redirects: 1, Contains: "GET /end?x=1 "}, "200", ""},
		{"relative path", server(301, "../end"), HTTP{Path: "/a/b", Redirects: 1, Contains: "GET /end "}, "200", ""},
		{"another host, asked here", server(308, "http://www.example.net:81/end"), HTTP{Redirects: 1, Headers: []Header{{"Host", "old"}}, Contains: "Host: www.example.net:81\r\n"}, "200", ""},
		{"the host stays", server(307, "/end"), HTTP{Host: "shop", Redirects: 1, Contains: "Host: shop\r\n"}, "200", ""},
		{"303 is a GET", server(303, "/end"), HTTP{Method: "POST", Redirects: 1, Contains: "GET /end "}, "200", ""},
		{"302 of a POST is a GET", server(302, "/end"), HTTP{Method: "POST", Redirects: 1, Contains: "GET /end "}, "200", ""},
		{"307 keeps the method", server(307, "/end"), HTTP{Method: "POST", Redirects: 1, Contains: "POST /end "}, "200", ""},
		{"wanted as it is", server(302, "/end"), HTTP{Redirects: 1, Status: []StatusRange{{302, 302}}}, "302", ""},

		{"not followed by default", server(302, "/end"), HTTP{}, "302", "http status 302, wanted 200-299"},
		{"without Location", reply("HTTP/1.1 302 Found\r\n\r\n"), HTTP{Redirects: 1}, "302", "http status 302, wanted 200-299"},
		{"no redirect", reply("HTTP/1.1 404 No\r\nLocation: /end\r\n\r\n"), HTTP{Redirects: 1}, "404", "http status 404, wanted 200-299"},
		{"in circles", server(302, "/again"), HTTP{Redirects: 3}, "302", `http redirect to "/again", after 3 that were followed`},
		{"to https", server(301, "https://www.example.net/"), HTTP{Redirects: 3}, "301", `http redirect to "https://www.example.net/", which wants another check: https`},
		{"nowhere", server(301, "http:///"), HTTP{Redirects: 3}, "301", `http redirect to "http:///", which is no address`},
		{"garbage", server(301, "http://a b/%zz"), HTTP{Redirects: 3}, "301", `http redirect to "http://a b/%zz", which is no address`},
		{"wrong at its end", server(302, "/end"), HTTP{Redirects: 1, Contains: "nothing"}, "200", `http body does not contain "nothing"`},
		{"never comes back", func(c net.Conn) {
			if strings.HasPrefix(string(readRequest(c)), "GET / ") {
				_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /slow\r\n\r\n")
				return
			}
			waitForEnd(c)
		}, HTTP{Redirects: 1}, "", "http: no answer in 300ms"},
	}
	testHTTP(t, tests)
}

// FuzzRedirect wants no Location to make a request of more than one line, or
// one that goes elsewhere.
func FuzzRedirect(f *testing.F) {
	f.Add("/a?b#c", 302)
	f.Add("//[fe80::1%25\x0a]/", 303)
	f.Add("http:x", 301)
	f.Add("?\r\nHost: evil", 308)
	r := HTTP{Target: netip.MustParseAddrPort("192.0.2.1:80"), Method: "POST", RequestBody: "abc"}.ready()
	lines := strings.Count(string(HTTP{Target: r.Target}.request()), "\n")
	f.Fuzz(func(t *testing.T, location string, status int) {
		next, problem := r.follow(status, location)
		if (next == nil) != (problem != "") {
			t.Fatalf("%q leads to %v, %q", location, next, problem)
		}
		if next == nil {
			wantSense(t, Observation{Reason: problem})
			return
		}
		head := strings.TrimSuffix(string(next.request), "Content-Length: 3\r\n\r\nabc")
		if head != string(next.request) {
			head += "\r\n"
		}
		line, _, _ := strings.Cut(head, "\r\n")
		if strings.Count(head, "\n") != lines || strings.Count(line, " ") != 2 || strings.ContainsFunc(line, unicode.IsControl) || next.Target != r.Target {
			t.Errorf("%q leads to the request %q", location, next.request)
		}
	})
}
