package conf

import "github.com/lvs-director/director/checks"

// serviceVariants are the checks of services that have a protocol of their own.
var serviceVariants = []variant[*check]{
	redisVariant, mysqlVariant, pgsqlVariant, ldapVariant, radiusVariant, sipVariant, grpcVariant,
}

type redisCheck = networkCheck[checks.Redis]

var redisVariant = networkVariant(
	schema[redisCheck]{
		kind: "redis",
		doc:  "Up when a Redis server answers PING, after a login if there is a password.",
		keys: append([]key[redisCheck]{
			text("user", func(c *redisCheck) *string { return &c.probe.User }, "who logs in").by("the default user"),
		}, secretKeys("password", func(c *redisCheck) *string { return &c.probe.Password }, "without one there is no login")...),
		blocks: []inner[redisCheck]{optionalTLS(func(c *redisCheck) **checks.TLS { return &c.probe.TLS })},
	},
	checks.Redis{},
	func(d *decoder, b *block, c *redisCheck) {
		if c.probe.User != "" && c.probe.Password == "" {
			d.fail(b.where("user"), "user: want a password, too")
		}
		b.onlyOne(d, "password", "password_file")
	},
	func(p checks.Redis, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type mysqlCheck = networkCheck[checks.MySQL]

var mysqlVariant = networkVariant(
	schema[mysqlCheck]{
		kind: "mysql",
		doc: "Up when a MySQL or MariaDB server greets and lets a user in who has no password. Without a user the greeting is enough, but the " +
			"server counts aborted logins and shuts the director out after `max_connect_errors` of them.",
		keys: []key[mysqlCheck]{
			text("user", func(c *mysqlCheck) *string { return &c.probe.User }, "who logs in").by("nobody"),
		},
	},
	checks.MySQL{}, nil,
	func(p checks.MySQL, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type pgsqlCheck = networkCheck[checks.PostgreSQL]

var pgsqlVariant = networkVariant(
	schema[pgsqlCheck]{
		kind: "pgsql",
		doc:  "Up when a PostgreSQL server lets a user begin to log in, as one that starts, stops or is full does not.",
		keys: []key[pgsqlCheck]{
			text("user", func(c *pgsqlCheck) *string { return &c.probe.User }, "who logs in"),
			text("database", func(c *pgsqlCheck) *string { return &c.probe.Database }, "to which database").by("the one named as the user"),
		},
	},
	checks.PostgreSQL{User: "director"}, nil,
	func(p checks.PostgreSQL, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type ldapCheck = networkCheck[checks.LDAP]

var ldapVariant = networkVariant(
	schema[ldapCheck]{
		kind: "ldap",
		doc:  "Up when an LDAP server accepts a bind.",
		keys: append([]key[ldapCheck]{
			text("dn", func(c *ldapCheck) *string { return &c.probe.DN }, "who binds").by("nobody: the bind is anonymous"),
		}, secretKeys("password", func(c *ldapCheck) *string { return &c.probe.Password }, "for the bind")...),
		blocks: []inner[ldapCheck]{optionalTLS(func(c *ldapCheck) **checks.TLS { return &c.probe.TLS })},
	},
	checks.LDAP{},
	func(d *decoder, b *block, c *ldapCheck) {
		if (c.probe.DN == "") != (c.probe.Password == "") {
			// A DN without a password is an unauthenticated bind, which is refused
			// or means nothing (RFC 4513, section 5.1.2).
			d.fail(b.at, "check \"ldap\": dn and password go together")
		}
		b.onlyOne(d, "password", "password_file")
	},
	func(p checks.LDAP, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type radiusCheck = networkCheck[checks.Radius]

var radiusVariant = networkVariant(
	schema[radiusCheck]{
		kind: "radius",
		doc:  "Up when a RADIUS server that knows the secret accepts a user or, without a user, answers Status-Server.",
		keys: append(append(
			secretKeys("secret", func(c *radiusCheck) *string { return &c.probe.Secret }, "that the server shares with the director; required"),
			text("user", func(c *radiusCheck) *string { return &c.probe.User }, "who is to be accepted").by("nobody")),
			secretKeys("password", func(c *radiusCheck) *string { return &c.probe.Password }, "of the user")...),
	},
	checks.Radius{},
	func(d *decoder, b *block, c *radiusCheck) {
		if b.body.find("secret") == nil && b.body.find("secret_file") == nil {
			d.fail(b.at, "check \"radius\": want secret or secret_file")
		}
		if c.probe.User == "" && c.probe.Password != "" {
			d.fail(b.where("password"), "password: want a user, too")
		}
		if len(c.probe.Password) > 128 {
			d.fail(b.where("password"), "password has %d bytes: want at most 128", len(c.probe.Password))
		}
		b.onlyOne(d, "secret", "secret_file")
		b.onlyOne(d, "password", "password_file")
	},
	func(p checks.Radius, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type sipCheck = networkCheck[checks.SIP]

var sipVariant = networkVariant(
	schema[sipCheck]{
		kind: "sip",
		doc:  "Up when a SIP server answers OPTIONS with 200, by UDP.",
		keys: []key[sipCheck]{
			checkedText("user", "string", func(c *sipCheck) *string { return &c.probe.User }, checkToken,
				"of the address that is asked about").by("none"),
		},
	},
	checks.SIP{}, nil,
	func(p checks.SIP, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type grpcCheck = networkCheck[checks.GRPC]

var grpcVariant = networkVariant(
	schema[grpcCheck]{
		kind: "grpc",
		doc:  "Up when a server says in gRPC's health protocol (grpc.health.v1) that it serves.",
		keys: []key[grpcCheck]{
			text("service", func(c *grpcCheck) *string { return &c.probe.Service }, "of the server that is asked about").by("the server as a whole"),
		},
		blocks: []inner[grpcCheck]{optionalTLS(func(c *grpcCheck) **checks.TLS { return &c.probe.TLS })},
	},
	checks.GRPC{}, nil,
	func(p checks.GRPC, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route = t.addr, r
		return p
	},
)

type agentCheck = networkCheck[checks.Agent]

var agentVariant = networkVariant(
	schema[agentCheck]{
		kind: "agent",
		doc:  "Asks an agent on the real server that speaks HAProxy's line protocol: `up`, `down`, `maint`, `drain`, `75%`, a reason after `#`.",
		keys: []key[agentCheck]{
			text("send", func(c *agentCheck) *string { return &c.probe.Send }, "what is sent first").by("nothing"),
			weightStepKey(func(c *agentCheck) *checks.Monitor { return &c.monitor }),
		},
	},
	checks.Agent{},
	func(d *decoder, b *block, c *agentCheck) {
		if c.port == 0 {
			d.fail(b.at, "check \"agent\": port is missing, it is not that of the service")
		}
	},
	func(p checks.Agent, t probeTarget, r checks.Route) checks.Probe {
		p.Target, p.Route, p.Weight = t.addr, r, int(t.weight)
		return p
	},
)
