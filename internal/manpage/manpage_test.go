package manpage

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Does things"}
	run := &cobra.Command{
		Use: "run-it [NAME]", Aliases: []string{"go"}, Short: "Run it",
		Long: ".dots and 'quotes begin lines, \\ is in one.\n\n  SIGHUP   kept as it is\n  .too     here\n\nThe end.",
		Run:  func(*cobra.Command, []string) {},
	}
	run.Flags().StringP("config", "c", "/etc/x-y", "the `file` to read")
	run.Flags().Bool("wait", false, "wait for it")
	run.Flags().String("secret", "", "")
	if err := run.Flags().MarkHidden("secret"); err != nil {
		panic(err)
	}
	root.AddCommand(run, &cobra.Command{Use: "hidden", Hidden: true, Run: run.Run})
	return root
}

func TestGolden(t *testing.T) {
	t.Parallel()
	pages := Pages(sample())
	if len(pages) != 2 {
		t.Fatalf("%d pages, want 2: a hidden command has none", len(pages))
	}
	for _, c := range pages {
		var out bytes.Buffer
		if err := Write(&out, c, "1.0"); err != nil {
			t.Fatal(err)
		}
		golden := "testdata/" + Name(c)
		if *update {
			if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", Name(c), diff)
		}
	}
}
