package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// GRPC is up when a server says, in gRPC's health protocol (grpc.health.v1),
// that it serves.
type GRPC struct {
	Target  netip.AddrPort
	Route   Route
	TLS     *TLS   // nil is none
	Service string // empty is the server as a whole
}

// Kind returns "grpc".
func (GRPC) Kind() string { return "grpc" }

// Key implements Probe.
func (p GRPC) Key() string { return digest(p.Kind(), p) }

// Run implements Probe.
func (p GRPC) Run(ctx context.Context) Observation { return p.compile()(ctx) }

func (p GRPC) compile() runner {
	var secure *tlsClient
	if p.TLS != nil {
		secure = newTLSClient(*p.TLS, "", p.Target, "h2")
	}
	return func(ctx context.Context) Observation {
		a := newAttempt(ctx)
		// We connect ourselves: for our route, for words about what fails, and
		// since gRPC would try again by itself.
		c, err := dial(ctx, p.Target, p.Route)
		if err != nil {
			return a.failed("connect", err)
		}
		defer c.Close()
		var stream net.Conn = c
		if secure != nil {
			if stream, err = secure.handshake(c); err != nil {
				return a.tlsFailed(err)
			}
		}
		return p.ask(ctx, a, stream)
	}
}

func (p GRPC) ask(ctx context.Context, a attempt, stream net.Conn) Observation {
	once := make(chan net.Conn, 1)
	once <- stream
	client, err := grpc.NewClient("passthrough:///"+p.Target.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, net.ErrClosed
			}
		}))
	if err != nil {
		return Observation{Reason: "grpc: " + err.Error(), Ours: true}
	}
	defer client.Close()
	answer, err := healthpb.NewHealthClient(client).Check(ctx, &healthpb.HealthCheckRequest{Service: p.Service})
	latency := time.Since(a.begin)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // which has cut the connection: gRPC may tell of that instead
		}
		seen := a.grpcFailed(err)
		seen.Latency = latency
		return seen
	}
	seen := Observation{Status: answer.GetStatus().String(), Latency: latency}
	if seen.OK = answer.GetStatus() == healthpb.HealthCheckResponse_SERVING; !seen.OK {
		seen.Reason = "grpc: status " + seen.Status + ", wanted SERVING"
	}
	return seen
}

// grpcFailed returns the observation of a call that failed.
func (a attempt) grpcFailed(err error) Observation {
	s := status.FromContextError(err)
	if s.Code() == codes.Unknown {
		s = status.Convert(err)
	}
	words := firstLine([]byte(s.Message()))
	switch s.Code() {
	case codes.DeadlineExceeded, codes.Canceled:
		return a.failed("grpc", os.ErrDeadlineExceeded)
	case codes.NotFound:
		return Observation{Reason: "grpc: the server knows no such service", Status: s.Code().String()}
	case codes.Unimplemented:
		return Observation{Reason: "grpc: the server has no health service", Status: s.Code().String()}
	case codes.Unavailable:
		return a.failed("grpc", errors.New("connection lost: "+words))
	}
	return Observation{Reason: "grpc: " + s.Code().String() + ": " + words, Status: s.Code().String()}
}
