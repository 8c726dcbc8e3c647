package checks

// Command is a program that Director runs for its operator: an argument vector,
// never a shell line, and the account whose rights it gets.
type Command struct {
	Argv []string // absolute path first
	Env  []string // in addition to PATH; "NAME=value", sorted
	User string   // empty: the account of the daemon
}
