package checks

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsTypes are the names of types of records, from IANA's registry. Types of
// zone transfers and of what is no record (OPT, TSIG) cannot be asked for.
var dnsTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "NS": dnsmessage.TypeNS, "CNAME": dnsmessage.TypeCNAME, "SOA": dnsmessage.TypeSOA, "PTR": dnsmessage.TypePTR,
	"HINFO": 13, "MX": dnsmessage.TypeMX, "TXT": dnsmessage.TypeTXT, "RP": 17, "AFSDB": 18, "AAAA": dnsmessage.TypeAAAA, "LOC": 29,
	"SRV": dnsmessage.TypeSRV, "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45,
	"RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53, "HIP": 55,
	"CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65, "SPF": 99, "EUI48": 108,
	"EUI64": 109, "ANY": dnsmessage.TypeALL, "URI": 256, "CAA": 257, "AVC": 258, "AMTRELAY": 260, "TA": 32768, "DLV": 32769,
}

// DNSType returns the number of a type of records: by its name, or as TYPE123
// (RFC 3597, section 5). It is false for what no question can ask for.
func DNSType(name string) (number uint16, ok bool) {
	name = strings.ToUpper(name)
	if t, ok := dnsTypes[name]; ok {
		return uint16(t), true
	}
	digits, ok := strings.CutPrefix(name, "TYPE")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return 0, false
	}
	switch {
	// OPT, then TKEY, TSIG, IXFR, AXFR, MAILB and MAILA (RFC 6895, section 3.1).
	case n == 0, n == uint64(dnsmessage.TypeOPT), n >= 249 && n <= 254, n == 0xffff:
		return 0, false
	}
	return uint16(n), true
}

// dnsUnknown returns the data of a record as text for any type (RFC 3597,
// section 5): `\# 4 c0000207`.
func dnsUnknown(data []byte) string {
	return strings.TrimSpace(fmt.Sprintf(`\# %d %s`, len(data), hex.EncodeToString(data)))
}

// sameUnknown compares two such texts: the hexadecimal digits may be in groups.
func sameUnknown(a, b string) bool {
	digits := func(s string) (length, rest string) {
		words := strings.Fields(strings.ToLower(s))
		if len(words) < 2 || words[0] != `\#` {
			return "", s
		}
		return words[1], strings.Join(words[2:], "")
	}
	lengthA, restA := digits(a)
	lengthB, restB := digits(b)
	return lengthA != "" && lengthA == lengthB && restA == restB
}
