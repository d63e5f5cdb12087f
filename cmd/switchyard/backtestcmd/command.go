// Package backtestcmd owns the command that simulates a site over past prices, and how its
// report is printed.
//
// It never talks to a device or a controller and works no figure out: backtest does.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package backtestcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/backtest"
	"switchyard/backtest/page"
	"switchyard/backtest/record"
	"switchyard/cmd/switchyard/table"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Console is what the command needs of the command line.
type Console struct {
	Out, Err io.Writer
	Version  string
	// Load reads a site file, lets adjust change it, and checks it; its errors carry their exit code.
	Load func(path string, adjust func(*sitefile.File)) (*sitefile.File, error)
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// BadInput makes the error of bad flags or values, Told that of a command that has said all
	// there is to say and did not go well.
	BadInput func(format string, args ...any) error
	Told     func() error
}

type console struct{ Console }

// flags are the flags of backtest, in the order in which a report prints them.
type flags struct {
	prices, column, dayAhead, dayColumn, load, loadColumn, bitcoin string
	from, to                                                       string
	policies, information                                          []string
	hashprice, bitcoinFrom                                         string
	threshold, dayAheadAt, recorded, out, format                   string
	reschedule                                                     time.Duration
	workers                                                        int
}

// Command makes the command.
func Command(k Console) *cobra.Command {
	c := &console{k}
	in := flags{format: "text"}
	cmd := &cobra.Command{
		Use:   "backtest FILE --prices CSV [--bitcoin CSV] [--from DATE] [--to DATE]",
		Short: "What the site would have earned over months or years, and how close to perfect",
		Long: `Simulate a site over past prices: the running site's own clearing and schedule, with nothing but
what was known at the time, beside always-on, a fixed threshold, the last known price, and perfect
foresight of the same machines. Flags stand in place of the site file's market section. One CSV
may hold several columns (rt_price…, da_price…, system_load_mw, <reserve>_usd_per_mw_h); those that
fit are taken and named. docs/backtest.md says what is known when, and how profit is counted.

With --recorded FILE decisions that a running site recorded are decided again, and compared.`,
		Example: "  switchyard backtest site.yaml --prices rt.csv.gz --bitcoin btc.csv.gz --from 2024-01-01 --to 2025-01-01\n" +
			"  switchyard backtest site.yaml --prices rt.csv.gz --bitcoin btc.csv.gz -o html --out report.html\n" +
			"  switchyard backtest --recorded data/rounds.jsonl.gz",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case in.recorded != "":
				return c.replay(cmd.Context(), in)
			case len(args) == 0:
				return c.BadInput("a site file is needed; `switchyard init site.yaml` writes an example")
			}
			return c.backtest(cmd.Context(), args[0], in)
		},
	}
	f := cmd.Flags()
	f.VarP(k.Choice(&in.format, "text", "json", "html"), "output", "o", "what is written: text, json or html")
	f.StringVar(&in.out, "out", "", "write there and not to standard output")
	f.StringVar(&in.prices, "prices", "", "CSV of real-time prices, packed or not (default: the site file's)")
	f.StringVar(&in.column, "column", "", "its column (default: the first with rt_price, else price)")
	f.StringVar(&in.dayAhead, "day-ahead", "", "CSV of day-ahead prices (default: the site file's, else a da_price column of --prices)")
	f.StringVar(&in.dayColumn, "day-ahead-column", "", "its column, or one of --prices")
	f.StringVar(&in.load, "load", "", "CSV of the grid's load in MW (default: the site file's, else a load_mw column of --prices)")
	f.StringVar(&in.loadColumn, "load-column", "", "its column, or one of --prices")
	f.StringVar(&in.bitcoin, "bitcoin", "", "CSV of the Bitcoin network by day (default: the site file's)")
	f.StringVar(&in.hashprice, "hashprice", "", "one hashprice for the whole run, $/PH/day")
	f.StringVar(&in.bitcoinFrom, "bitcoin-from", "", "take the Bitcoin figures from this day on as the run's, for prices of other years")
	f.StringVar(&in.from, "from", "", "first day or time, the site's time zone (default: all there is)")
	f.StringVar(&in.to, "to", "", "end, not included")
	f.StringSliceVar(&in.policies, "policy", nil, "some of "+strings.Join(backtest.Policies(), ", ")+" (default all)")
	f.StringSliceVar(&in.information, "information", nil, "start: a price is known when its interval begins; late: when it is over (default both)")
	f.StringVar(&in.threshold, "threshold", "", "the fixed threshold, $/MWh (default: what hashing earned on the first day)")
	f.StringVar(&in.dayAheadAt, "day-ahead-at", "13:00", "local time at which the next day's day-ahead prices are known")
	f.DurationVar(&in.reschedule, "reschedule", time.Hour, "how often the schedule is made anew")
	f.IntVar(&in.workers, "workers", 0, "policies that go side by side (default: the cores)")
	f.StringVar(&in.recorded, "recorded", "", "decide a running site's recorded decisions again and compare")
	return cmd
}

func (c *console) backtest(ctx context.Context, path string, in flags) error {
	f, err := c.Load(path, in.instead)
	if err != nil {
		return err
	}
	var src backtest.Sources
	var o backtest.Options
	if src, err = c.sources(in, f); err != nil {
		return err
	}
	if o, err = c.options(in); err != nil {
		return err
	}
	w, err := backtest.Open(f, src)
	if err != nil {
		return c.BadInput("%w", err)
	}
	r, err := backtest.Run(ctx, w, o)
	if err != nil {
		return err
	}
	r.Version, r.Command = c.Version, in.command(path)
	return c.writeReport(r, in)
}

// instead puts the flags' files in the place of the site file's sources, which then need not be
// there. The grid's load that a charge needs may be a column of the prices' file.
func (in *flags) instead(f *sitefile.File) {
	abs := func(path string) string {
		if full, err := filepath.Abs(path); err == nil {
			return full
		}
		return path
	}
	m := &f.Market
	if in.prices != "" {
		m.Price.CSV, m.Price.Column, m.Price.URL, m.Price.Feed, m.Price.Fixed, m.Price.MadeUp = abs(in.prices), in.column, "", nil, nil, nil
	}
	if in.dayAhead != "" {
		m.DayAhead = &sitefile.Series{CSV: abs(in.dayAhead), Column: in.dayColumn}
	}
	switch {
	case in.load != "":
		m.Load = &sitefile.Series{CSV: abs(in.load), Column: in.loadColumn}
	case in.prices != "" && m.Load == nil && len(m.Charges.Coincident) > 0:
		m.Load = &sitefile.Series{CSV: abs(in.prices), Column: in.loadColumn}
	}
	if in.bitcoin != "" {
		m.Bitcoin.CSV, m.Bitcoin.RPC, m.Bitcoin.Hashprice = abs(in.bitcoin), "", nil
	}
}

// replay decides recorded rounds again. Rounds that differ are an error: the record's own
// program decided otherwise than this one.
func (c *console) replay(ctx context.Context, in flags) error {
	file, err := os.Open(in.recorded)
	if err != nil {
		return c.BadInput("--recorded: %w", err)
	}
	defer file.Close()
	say := func(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }
	r, err := record.Replay(ctx, file)
	if err != nil {
		return c.BadInput("%s: %w", in.recorded, err)
	}
	if in.format == "json" {
		e := json.NewEncoder(c.Out)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	} else {
		say("%d rounds with %d awards from %s to %s decided again: %d differ.", r.Rounds, r.Awards, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Differing)
		say("%d schedules planned again: %d differ.", r.Schedules, r.PlansDiffer)
		if r.First != "" {
			say("The first difference, at %s", r.First)
		}
		if r.Torn {
			say("The record breaks off within a line: what it holds up to there was compared.")
		}
	}
	if r.Differing+r.PlansDiffer > 0 {
		return c.Told()
	}
	return nil
}

func (c *console) sources(in flags, f *sitefile.File) (s backtest.Sources, err error) {
	s = backtest.Sources{
		Prices: in.prices, PriceColumn: in.column, DayAhead: in.dayAhead, DayColumn: in.dayColumn,
		Load: in.load, LoadColumn: in.loadColumn, Bitcoin: in.bitcoin,
	}
	if s.From, err = c.dayOrTime("--from", in.from, f.Location()); err != nil {
		return s, err
	}
	if s.To, err = c.dayOrTime("--to", in.to, f.Location()); err != nil {
		return s, err
	}
	if s.BitcoinFrom, err = c.dayOrTime("--bitcoin-from", in.bitcoinFrom, f.Location()); err != nil {
		return s, err
	}
	if in.hashprice != "" {
		h, err := quantity(in.hashprice, "$/PH/day", unit.ParseHashprice)
		if err != nil || h <= 0 {
			return s, c.BadInput("--hashprice: %q is no hashprice; write it like 50", in.hashprice)
		}
		s.Hashprice = &h
	}
	if !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To) {
		return s, c.BadInput("--to: %s is not after %s", in.to, in.from)
	}
	return s, nil
}

// dayOrTime reads a day of the zone or a time; empty is the zero time.
func (c *console) dayOrTime(flag, s string, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, c.BadInput("%s: %q is no day and no time; write it like 2024-01-01, or 2024-01-01T00:00:00Z", flag, s)
}

func (c *console) options(in flags) (o backtest.Options, err error) {
	o.Reschedule, o.Workers = in.reschedule, in.workers
	for _, p := range in.policies {
		if !slices.Contains(backtest.Policies(), p) {
			return o, c.BadInput("--policy: there is no %q; there are %s", p, strings.Join(backtest.Policies(), ", "))
		}
		o.Policies = append(o.Policies, p)
	}
	for _, k := range in.information {
		if i := backtest.Information(k); i != backtest.Start && i != backtest.Late {
			return o, c.BadInput("--information: %q is neither start nor late", k)
		}
		o.Information = append(o.Information, backtest.Information(k))
	}
	if in.threshold != "" {
		p, err := quantity(in.threshold, "$/MWh", unit.ParsePrice)
		if err != nil {
			return o, c.BadInput("--threshold: %w", err)
		}
		o.Threshold = &p
	}
	if o.DayAheadAt, err = sitefile.ParseTimeOfDay(in.dayAheadAt); err != nil {
		return o, c.BadInput("--day-ahead-at: %w", err)
	}
	if in.reschedule < time.Minute {
		return o, c.BadInput("--reschedule: %v is less than a minute", in.reschedule)
	}
	return o, nil
}

// command is the command line that gives the same report.
func (in flags) command(path string) string {
	args := []string{"switchyard", "backtest", quoted(path)}
	add := func(flag, v string) {
		if v != "" {
			args = append(args, "--"+flag, quoted(v))
		}
	}
	add("prices", in.prices)
	add("column", in.column)
	add("day-ahead", in.dayAhead)
	add("day-ahead-column", in.dayColumn)
	add("load", in.load)
	add("load-column", in.loadColumn)
	add("bitcoin", in.bitcoin)
	add("hashprice", in.hashprice)
	add("bitcoin-from", in.bitcoinFrom)
	add("from", in.from)
	add("to", in.to)
	add("policy", strings.Join(in.policies, ","))
	add("information", strings.Join(in.information, ","))
	add("threshold", in.threshold)
	if in.dayAheadAt != "13:00" {
		add("day-ahead-at", in.dayAheadAt)
	}
	if in.reschedule != time.Hour {
		add("reschedule", in.reschedule.String())
	}
	add("output", in.format)
	add("out", in.out)
	return strings.Join(args, " ")
}

// quoted puts a word into quotation marks where a shell would take it apart.
func quoted(s string) string {
	if strings.ContainsAny(s, " \t\n\"'\\$&|;<>()*?[]#~`") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func (c *console) writeReport(r *backtest.Report, in flags) error {
	var b bytes.Buffer
	var err error
	switch in.format {
	case "json":
		err = r.WriteJSON(&b)
	case "html":
		err = page.Write(&b, r)
	default:
		printBacktest(&b, r)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if in.out == "" {
		_, err = c.Out.Write(b.Bytes())
		return err
	}
	if err := os.WriteFile(in.out, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	fmt.Fprintf(c.Err, "The report is in %s.\n", in.out)
	return nil
}

func printBacktest(out io.Writer, r *backtest.Report) {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("%s, %s to %s, every %v: %d machines, %.3g MW.", r.Site, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly),
		time.Duration(r.Interval)*time.Second, r.Machines, r.PowerMW)
	for _, in := range r.Inputs {
		note := ""
		if in.Note != "" {
			note = " (" + in.Note + ")"
		}
		say("  %s: %s, %d intervals, %d missing%s", in.What, in.Source, in.Rows, in.Missing, note)
	}
	for _, n := range r.Notes {
		say("  note: %s", n)
	}
	say("")
	g := table.New("policy", "knows the price", ">profit", ">uplift", ">captured", ">spike days", ">other days", ">curtailed", ">starts", ">MWh")
	share := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return strconv.FormatFloat(*v*100, 'f', 1, 64) + " %"
	}
	for _, p := range r.Policies {
		g.Add(p.Name, string(p.Information), unit.Dollars(p.Profit).String(), unit.Dollars(p.Uplift).String(), share(p.Capture),
			share(p.Spikes.Capture), share(p.Calm.Capture), share(&p.Curtailed), strconv.Itoa(p.Starts), strconv.FormatFloat(p.EnergyMWh, 'f', 0, 64))
	}
	g.Print(out, 2)
	say("\nPerfect foresight: %s; its profit lies %.2f %% of the uplift below the bound.", r.Settings.Perfect, r.Settings.PerfectGap*100)
	say("Again: %s", r.Command)
}

// quantity reads a bare number in the unit, or a number with a unit of its own.
func quantity[T any](s, bare string, read func(string) (T, error)) (T, error) {
	s = strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		s += " " + bare
	}
	return read(s)
}
