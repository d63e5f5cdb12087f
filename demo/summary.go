package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"switchyard/api"
	"switchyard/app"
	"switchyard/clock"
	"switchyard/emulate/plant"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/unit"
)

type recorder interface {
	SetRecordLimit(node site.NodeID, p unit.Power, at time.Time) error
}

func nodeID(s string) site.NodeID { return site.NodeID(s) }

// Summary is what a demonstration of a given time came to. The controller's books and the
// emulated plant's own record stand side by side, so that each can be held against the other.
type Summary struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Notice string    `json:"notice"`
	Miners int       `json:"miners"`
	// SpeedAsked and SpeedHeld are site seconds per machine second.
	SpeedAsked float64 `json:"speed_asked"`
	SpeedHeld  float64 `json:"speed_held"`

	EnergyMWh        float64 `json:"energy_mwh"`       // through the connection's meter, as posted
	TruthMWh         float64 `json:"energy_truth_mwh"` // by the plant's own record
	RemainderPercent float64 `json:"remainder_percent"`
	// LimitViolations counts stretches above a node's limit that were longer than two control
	// periods and outside its overload curve, by the plant's own record.
	LimitViolations int          `json:"limit_violations"`
	Nodes           []NodeRecord `json:"nodes"`
	FirmShedMWh     float64      `json:"firm_shed_mwh"`

	Commands    int `json:"commands"`
	Confirmed   int `json:"confirmed"`
	Failed      int `json:"failed"`     // each with its cause in the journal
	Superseded  int `json:"superseded"` // a newer command to the device came first
	Unconfirmed int `json:"unconfirmed"`
	Unreasoned  int `json:"unreasoned"`

	CostUSD    float64          `json:"cost_usd"`
	RevenueUSD float64          `json:"revenue_usd"`
	ProfitUSD  float64          `json:"profit_usd"`
	Complete   bool             `json:"complete"`
	Halls      []api.ReportLine `json:"halls"`

	text string
}

// NodeRecord is a node by the plant's own record, second by second.
type NodeRecord struct {
	ID             string  `json:"id"`
	PeakW          float64 `json:"peak_w"`
	TimeOverS      float64 `json:"time_over_s"`
	LongestOverS   float64 `json:"longest_over_s"`
	LongestBeyondS float64 `json:"longest_beyond_curve_s"`
	Excursions     int     `json:"excursions"`
}

// summary reads the books and the record of [from, end). Two control periods are given to the
// commands that were under way at the end.
func (o Options) summary(ctx context.Context, a *app.App, record plant.Record, clk *clock.Governed, end time.Time) (Summary, error) {
	r, err := a.SpanReport(ctx, o.From, end)
	if err != nil {
		return Summary{}, err
	}
	counts, unreasoned, err := a.CommandCounts(ctx, o.From, end.Add(-2*time.Minute))
	if err != nil {
		return Summary{}, err
	}
	v := api.ReportOf(r)
	s := Summary{
		From: o.From, To: end, Notice: o.notice(), Miners: o.Miners, SpeedAsked: o.Speed, SpeedHeld: clk.Held(),
		EnergyMWh: v.EnergyMWh, RemainderPercent: v.RemainderPercent, FirmShedMWh: r.Short.MegawattHours(),
		CostUSD: v.CostUSD, RevenueUSD: v.RevenueUSD, ProfitUSD: v.ProfitUSD, Complete: v.Complete, Halls: v.Lines, text: v.Text,
		Unreasoned: unreasoned,
	}
	s.count(counts)
	s.judge(record, 2*a.Period())
	for _, l := range record.Loads {
		s.FirmShedMWh += l.Undelivered.MegawattHours()
	}
	return s, nil
}

func (s *Summary) count(c journal.Counts) {
	s.Commands, s.Confirmed, s.Failed, s.Superseded, s.Unconfirmed = c.Commands, c.Confirmed, c.Failed, c.Superseded, c.Open
}

// judge counts the violations in the plant's record.
func (s *Summary) judge(r plant.Record, allowed time.Duration) {
	for i, n := range r.Nodes {
		if i == 0 {
			s.TruthMWh = n.Energy.MegawattHours()
		}
		for _, e := range n.Excursions {
			if e.Beyond > allowed {
				s.LimitViolations++
			}
		}
		s.Nodes = append(s.Nodes, NodeRecord{
			ID: string(n.Node), PeakW: n.PeakPower.Watts(), TimeOverS: n.TimeOver.Seconds(), LongestOverS: n.LongestOver.Seconds(),
			LongestBeyondS: n.LongestBeyond.Seconds(), Excursions: n.Count,
		})
	}
}

// print writes the summary as asked for.
func (o Options) print(s Summary) error {
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	fmt.Fprintln(o.Out, s.text)
	fmt.Fprintf(o.Out, "By the emulated site's own record (to %s):\n", s.To.Format(time.DateTime))
	t := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  node\tpeak\tstretches above its limit\tlongest\tlongest outside its overload curve")
	for _, n := range s.Nodes {
		fmt.Fprintf(t, "  %s\t%.2f MW\t%d\t%.0f s\t%.0f s\n", n.ID, n.PeakW/1e6, n.Excursions, n.LongestOverS, n.LongestBeyondS)
	}
	_ = t.Flush()
	fmt.Fprintf(o.Out, "Limit violations (longer than two control periods and outside the curve): %d\n", s.LimitViolations)
	fmt.Fprintf(o.Out, "Firm energy not delivered: %.3f MWh\n", s.FirmShedMWh)
	fmt.Fprintf(o.Out, "Commands: %d; confirmed %d, failed with a named cause %d, replaced by a newer one %d, open %d, without a reason %d\n",
		s.Commands, s.Confirmed, s.Failed, s.Superseded, s.Unconfirmed, s.Unreasoned)
	fmt.Fprintf(o.Out, "Speed: asked %.0f, held %.0f\n", s.SpeedAsked, s.SpeedHeld)
	return nil
}
