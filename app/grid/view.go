package grid

import (
	"net/url"
	"time"

	"switchyard/api"
)

// View is what the grid asks and by which ways it may, for screens.
func (g *Grid) View() api.SignalsView {
	now := g.opt.Clock.Now()
	v := api.SignalsView{At: now}
	in := g.book.View(now)
	for _, s := range in.Sources {
		x := api.SourceView{
			Name: s.Name, Protocol: s.Protocol, Address: plain(g.addresses[s.Name]), State: "ok", HeardAt: when(s.Heard),
			Problem: s.Problem, ProblemAt: when(s.ProblemAt), LostAfterS: s.After.Seconds(), Lost: s.Rule,
		}
		switch {
		case s.Lost:
			x.State = "lost"
		case s.Heard.IsZero():
			x.State = "never"
		}
		v.Sources = append(v.Sources, x)
	}
	for _, s := range in.Signals {
		x := api.SignalOf(s.Signal)
		x.InForce, x.OverruledWhy = s.InForce, s.Why
		if s.By.ID != "" {
			x.OverruledBy = s.By.Source + "/" + s.By.ID
		}
		if x.From.IsZero() {
			x.From = s.Got
		}
		v.Signals = append(v.Signals, x)
	}
	for _, r := range in.Refused {
		v.Refused = append(v.Refused, api.Refusal{At: r.At, Source: r.Source, Text: r.Text})
	}
	return v
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// plain is an address without what may be a secret: users, passwords, queries.
func plain(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address // "127.0.0.1:1502"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
