package ipvstext

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/lvs-director/director/ipvsctl"
)

// Connections writes the connection table as ipvsadm -Lnc does, with the
// persistence engine's data as with --persistent-conn, and with names as without -n
// unless they are nil. It ends with the first error.
func Connections(w io.Writer, connections iter.Seq2[ipvsctl.Connection, error], persistent bool, names *Names) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "IPVS connection entries")
	if persistent {
		fmt.Fprintf(b, "pro expire %-11s %-18s %-18s %-18s %-16s %s\n", "state", "source", "virtual", "destination", "pe name", "pe_data")
	} else {
		fmt.Fprintf(b, "pro expire %-11s %-18s %-18s %s\n", "state", "source", "virtual", "destination")
	}
	for c, err := range connections {
		if err != nil {
			return err
		}
		client, virtual, destination := names.addrPort(c.Client, c.Protocol), names.addrPort(c.Virtual, c.Protocol), names.addrPort(c.Destination, c.Protocol)
		expires := fmt.Sprintf("%02d:%02d", c.Expires/time.Minute, c.Expires%time.Minute/time.Second)
		if persistent && c.Engine != "" {
			fmt.Fprintf(b, "%-3s %-6s %-11s %-18s %-18s %-16s %-18s %s\n",
				c.Protocol, expires, c.State, client, virtual, destination, c.Engine, c.EngineData)
		} else {
			fmt.Fprintf(b, "%-3s %-6s %-11s %-18s %-18s %s\n", c.Protocol, expires, c.State, client, virtual, destination)
		}
	}
	return b.Flush()
}
