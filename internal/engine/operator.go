package engine

import "context"

// operatorKey is the context key of who asked for a command.
type operatorKey struct{}

// WithOperator notes in ctx who asks, for the event that a command leaves.
func WithOperator(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, operatorKey{}, who)
}

// OperatorOf returns who asks, or "" when nobody was noted: the daemon itself.
func OperatorOf(ctx context.Context) string {
	who, _ := ctx.Value(operatorKey{}).(string)
	return who
}
