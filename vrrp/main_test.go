package vrrp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"go.uber.org/zap"
)

// helperEnv makes the test binary a router of its own: the integration tests
// start it in network namespaces. It holds the Orders as JSON.
const helperEnv = "VRRP_TEST_ORDERS"

func TestMain(m *testing.M) {
	if orders := os.Getenv(helperEnv); orders != "" {
		if err := runHelper(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runHelper runs a Router with the orders. It writes every report as a line of
// JSON, and takes Commands as lines of JSON.
func runHelper(orders string) error {
	var o Orders
	if err := json.Unmarshal([]byte(orders), &o); err != nil {
		return err
	}
	log, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	r := NewRouter(log)
	r.Order(Command{Orders: &o})
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			var c Command
			if err := json.Unmarshal(in.Bytes(), &c); err != nil {
				log.Error("bad command", zap.Error(err))
				continue
			}
			r.Order(c)
		}
	}()
	go func() {
		out := json.NewEncoder(os.Stdout)
		for report := range r.Reports() {
			if err := out.Encode(report); err != nil {
				return
			}
		}
	}()
	return r.Run(context.Background())
}
