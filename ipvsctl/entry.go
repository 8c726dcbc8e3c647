package ipvsctl

import "github.com/cloudflare/ipvs"

// ServiceEntry is a service as the kernel lists it, with what it has counted.
type ServiceEntry struct {
	Service      Service // its Destinations are empty
	Stats        ipvs.Stats
	Destinations []DestinationEntry // in the kernel's order, the newest first
}

// DestinationEntry is a destination as the kernel lists it, with what it has counted.
type DestinationEntry struct {
	Destination Destination
	Active      uint32 // established connections
	Inactive    uint32 // all others that the table still holds
	Persistent  uint32 // templates that hold clients to it
	Stats       ipvs.Stats
}
