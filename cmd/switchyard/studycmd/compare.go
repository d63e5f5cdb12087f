package studycmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/table"
	"switchyard/strictyaml"
	"switchyard/study"
	"switchyard/study/input"
	"switchyard/study/said"
)

// The most reports that one comparison takes, and how long one may be.
const (
	mostCompared = 12
	maxReport    = 64 << 20
)

func (c *console) compareCmd() *cobra.Command {
	var in flags
	cmd := &cobra.Command{
		Use:   "compare FILE FILE...",
		Short: "Put studies side by side",
		Long: `Put studies side by side: study files, which are run, or reports that were kept as JSON. Studies
that are run with the same seed see the same worlds.`,
		Example: "  switchyard study compare base.yaml with-loan.yaml\n  switchyard study compare january.json june.json -o html --out both.html",
		Args:    cobra.RangeArgs(2, mostCompared),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.set = cmd.Flags().Changed
			return c.compare(cmd.Context(), args, in)
		},
	}
	c.outputs(cmd, &in, "text", "html", "json")
	in.runs(cmd)
	return cmd
}

func (c *console) compare(ctx context.Context, paths []string, in flags) error {
	var all []*study.Report
	for _, path := range paths {
		r, err := c.report(ctx, path, in)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	return c.to(in.out, func(w io.Writer) error {
		switch in.format {
		case "json":
			return writeJSON(w, all)
		case "html":
			return c.Engine.Compare(w, all)
		}
		printCompared(w, all)
		return nil
	})
}

// report reads a report, or runs the study file.
func (c *console) report(ctx context.Context, path string, in flags) (*study.Report, error) {
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		_, r, err := c.run(ctx, path, in)
		return r, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, c.BadInput("read report: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxReport+1))
	if err != nil {
		return nil, c.BadInput("read report %s: %w", path, err)
	}
	r, err := readReport(data)
	if err != nil {
		return nil, c.BadInput("read report %s: %w", path, err)
	}
	return r, nil
}

// readReport reads what `switchyard study -o json` wrote.
func readReport(data []byte) (*study.Report, error) {
	if len(data) > maxReport {
		return nil, fmt.Errorf("it is longer than %d MiB", maxReport>>20)
	}
	var r study.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("it is no report of a study: %w", err)
	}
	if r.Study == "" || r.Months < 1 || len(r.Options) == 0 {
		return nil, errors.New("it is no report of a study: write one with `switchyard study FILE -o json`")
	}
	return &r, nil
}

// printCompared prints a table of the portfolios and one of the halls' choices.
func printCompared(w io.Writer, all []*study.Report) {
	names := said.Names(all)
	g := table.New("study", "file", "from", ">paths", ">seed", ">NPV, mean", ">P10", ">P90", ">over mining on", ">equity IRR*", ">min DSCR*", ">after tax*", ">capex", ">debt")
	for i, r := range all {
		p := r.Portfolio
		g.Add(all[i].Study, r.File, r.Start, fmt.Sprint(r.Paths), fmt.Sprint(r.Seed), dollars(p.NPV.Mean), dollars(p.NPV.P10), dollars(p.NPV.P90),
			dollars(p.NPV.Mean-p.MiningOn.Mean), rate(p.EquityIRR), ratio(p.MinDSCR), ratio(p.TaxedDSCR), dollars(p.Capex), dollars(p.Debt))
	}
	g.Print(w, 0)
	fmt.Fprintln(w, "* expected case; the site's DSCR of twelve months, before tax and after it")
	fmt.Fprintln(w)
	head := []string{"hall"}
	var halls []string
	for i, r := range all {
		head = append(head, names[i])
		for _, b := range r.Best {
			if !slices.Contains(halls, b.Hall) {
				halls = append(halls, b.Hall)
			}
		}
	}
	g = table.New(head...)
	for _, hall := range halls {
		row := []string{hall}
		for _, r := range all {
			cell := "-"
			for _, b := range r.Best {
				if b.Hall == hall {
					cell = fmt.Sprintf("%s, %s", b.Title, dollars(b.NPV.Mean))
				}
			}
			row = append(row, cell)
		}
		g.Add(row...)
	}
	g.Print(w, 0)
	for _, note := range unlike(all, names) {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

// unlike says what makes reports hard to compare.
func unlike(all []*study.Report, names []string) []string {
	var out []string
	first := all[0]
	for i, r := range all[1:] {
		switch {
		case r.Seed != first.Seed || r.Paths != first.Paths:
			out = append(out, fmt.Sprintf("%s and %s do not see the same worlds: seed %d with %d paths, and seed %d with %d.", names[0], names[i+1], first.Seed, first.Paths, r.Seed, r.Paths))
		case r.Start != first.Start || r.Months != first.Months:
			out = append(out, fmt.Sprintf("%s and %s do not span the same time: %d months from %s, and %d from %s.", names[0], names[i+1], first.Months, first.Start, r.Months, r.Start))
		case r.DiscountPct != first.DiscountPct:
			out = append(out, fmt.Sprintf("%s and %s are discounted at different rates: %.4g %% and %.4g %%.", names[0], names[i+1], first.DiscountPct, r.DiscountPct))
		}
	}
	return out
}

// checked is what check says of a study file.
type checked struct {
	File     string             `json:"file"`
	OK       bool               `json:"ok"`
	Faults   []fault            `json:"faults"`
	Warnings []fault            `json:"warnings"`
	Given    []input.Provenance `json:"given"`
	Assumed  []input.Provenance `json:"assumed"`
}

type fault struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Key        string `json:"key"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
}

func faultsOf(fs strictyaml.Faults) []fault {
	out := make([]fault, 0, len(fs))
	for _, f := range fs {
		out = append(out, fault{f.File, f.Line, f.Column, f.Path, f.Message, f.Suggestion})
	}
	return out
}

func (c *console) checkCmd() *cobra.Command {
	var in flags
	cmd := &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a study file: faults, warnings, and what it assumes",
		Long:    "Check a study file: every fault at once, each with its line, its key and what would be right; then\nwarnings, and each figure that nobody gave, with what is taken in its place. The exit code is 2\nwhere there are faults.",
		Example: "  switchyard study check study.yaml",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.check(args[0], in) },
	}
	in.format = "text"
	cmd.Flags().VarP(c.Choice(&in.format, "text", "json"), "output", "o", "what is printed: text or json")
	return cmd
}

func (c *console) check(path string, in flags) error {
	f, err := c.load(path)
	var faults strictyaml.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	out := checked{File: path, OK: err == nil, Faults: faultsOf(faults), Warnings: []fault{}, Given: []input.Provenance{}, Assumed: []input.Provenance{}}
	if err == nil {
		f = study.Complete(f)
		out.Warnings, out.Given, out.Assumed = faultsOf(f.Warnings), append(out.Given, f.Given...), append(out.Assumed, f.Assumed...)
	}
	if in.format == "json" {
		if err := writeJSON(c.Out, out); err != nil {
			return err
		}
	} else {
		c.printChecked(out, faults, f)
	}
	if !out.OK {
		return c.Told()
	}
	return nil
}

func (c *console) printChecked(out checked, faults strictyaml.Faults, f *input.File) {
	say := func(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }
	if !out.OK {
		for _, x := range faults {
			say("%s", x.Error())
		}
		say("%s", count(len(faults), "fault"))
		return
	}
	for _, w := range f.Warnings {
		say("warning: %s", w.Error())
	}
	from := map[string]int{}
	for _, p := range f.Given {
		from[string(p.From)]++
	}
	say("%s: ok, %s", out.File, count(len(f.Warnings), "warning"))
	say("  %s: %s, %s, %s from %s", f.Study, count(len(f.Halls), "hall"), count(len(f.Options), "option"), count(f.Years, "year"), f.Start)
	say("  %s given: %d measured, %d by contract, %d quoted, %d published, %d assumed", count(len(f.Given), "figure"),
		from["measured"], from["contract"], from["quote"], from["published"], from["assumption"]+from[""])
	if len(f.Assumed) == 0 {
		return
	}
	say("\nNobody gave these; in their place stands")
	g := table.New("key", "value", "from", "why")
	for _, p := range f.Assumed {
		g.Add(p.Path, p.Value, string(p.From), p.Source)
	}
	g.Print(c.Out, 2)
}

// count prints "no faults", "1 fault", "5 faults".
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
