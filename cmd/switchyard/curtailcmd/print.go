package curtailcmd

import (
	"fmt"
	"io"
	"time"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// Print writes all there is of curtailments, with times in the site's zone.
func Print(out io.Writer, v api.CurtailmentsView, zone *time.Location) {
	if len(v.Rights) == 0 && len(v.Calls) == 0 {
		fmt.Fprintln(out, "No tenant's contract lets the site take power back: see curtail under tenants in `switchyard init`.")
		return
	}
	stamp := func(t time.Time) string { return t.In(zone).Format("01-02 15:04") }
	p := func(w float64) string { return unit.Watts(w).Short() }
	if len(v.Rights) > 0 {
		fmt.Fprintln(out, "Rights")
		g := table.New("tenant", ">power", "notice", "left this year", ">paid, $/MWh", "called by")
		for _, r := range v.Rights {
			g.Add(r.Tenant, p(r.PowerW), span(r.NoticeS), span(r.LeftS)+" of "+span(r.TotalS), fmt.Sprintf("%.2f", r.PriceUSD), map[string]string{"ask": "people", "auto": "the site itself", "never": "people, beside the schedule"}[r.Call])
		}
		g.Print(out, 2)
	}
	if len(v.Proposed) > 0 {
		fmt.Fprintln(out, "\nThe schedule would use")
		g := table.New("tenant", ">less by", "from", "to", "call by")
		for _, k := range v.Proposed {
			by := "now"
			if k.CallBy != nil && k.CallBy.After(v.At) {
				by = stamp(*k.CallBy)
			}
			g.Add(k.Tenant, p(k.PowerW), stamp(k.From), stamp(k.To), by)
		}
		g.Print(out, 2)
	}
	if len(v.Calls) == 0 {
		fmt.Fprintln(out, "\nNobody was curtailed this year.")
		return
	}
	fmt.Fprintln(out, "\nCalled")
	g := table.New("id", "state", "from", "to", ">asked", ">given", "told", "seen", "by", "why")
	for _, k := range v.Calls {
		given, seen, told := "not measured", "not yet", ""
		if k.GivenW != nil {
			given = p(*k.GivenW)
		}
		if k.Seen != nil {
			seen = stamp(*k.Seen)
		}
		if k.Told != nil {
			told = stamp(*k.Told)
		}
		g.Add(k.ID, k.State, stamp(k.From), stamp(k.To), p(k.PowerW), given, told, seen, k.By, k.Why)
	}
	g.Print(out, 2)
}

func span(s float64) string {
	if s == 0 {
		return "none"
	}
	return strictyaml.Duration(seconds(s).Truncate(time.Minute))
}
