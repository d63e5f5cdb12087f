package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"switchyard/demo"
	"switchyard/demo/slurmdemo"
)

type demoFlags struct {
	miners    int
	speed     float64
	prices    string
	from      string
	span      time.Duration
	listen    string
	hashprice float64
	seed      uint64
	dir       string
	record    string
	slurm     bool
	logs      logFlags
}

func (c *cli) demoCmd() *cobra.Command {
	var in demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a made-up site on this machine and show its page",
		Long: `Run a whole made-up site on this machine: emulated miners of three makes and an AI tenant
behind real sockets, a day of prices with their day-ahead, an evening's demand charge and reserve,
a utility (OpenADR 3.1) that announces a grid emergency at 14:30 for 16:00, a miner that lies.
With --slurm the GPU cluster is a real Slurm on this machine, in real time.
With --for it runs that much site time, prints the day's report and ends. A speed that the
machine cannot hold is said, and site time slows down.`,
		Example: "  switchyard demo\n  switchyard demo --for 24h --speed 240 --miners 300 --prices prices.csv.gz -o json",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if in.slurm && !f.Changed("miners") {
			in.miners = slurmdemo.Miners
		}
		if in.slurm && !f.Changed("speed") {
			in.speed = 1
		}
		return c.demo(cmd.Context(), &in)
	}
	f.IntVar(&in.miners, "miners", 600, "how many miners; the site is sized by them")
	f.Float64Var(&in.speed, "speed", 60, "site seconds per second of the machine's")
	f.StringVar(&in.prices, "prices", "", "price file (CSV, .gz allowed) instead of a made-up day")
	f.StringVar(&in.from, "from", "", "the day to begin with, 2006-01-02, or a time, 2006-01-02T14:00:00Z (default: the price file's first whole day, else today)")
	f.DurationVar(&in.span, "for", 0, "how much site time to run (default: until stopped)")
	f.StringVar(&in.listen, "listen", "127.0.0.1:8418", "where the page listens")
	f.Float64Var(&in.hashprice, "hashprice", 50, "what a PH/s earns in a day, $/PH/day")
	f.Uint64Var(&in.seed, "seed", 1, "of everything that is random")
	f.BoolVar(&in.slurm, "slurm", false, "run the GPU cluster by a real Slurm on this machine, in real time: needs root and Debian's packages (make demo-slurm)")
	f.StringVar(&in.dir, "dir", "", "folder to keep the site's file and records in (default: a temporary one)")
	recordFlag(cmd, &in.record)
	in.logs.add(cmd, "warn")
	return cmd
}

func (c *cli) demo(ctx context.Context, in *demoFlags) error {
	opt := demo.Options{
		Miners: in.miners, Speed: in.speed, Prices: in.prices, For: in.span, Listen: in.listen, Hashprice: in.hashprice, Seed: in.seed,
		JSON: c.json(), Out: c.out, Err: c.err, Version: version, Dir: in.dir, Record: in.record, Log: in.logs.logger(c.err),
	}
	if err := in.check(&opt); err != nil {
		return err
	}
	if in.dir != "" {
		if err := os.MkdirAll(in.dir, 0o750); err != nil {
			return fmt.Errorf("make the demonstration's folder: %w", err)
		}
	}
	if in.slurm {
		if m := slurmdemo.Missing(); m != "" {
			return badInput("--slurm: this machine lacks %s; `make demo-slurm` installs the packages", m)
		}
		return slurmdemo.Run(ctx, opt)
	}
	return demo.Run(ctx, opt)
}

// check refuses flags that make no sense and reads the day.
func (in *demoFlags) check(opt *demo.Options) error {
	switch {
	case in.miners < 12 || in.miners > 20_000:
		return badInput("--miners can be from 12 to 20000, not %d", in.miners)
	case !(in.speed >= 1 && in.speed <= 10_000):
		return badInput("--speed can be from 1 to 10000, not %g", in.speed)
	case in.span < 0:
		return badInput("--for cannot be negative")
	case !(in.hashprice > 0) || math.IsInf(in.hashprice, 0):
		return badInput("--hashprice must be above zero, such as 50")
	}
	if _, _, err := net.SplitHostPort(in.listen); err != nil {
		return badInput("--listen: write it like 127.0.0.1:8418: %w", err)
	}
	if in.from == "" {
		return nil
	}
	day, err := time.Parse(time.DateOnly, in.from)
	if err != nil {
		if day, err = time.Parse(time.RFC3339, in.from); err != nil {
			return badInput("--from: %q is no day; write it like 2017-07-19", in.from)
		}
	}
	opt.From = day
	return nil
}
