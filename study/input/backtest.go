package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/study/figure"
	"switchyard/unit"
)

// ourPolicy is the one whose capture counts where the study names none.
const ourPolicy = "switchyard"

// readBacktest takes capture and programme income from the report that the file names.
func (l *loader) readBacktest() {
	t := &l.f.Power
	if t.Backtest == "" {
		return
	}
	data := l.beside("power.backtest", t.Backtest)
	if data == nil {
		return
	}
	b, err := parseBacktest(data, t.Policy)
	if err != nil {
		what, right, _ := strings.Cut(err.Error(), "; ")
		l.fault("power.backtest", right, "%s: %s", t.Backtest, what)
		return
	}
	b.File = t.Backtest
	l.f.Backtest = b
	source := fmt.Sprintf("backtest %s: %s, %s to %s", b.File, b.Policy, b.From, b.To)
	line, _ := l.doc.At("power.backtest")
	give := func(path, value string) {
		l.f.Given = append(l.f.Given, Provenance{Path: path, Value: value, From: figure.Published, Source: source, Line: line})
	}
	if t.Capture == nil {
		t.Capture = figure.Of(unit.Ratio(b.Capture), figure.Published, source)
		give("power.capture", printed(t.Capture.Is))
	}
	if t.Programmes == nil && b.Income > 0 {
		t.Programmes = figure.Of(unit.DollarsPerKWMonth(b.Income/12e3), figure.Published, source)
		give("power.programmes", printed(t.Programmes.Is))
	}
	if from, to := b.days(); to.Sub(from) < 300*24*time.Hour {
		l.warn("power.backtest", "backtest at least a year", "%s covers %s to %s and not all seasons", b.File, b.From, b.To)
	}
}

func (b *Backtest) days() (from, to time.Time) {
	from, _ = time.Parse(time.DateOnly, b.From)
	to, _ = time.Parse(time.DateOnly, b.To)
	return from, to
}

// report is what a study reads of a backtest's report.
type report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	PowerMW  float64   `json:"power_mw"`
	Policies []struct {
		Name        string   `json:"name"`
		Information string   `json:"information"`
		Capture     *float64 `json:"uplift_capture"`
		Breakdown   struct {
			Reserve float64 `json:"reserve_usd"`
		} `json:"breakdown"`
	} `json:"policies"`
}

// parseBacktest reads a report. Policy is a name, and may say after a blank what was known when
// ("switchyard start"); else the late knowledge counts, which promises less. An error says after
// "; " what would be right.
func parseBacktest(data []byte, policy string) (*Backtest, error) {
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("it is no backtest's report (%w); write one with `switchyard backtest -o json`", err)
	}
	if policy == "" {
		policy = ourPolicy
	}
	best := -1
	var there []string
	for i, p := range r.Policies {
		key := p.Name + " " + p.Information
		there = append(there, key)
		if p.Name == policy && (best < 0 || p.Information == "late") || key == policy {
			best = i
		}
	}
	years := r.To.Sub(r.From).Hours() / 8766
	switch {
	case len(there) == 0:
		return nil, errors.New("it holds no policies; write one with `switchyard backtest -o json`")
	case best < 0:
		return nil, fmt.Errorf("it holds no policy %.60q; it holds %.300s", policy, strings.Join(there, ", "))
	case years <= 0 || years > 100 || r.From.Year() < 1970 || r.To.Year() > 2199:
		return nil, fmt.Errorf("it says from %.40s to %.40s; the end must follow the beginning", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	}
	p := r.Policies[best]
	reserve := p.Breakdown.Reserve
	switch {
	case p.Capture == nil:
		return nil, fmt.Errorf("%s captures nothing: there was nothing to gain by foresight; write capture: yourself", there[best])
	case *p.Capture < -1 || *p.Capture > 1.02:
		return nil, fmt.Errorf("%s captures %.6g; it can be from -1 to 1", there[best], *p.Capture)
	case reserve < 0 || reserve > 0 && r.PowerMW <= 0 || reserve > 1e6*r.PowerMW*years:
		return nil, fmt.Errorf("reserves paid %.6g $ for %.6g MW; up to 1 $M per MW and year is believed", reserve, r.PowerMW)
	}
	b := &Backtest{Policy: there[best], From: r.From.Format(time.DateOnly), To: r.To.Format(time.DateOnly), Capture: min(*p.Capture, 1)}
	if reserve > 0 {
		b.Income = reserve / r.PowerMW / years
	}
	return b, nil
}
