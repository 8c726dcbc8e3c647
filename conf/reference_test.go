package conf

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const referencePage = "../docs/configuration.md"

// TestReference holds the page against the schemas: what stands between its
// markers is generated from them (-update writes it).
func TestReference(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated from the schemas by go test ./conf -update -->\n", "<!-- end of what is generated -->\n"
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its markers", referencePage)
	}
	golden(t, referencePage, []byte(head+begin+referenceText()+end+tail))
}

// TestReferenceFunctions makes sure that each function is on the page, and no other.
func TestReferenceFunctions(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "| function ")
	table, _, _ := strings.Cut(rest, "\n\n")
	known := functions()
	var found []string
	for _, line := range strings.Split(table, "\n")[2:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "| `"), "(")
		if _, ok := known[name]; !ok {
			t.Errorf("%s describes %q, which is no function", referencePage, name)
		}
		found = append(found, name)
	}
	for name := range known {
		if !slices.Contains(found, name) {
			t.Errorf("%s does not describe %s()", referencePage, name)
		}
	}
}

// page is the generated text on its way, with the headings of the nested
// blocks so far.
type page struct {
	strings.Builder
	seen map[string]string
}

func referenceText() string {
	b := page{seen: map[string]string{}}
	b.WriteString("\n### Top level\n\nThese arguments stand outside of all blocks.\n")
	writeKeys(&b, globalSchema.reference().keys)
	for _, name := range []string{"log", "api", "ipvs", "scripts", "vrrp", "vrrp_sync_group", "static", "bfd", "notify_fifo", "check", "virtual_server"} {
		r := kinds[name].ref()
		r.once = kinds[name].once
		writeBlock(&b, r, "", 3)
	}
	b.WriteByte('\n')
	return b.String()
}

// writeBlock writes the section of a block that stands within the block called in.
func writeBlock(b *page, r reference, in string, level int) {
	if r.choice {
		writeChoice(b, r, in, level)
		return
	}
	title := "`" + r.kind + "`"
	for _, label := range r.labels {
		if strings.HasPrefix(label, `"`) {
			title = strings.TrimSuffix(title, "`") + " " + label + "`"
		}
	}
	heading := title
	if in != "" {
		heading += " in " + in
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s", strings.Repeat("#", level), heading, r.doc)
	if r.once {
		b.WriteString(" It may be given once.")
	}
	for i, label := range r.labels {
		if !strings.HasPrefix(label, `"`) {
			ordinal := []string{"Its label", "Its second label"}[i]
			fmt.Fprintf(b, " %s is %s.", ordinal, label)
		}
	}
	b.WriteByte('\n')
	writeKeys(b, r.keys)
	for _, n := range r.blocks {
		if first := b.seen[n.kind]; first != "" && n.kind == "tls" {
			fmt.Fprintf(b, "\nIts block `tls` is as in %s.\n", first)
			continue
		}
		b.seen[n.kind] = title
		writeBlock(b, n, title, level+1)
	}
}

// writeChoice writes a block that has variants. The kinds of checks are
// described once, at the top level.
func writeChoice(b *page, r reference, in string, level int) {
	if in != "" && r.kind == "check" {
		fmt.Fprintf(b, "\n%s `check` in %s\n\nA check without a name, of one of the kinds [above](#check): `check \"tcp\" { ... }`.\n", strings.Repeat("#", level), in)
		return
	}
	if in == "" {
		fmt.Fprintf(b, "\n%s `%s`\n\nA health check. At the top level it has two labels, its kind and a name, by which virtual servers\nand real servers use it: `check \"http\" \"healthz\" { ... }`. In those blocks it stands without a name.\n", strings.Repeat("#", level), r.kind)
		level++
		fmt.Fprintf(b, "\n%s Schedule\n\nAll checks but `bfd`, and tracked scripts, have these arguments, too:\n", strings.Repeat("#", level))
		writeTable(b, sharedKeys("Schedule"))
		fmt.Fprintf(b, "\n%s Target\n\nAll checks that connect to a port have these arguments, too:\n", strings.Repeat("#", level))
		writeTable(b, sharedKeys("Target"))
	}
	for _, n := range r.blocks {
		writeBlock(b, n, in, level)
	}
}

// sharedKeys returns the arguments that many checks have, tcp among them.
func sharedKeys(section string) []keyReference {
	keys := checkReference().blocks[0].keys
	return slices.DeleteFunc(keys, func(k keyReference) bool { return k.shared != section })
}

// writeKeys writes the arguments of a block, but for those that many have.
func writeKeys(b *page, keys []keyReference) {
	own := slices.DeleteFunc(slices.Clone(keys), func(k keyReference) bool { return k.shared != "" })
	if len(own) > 0 {
		writeTable(b, own)
	}
	var shared []string
	for _, k := range keys {
		link := fmt.Sprintf("[%s](#%s)", strings.ToLower(k.shared), strings.ToLower(k.shared))
		if k.shared != "" && !slices.Contains(shared, link) {
			shared = append(shared, link)
		}
	}
	if len(shared) > 0 {
		fmt.Fprintf(b, "\nIt has the arguments of %s, too.\n", strings.Join(shared, " and "))
	}
}

func writeTable(b *page, keys []keyReference) {
	b.WriteString("\n| argument | type | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		kind := k.kind
		if k.limits != "" {
			kind += ": " + k.limits
		}
		fallback := k.fallback
		switch {
		case k.required:
			fallback = "**required**"
		case strings.HasPrefix(fallback, `"`), fallback == "true", fallback == "false", fallback != "" && isDigit(fallback[0]):
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.name, kind, fallback, k.doc)
	}
}
