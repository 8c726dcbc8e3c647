//go:build conformance

package conformance

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"github.com/lvs-director/director/checks"
)

func TestNginx(t *testing.T) {
	l := newLab(t)
	plain, secure, h2c, proxied, old := l.port(), l.port(), l.port(), l.port(), l.port()
	ca, _ := l.certificate()
	conf := l.write("nginx.conf", fmt.Sprintf(`
daemon off;
pid DIR/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;
  server {
    listen %s;
    listen %s http2;
    listen %s proxy_protocol;
    listen %s ssl http2;
    ssl_certificate DIR/cert.pem;
    ssl_certificate_key DIR/key.pem;
    location / { return 200 '{"state":"up"}'; }
    location /busy { return 503; }
    location /moved { return 302 /; }
    location /secure { return 301 https://www.example.net/; }
  }
  server {
    listen %s ssl;
    ssl_protocols TLSv1;
    ssl_ciphers ALL@SECLEVEL=0;
    ssl_certificate DIR/cert.pem;
    ssl_certificate_key DIR/key.pem;
  }
}`, plain, h2c, proxied, secure, old))
	ok := checks.HTTP{Target: plain, JSON: checks.JSON{Path: "state", Values: []string{"up"}}}
	with := func(change func(*checks.HTTP)) checks.HTTP { p := ok; change(&p); return p }
	known := &checks.TLS{CAFile: ca}
	l.start("", ok, "nginx", "-e", "stderr", "-p", l.dir, "-c", conf)
	l.all([]asked{
		{"right", ok, ""},
		{"wrong status", with(func(p *checks.HTTP) { p.Path = "/busy" }), "http status 503, wanted 200-299"},
		{"wrong body", with(func(p *checks.HTTP) { p.JSON.Values = []string{"down"} }), `http body has state = "up", wanted down`},
		{"redirect", with(func(p *checks.HTTP) { p.Path = "/moved" }), "http status 302, wanted 200-299"},
		{"redirect followed", with(func(p *checks.HTTP) { p.Path, p.Redirects = "/moved", 1 }), ""},
		{"redirect to https", with(func(p *checks.HTTP) { p.Path, p.Redirects = "/secure", 1 }), `http redirect to "https://www.example.net/", which wants another check: https`},
		{"https", with(func(p *checks.HTTP) { p.Target, p.TLS = secure, known }), ""},
		{"https, unknown", with(func(p *checks.HTTP) { p.Target, p.TLS = secure, &checks.TLS{} }), "tls: certificate signed by an unknown authority"},
		{"https, another name", with(func(p *checks.HTTP) {
			p.Target, p.TLS = secure, &checks.TLS{CAFile: ca, ServerName: "www.example.net"}
		}), "tls: certificate is not for www.example.net"},
		{"https to a plain port", with(func(p *checks.HTTP) { p.TLS = known }), "tls: the server does not speak TLS"},
		{"plain to a https port", with(func(p *checks.HTTP) { p.Target = secure }), "http status 400, wanted 200-299"},
		{"h2", with(func(p *checks.HTTP) { p.Target, p.TLS, p.HTTP2 = secure, known, true }), ""},
		{"h2, wrong status", with(func(p *checks.HTTP) { p.Target, p.TLS, p.HTTP2, p.Path = secure, known, true, "/busy" }), "http status 503, wanted 200-299"},
		{"h2, not offered", with(func(p *checks.HTTP) {
			p.Target, p.TLS, p.HTTP2 = old, &checks.TLS{CAFile: ca, MinVersion: tls.VersionTLS10}, true
		}), "tls: refused by the server: no application protocol"},
		{"h2c", with(func(p *checks.HTTP) { p.Target, p.HTTP2 = h2c, true }), ""},
		{"h2c to HTTP/1", with(func(p *checks.HTTP) { p.HTTP2 = true }), "http: the server does not speak HTTP/2"},
		{"proxy 1", with(func(p *checks.HTTP) { p.Target, p.Proxy = proxied, 1 }), ""},
		{"proxy 2", with(func(p *checks.HTTP) { p.Target, p.Proxy = proxied, 2 }), ""},
		{"proxy missing", with(func(p *checks.HTTP) { p.Target = proxied }), "http: connection closed by the server"},
		{"old TLS", with(func(p *checks.HTTP) { p.Target, p.TLS = old, known }), "tls: the server speaks no TLS 1.2 or later"},
		{"certificate", checks.Certificate{Target: secure, TLS: *known, MinValid: time.Hour}, ""},
		{"certificate expires", checks.Certificate{Target: secure, TLS: *known, MinValid: 100 * time.Hour}, "tls: certificate expires in 2 days, wanted 4 days"},
	})
}

func TestHAProxy(t *testing.T) {
	l := newLab(t)
	plain, proxied := l.port(), l.port()
	conf := l.write("haproxy.cfg", fmt.Sprintf(`
defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend all
  bind %s
  bind %s accept-proxy
  http-request return status 503 if { path /busy }
  http-request return status 200 content-type text/plain string ok
`, plain, proxied))
	ok := checks.HTTP{Target: proxied, Proxy: 2, Contains: "ok"}
	l.start("", ok, "haproxy", "-db", "-f", conf)
	l.all([]asked{
		{"proxy 2", ok, ""},
		{"proxy 1", checks.HTTP{Target: proxied, Proxy: 1}, ""},
		{"tcp", checks.TCP{Target: proxied, Proxy: 2, Steps: []checks.Step{{Send: "GET / HTTP/1.0\r\n\r\n", Expect: checks.Expect{Matches: "^HTTP/1.1 200"}}}}, ""},
		{"no header", checks.HTTP{Target: proxied}, "http: connection …"},
		{"plain", checks.HTTP{Target: plain}, ""},
		{"h2c", checks.HTTP{Target: plain, HTTP2: true, Contains: "ok"}, ""},
		{"h2c, wrong status", checks.HTTP{Target: plain, HTTP2: true, Path: "/busy"}, "http status 503, wanted 200-299"},
		{"a header not asked for", checks.HTTP{Target: plain, Proxy: 2}, "http status 400, wanted 200-299"},
	})
}
