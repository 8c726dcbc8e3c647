package conf

import "github.com/lvs-director/director/checks"

// fileCheck is a block check "file" as decoded.
type fileCheck struct {
	monitor checks.Monitor
	probe   checks.File
}

var fileVariant = checkVariant(
	schema[fileCheck]{
		kind:  "file",
		doc:   "Up when a file on the director is there, or is not: a maintenance switch, or the verdict of another program.",
		start: func() fileCheck { return fileCheck{monitor: defaultSchedule()} },
		keys: append([]key[fileCheck]{
			file("path", func(c *fileCheck) *string { return &c.probe.Path },
				"of the file").must(),
			choice("want", []word[bool]{{"present", false}, {"absent", true}}, func(c *fileCheck) *bool { return &c.probe.Absent },
				"what is good"),
		}, expectKeys("it", func(c *fileCheck) *checks.Expect { return &c.probe.Expect })...),
	},
	func(c *fileCheck) *checks.Monitor { return &c.monitor },
	func(d *decoder, b *block, c *fileCheck) *check {
		if c.probe.Absent && c.probe.Expect != (checks.Expect{}) {
			d.fail(b.where("want"), "want \"absent\" does not go with an expectation")
		}
		return &check{noPort: true, probe: func(probeTarget) checks.Probe { return c.probe }}
	},
)
