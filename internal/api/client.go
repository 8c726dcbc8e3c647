package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-director/director/internal/engine"
)

// maxAnswer bounds what the client reads of one answer but a stream.
const maxAnswer = 256 << 20

// patience is how long a daemon may take to begin an answer: it has all of them at
// hand, but for those of commands.
const patience = 10 * time.Second

// Client speaks to a running daemon.
type Client struct {
	socket   string
	http     *http.Client
	commands *http.Client // for what may take the daemon commandTimeout
}

// NewClient returns a client of the daemon at a unix socket. It does not connect yet.
func NewClient(socket string) *Client { return newClient(socket, patience, commandTimeout+patience) }

func newClient(socket string, answers, commands time.Duration) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: 5 * time.Second}
		return d.DialContext(ctx, "unix", socket)
	}
	client := func(answer time.Duration) *http.Client {
		return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 1, ResponseHeaderTimeout: answer}}
	}
	return &Client{socket: socket, http: client(answers), commands: client(commands)}
}

// Close lets go of idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.commands.CloseIdleConnections()
}

// Status returns the daemon's snapshot.
func (c *Client) Status(ctx context.Context) (*engine.Status, error) {
	status := new(engine.Status)
	if err := c.exchange(ctx, http.MethodGet, "/v1/status", nil, status); err != nil {
		return nil, err
	}
	return status, nil
}

// Reload makes the daemon read its configuration again. The error is why it refused.
func (c *Client) Reload(ctx context.Context) error {
	return c.exchange(ctx, http.MethodPost, "/v1/reload", nil, nil)
}

// Failover makes the daemon hand over the groups it is master of; none named is all.
func (c *Client) Failover(ctx context.Context, groups []string) error {
	return c.exchange(ctx, http.MethodPost, "/v1/failover", failoverRequest{Groups: groups}, nil)
}

// SetOverride says what an operator wants of some real servers, and returns for
// how many that is something new.
func (c *Client) SetOverride(ctx context.Context, o Override) (int, error) {
	var body changed
	err := c.exchange(ctx, http.MethodPut, "/v1/override", o, &body)
	return body.Changed, err
}

// Connections returns how many connections the named real servers have.
func (c *Client) Connections(ctx context.Context, virtualServer, realServer string) (int, error) {
	v := url.Values{"virtual_server": {virtualServer}, "real_server": {realServer}}
	var body connections
	err := c.exchange(ctx, http.MethodGet, "/v1/connections?"+v.Encode(), nil, &body)
	return body.Connections, err
}

// LogLevel returns the level of the daemon's log.
func (c *Client) LogLevel(ctx context.Context) (string, error) {
	var body logLevel
	err := c.exchange(ctx, http.MethodGet, "/v1/log-level", nil, &body)
	return body.Level, err
}

// SetLogLevel changes the level of the daemon's log until it ends.
func (c *Client) SetLogLevel(ctx context.Context, level string) error {
	return c.exchange(ctx, http.MethodPut, "/v1/log-level", logLevel{Level: level}, nil)
}

// Events yields the events that q wants. It ends after the past ones, or with
// q.Follow when ctx is done or the daemon stops; an error is the last it yields.
func (c *Client) Events(ctx context.Context, q Query) iter.Seq2[engine.Event, error] {
	return func(yield func(engine.Event, error) bool) {
		response, err := c.send(ctx, http.MethodGet, "/v1/events?"+q.Values().Encode(), nil)
		if err != nil {
			yield(engine.Event{}, err)
			return
		}
		defer response.Body.Close()
		body := io.Reader(response.Body)
		if !q.Follow {
			// At once: whoever reads them may take his time, which the daemon does not.
			past, err := io.ReadAll(io.LimitReader(body, maxAnswer))
			if err != nil {
				yield(engine.Event{}, fmt.Errorf("read events: %w", err))
				return
			}
			body = bytes.NewReader(past)
		}
		for d := json.NewDecoder(body); ; {
			var e engine.Event
			switch err := d.Decode(&e); {
			case errors.Is(err, io.EOF), ctx.Err() != nil:
				return
			case err != nil:
				yield(engine.Event{}, fmt.Errorf("read events: %w", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// exchange sends one request and decodes the answer into out, if that is not nil.
func (c *Client) exchange(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read answer of director: %w", err)
	}
	return nil
}

// send returns a successful response; any other is an error in the daemon's words.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://director"+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	client := c.http
	if method == http.MethodPost {
		client = c.commands
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, c.explain(ctx, method, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
	var no refusal
	if json.Unmarshal(text, &no) != nil || no.Error == "" {
		no.Error = fmt.Sprintf("director answered %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return nil, &RefusedError{Code: response.StatusCode, Reason: no.Error}
}

// RefusedError is an answer of the daemon that is not a success.
type RefusedError struct {
	Code   int // the HTTP status
	Reason string
}

// Error returns the daemon's reason as it stands.
func (e *RefusedError) Error() string { return e.Reason }

// explain says what a failure to connect means for the one at the keyboard.
func (c *Client) explain(ctx context.Context, method string, err error) error {
	var silent net.Error
	switch {
	case errors.As(err, &silent) && silent.Timeout() && ctx.Err() == nil:
		may := ""
		if method != http.MethodGet {
			may = "; what it was asked for may still be done"
		}
		return fmt.Errorf("director at %s does not answer: it is stopped or hangs%s", c.socket, may)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no director is running at %s: %w", c.socket, syscall.ENOENT)
	case errors.Is(err, syscall.ECONNREFUSED):
		if info, serr := os.Stat(c.socket); serr == nil && info.Mode()&fs.ModeSocket == 0 {
			return fmt.Errorf("no director is running at %s: it is no socket: %w", c.socket, syscall.ENOTSOCK)
		}
		return fmt.Errorf("no director is running at %s (it left its socket behind): %w", c.socket, syscall.ECONNREFUSED)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for %s; its owner and group have it: %w", c.socket, syscall.EACCES)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("director ended without an answer: %w", err)
	}
	return fmt.Errorf("ask director: %w", err)
}
