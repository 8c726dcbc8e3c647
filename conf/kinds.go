package conf

import (
	"maps"
	"slices"
)

// kind is one kind of top-level block.
type kind struct {
	input  bool // other blocks may depend on it
	once   bool
	decode func(d *decoder, b *block) any
	ref    func() reference
}

// kinds are the top-level blocks. Locals are evaluated before all others.
var kinds = map[string]kind{
	"locals":          {input: true},
	"scripts":         {input: true, once: true, decode: plain(&scriptsSchema), ref: scriptsSchema.reference},
	"check":           {input: true, decode: decodeNamedCheck, ref: checkReference},
	"log":             {once: true, decode: plain(&logSchema), ref: logSchema.reference},
	"api":             {once: true, decode: plain(&apiSchema), ref: apiSchema.reference},
	"ipvs":            {once: true, decode: plain(&ipvsSchema), ref: ipvsSchema.reference},
	"vrrp":            {decode: decodeGroup, ref: groupSchema.reference},
	"bfd":             {decode: decodeBFD, ref: bfdSchema.reference},
	"notify_fifo":     {decode: decodeFIFO, ref: fifoSchema.reference},
	"static":          {decode: decodeStatic, ref: staticSchema.reference},
	"vrrp_sync_group": {decode: decodeSyncGroup, ref: syncGroupSchema.reference},
	"virtual_server":  {decode: decodeVirtualServer, ref: virtualServerSchema.reference},
}

func kindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

// plain decodes a block that needs nothing but its schema.
func plain[T any](s *schema[T]) func(*decoder, *block) any {
	return func(d *decoder, b *block) any {
		v := s.decode(d, b)
		return &v
	}
}

// decodeEnvironment decodes the blocks that others depend on.
func decodeEnvironment(pieces []*piece, problems *Problems) *environment {
	env := &environment{scripts: defaultScripts(), checks: map[string]*check{}}
	var locals []*piece
	for _, p := range pieces {
		if p.kind == "locals" && p.node != nil {
			locals = append(locals, p)
		}
	}
	ctx, diags := evalLocals(locals)
	env.ctx = ctx
	problems.list = append(problems.list, diags...)
	for _, p := range pieces {
		if p.kind == "scripts" {
			p.decode(env)
			if s, ok := p.result.value.(*scripts); ok {
				env.scripts = *s
			}
		}
	}
	for _, p := range pieces {
		if p.kind != "check" {
			continue
		}
		p.decode(env)
		if c, ok := p.result.value.(*check); ok && c != nil && env.checks[c.name] == nil {
			env.checks[c.name] = c
			env.checkNames = append(env.checkNames, c.name)
		}
	}
	return env
}
