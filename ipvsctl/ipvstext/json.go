package ipvstext

import (
	"encoding/json"
	"io"
	"iter"
	"time"

	"github.com/cloudflare/ipvs"

	"github.com/lvs-director/director/ipvsctl"
)

// The JSON of a listing. Durations are seconds, and what is not set is left out.
type (
	jsonService struct {
		Protocol     string            `json:"protocol,omitempty"`
		Address      string            `json:"address,omitempty"`
		FWMark       uint32            `json:"fwmark,omitempty"`
		Family       string            `json:"family"`
		Scheduler    string            `json:"scheduler"`
		Flags        string            `json:"scheduler_flags,omitempty"`
		OnePacket    bool              `json:"one_packet,omitempty"`
		Persistence  *jsonPersistence  `json:"persistence,omitempty"`
		Stats        jsonStats         `json:"stats"`
		Destinations []jsonDestination `json:"destinations"`
	}
	jsonPersistence struct {
		Timeout int64  `json:"timeout"`
		Prefix  uint8  `json:"prefix"`
		Engine  string `json:"engine,omitempty"`
	}
	jsonDestination struct {
		Address        string    `json:"address"`
		Forward        string    `json:"forward"`
		Tunnel         string    `json:"tunnel,omitempty"`
		Weight         uint32    `json:"weight"`
		UpperThreshold uint32    `json:"upper_threshold,omitempty"`
		LowerThreshold uint32    `json:"lower_threshold,omitempty"`
		Active         uint32    `json:"active_connections"`
		Inactive       uint32    `json:"inactive_connections"`
		Persistent     uint32    `json:"persistent_connections"`
		Stats          jsonStats `json:"stats"`
	}
	jsonStats struct {
		Connections uint64 `json:"connections"`
		InPackets   uint64 `json:"in_packets"`
		OutPackets  uint64 `json:"out_packets"`
		InBytes     uint64 `json:"in_bytes"`
		OutBytes    uint64 `json:"out_bytes"`
		Rates       struct {
			Connections uint64 `json:"connections"`
			InPackets   uint64 `json:"in_packets"`
			OutPackets  uint64 `json:"out_packets"`
			InBytes     uint64 `json:"in_bytes"`
			OutBytes    uint64 `json:"out_bytes"`
		} `json:"per_second"`
	}
	jsonConnection struct {
		Protocol    string `json:"protocol"`
		Client      string `json:"client"`
		Virtual     string `json:"virtual"`
		Destination string `json:"destination"`
		State       string `json:"state"`
		Expires     int64  `json:"expires"`
		Engine      string `json:"engine,omitempty"`
		EngineData  string `json:"engine_data,omitempty"`
	}
)

// ListJSON writes the services with everything that is known of them, as an array.
func ListJSON(w io.Writer, entries []ipvsctl.ServiceEntry) error {
	Sort(entries)
	services := make([]jsonService, 0, len(entries))
	for _, e := range entries {
		services = append(services, serviceJSON(e))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(services)
}

func serviceJSON(e ipvsctl.ServiceEntry) jsonService {
	s := jsonService{
		FWMark: e.Service.ID.FWMark, Family: "inet",
		Scheduler: e.Service.Scheduler, Flags: e.Service.SchedulerFlags(),
		OnePacket: e.Service.Flags&ipvsctl.OnePacket != 0,
		Stats:     statsJSON(e.Stats), Destinations: []jsonDestination{},
	}
	if e.Service.ID.AddressFamily() == ipvsctl.IPv6 {
		s.Family = "inet6"
	}
	if s.FWMark == 0 {
		s.Protocol, s.Address = e.Service.ID.Protocol.String(), e.Service.ID.Addr.String()
	}
	if p := e.Service.Persistence; p.Timeout != 0 {
		s.Persistence = &jsonPersistence{Timeout: int64(p.Timeout / time.Second), Prefix: p.Prefix, Engine: p.Engine}
	}
	for _, d := range e.Destinations {
		j := jsonDestination{
			Address: d.Destination.Addr.String(), Forward: d.Destination.Forward.String(),
			Weight: d.Destination.Weight, UpperThreshold: d.Destination.Upper, LowerThreshold: d.Destination.Lower,
			Active: d.Active, Inactive: d.Inactive, Persistent: d.Persistent, Stats: statsJSON(d.Stats),
		}
		if d.Destination.Forward == ipvsctl.TUN {
			j.Tunnel = tunnelName(d.Destination)
		}
		s.Destinations = append(s.Destinations, j)
	}
	return s
}

func statsJSON(s ipvs.Stats) jsonStats {
	j := jsonStats{
		Connections: s.Connections, InPackets: s.IncomingPackets, OutPackets: s.OutgoingPackets,
		InBytes: s.IncomingBytes, OutBytes: s.OutgoingBytes,
	}
	j.Rates.Connections, j.Rates.InPackets, j.Rates.OutPackets = s.ConnectionRate, s.IncomingPacketRate, s.OutgoingPacketRate
	j.Rates.InBytes, j.Rates.OutBytes = s.IncomingByteRate, s.OutgoingByteRate
	return j
}

// ConnectionsJSON writes the connection table, one object a line.
func ConnectionsJSON(w io.Writer, connections iter.Seq2[ipvsctl.Connection, error]) error {
	enc := json.NewEncoder(w)
	for c, err := range connections {
		if err != nil {
			return err
		}
		err := enc.Encode(jsonConnection{
			Protocol: c.Protocol, Client: c.Client.String(), Virtual: c.Virtual.String(), Destination: c.Destination.String(),
			State: c.State, Expires: int64(c.Expires / time.Second), Engine: c.Engine, EngineData: c.EngineData,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
