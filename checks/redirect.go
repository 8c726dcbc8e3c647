package checks

import (
	"fmt"
	"net/url"
	"strings"
)

// follow returns the probe that asks what an answer with this status and
// Location leads to, or why there is none. It asks the same real server, at the
// same port, whatever host is named: that is where a client's next request may
// arrive as well, and whether another machine answers is not its merit.
func (r *httpRunner) follow(status int, location string) (next *httpRunner, problem string) {
	shown := shorten([]byte(location))
	_, path, _ := r.parts()
	base, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Sprintf("redirect from path %s: %v", path, err)
	}
	base.Scheme, base.Host = r.Kind(), "director.invalid"
	to, err := base.Parse(location)
	if err != nil || to.Opaque != "" || to.Host == "" || strings.ContainsFunc(to.Host, func(r rune) bool { return r <= ' ' || r == 127 }) {
		return nil, "redirect to " + shown + ", which is no address"
	}
	if to.Scheme != base.Scheme {
		return nil, "redirect to " + shown + ", which wants another check: " + firstLine([]byte(to.Scheme))
	}
	n := *r
	n.Path = strings.ReplaceAll(to.RequestURI(), " ", "%20") // which a query may have
	if to.Host != base.Host {
		n.Host = to.Host
		n.Headers = deleteHeader(n.Headers, func(h Header) bool { return strings.EqualFold(h.Name, "Host") })
	}
	// RFC 9110, section 15.4: 303 asks for a GET, and so does by long custom what
	// follows a POST.
	if status == 303 && r.Method != "HEAD" || status <= 302 && r.Method == "POST" {
		n.Method, n.RequestBody = "GET", ""
	}
	n.request = n.opening()
	return &n, ""
}

// redirects reports whether a status comes with a Location to ask instead.
func redirects(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}
