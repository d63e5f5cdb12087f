// Package signalscmd owns how the grid's signals look on a terminal.
//
// It never asks a controller and never reads a clock: a view goes in, text comes out.
//
// Concurrency: Print is pure but for its writer.
package signalscmd

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
	"switchyard/unit"
)

// Print writes what the grid asks and by which ways it may, with times in the site's zone.
// Without all, only what is in force or to come.
func Print(out io.Writer, v api.SignalsView, zone *time.Location, all bool) {
	if len(v.Sources) == 0 {
		fmt.Fprintln(out, "The site file names no way for the grid to reach this site: see signals in `switchyard init`.")
		return
	}
	stamp := func(t time.Time) string { return t.In(zone).Format("01-02 15:04:05") }
	fmt.Fprintln(out, "Sources")
	g := table.New("source", "protocol", "state", "heard", "address", "")
	for _, s := range v.Sources {
		heard := "never"
		if s.HeardAt != nil {
			heard = stamp(*s.HeardAt)
		}
		g.Add(s.Name, s.Protocol, s.State, heard, s.Address, remark(s))
	}
	g.Print(out, 2)
	signals(out, v, stamp, all)
	if len(v.Refused) > 0 {
		fmt.Fprintln(out, "\nNot taken, or not as asked")
		g = table.New("at", "source", "")
		for _, r := range v.Refused {
			g.Add(stamp(r.At), r.Source, r.Text)
		}
		g.Print(out, 2)
	}
}

// remark is what a person should know of a source.
func remark(s api.SourceView) string {
	switch {
	case s.State == "lost":
		return join(s.Lost, s.Problem)
	case s.Problem != "":
		return s.Problem
	}
	return ""
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

func signals(out io.Writer, v api.SignalsView, stamp func(time.Time) string, all bool) {
	g := table.New("signal", "asks", "from", "to", ">priority", "state", "")
	shown := 0
	for _, s := range v.Signals {
		over := s.To != nil && !v.At.Before(*s.To)
		if over && !all {
			continue
		}
		shown++
		to := "until taken back"
		if s.To != nil {
			to = stamp(*s.To)
		}
		g.Add(s.Key, Asks(s), stamp(s.From), to, priority(s.Priority), state(s, v.At, over), s.Note)
	}
	if shown == 0 {
		fmt.Fprintln(out, "\nNothing is asked for.")
		for _, x := range v.Sources {
			if x.State == "lost" {
				fmt.Fprintf(out, "Since %s is lost: %s.\n", x.Name, x.Lost)
			}
		}
		return
	}
	fmt.Fprintln(out, "\nSignals")
	g.Print(out, 2)
}

// priority is "none" for the number that stands for it, behind all others.
func priority(p int) string {
	if p == math.MaxInt32 {
		return "none"
	}
	return strconv.Itoa(p)
}

func state(s api.SignalView, now time.Time, over bool) string {
	var text string
	switch {
	case over:
		text = "over"
	case s.InForce:
		text = "in force"
	case s.From.After(now):
		text = "to come"
	case s.OverruledBy != "":
		text = "overruled by " + s.OverruledBy + " (" + s.OverruledWhy + ")"
	default:
		text = join("not in force", s.OverruledWhy)
	}
	if s.Emergency {
		text = "EMERGENCY, " + text
	}
	return text
}

// Asks says in a few words what a signal wants.
func Asks(s api.SignalView) string {
	watts := func(w *float64) string {
		if w == nil {
			return "?"
		}
		return unit.Watts(*w).Short()
	}
	switch s.Kind {
	case "limit":
		text := "at most " + watts(s.PowerW) + " at " + s.Node
		if s.RampW != nil {
			text += ", by " + watts(s.RampW) + " a minute"
		}
		return text
	case "reserve":
		if s.PowerW != nil && *s.PowerW == 0 {
			return "to be read"
		}
		text := watts(s.PowerW) + " held"
		if s.WithinS != nil {
			text += fmt.Sprintf(", down within %s", time.Duration(*s.WithinS*float64(time.Second)))
		}
		return text
	case "price":
		if s.PriceUSD != nil {
			return fmt.Sprintf("%.2f $/MWh", *s.PriceUSD)
		}
	}
	return s.Kind
}
