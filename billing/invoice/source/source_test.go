package source

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// week is a month's first week of 5-minute balances and rows: 6 MW of the site and 2 MW of the
// tenant; on Sunday the 4th at 10:00 9 MW and 3 MW, on Monday the 5th at 20:05 12 MW for five minutes.
func week(t *testing.T) (invoice.Period, []usage.Balance, []usage.Row) {
	t.Helper()
	p, err := invoice.PeriodOf("2026-10", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var list []usage.Balance
	var rows []usage.Row
	for i := range 7 * 288 {
		at := p.From.Add(time.Duration(i) * length)
		of := unit.Power(6)
		switch {
		case at.Day() == 4 && at.Hour() == 10 && at.Minute() < 15:
			of = 9
		case at.Day() == 5 && at.Hour() == 20 && at.Minute() == 5:
			of = 12
		}
		list = append(list, usage.Balance{Start: at, Meter: (of * unit.Megawatt).Over(length)})
		rows = append(rows, usage.Row{Start: at, Billed: (of * unit.Megawatt / 3).Over(length)})
	}
	return p, list, rows
}

func TestDemand(t *testing.T) {
	p, list, rows := week(t)
	rate := unit.DollarsPerKWMonth(10)
	for name, c := range map[string]struct {
		charge sitefile.DemandCharge
		peak   unit.Power
		at     string
		amount string
	}{
		"all":       {sitefile.DemandCharge{Rate: rate}, 9 * unit.Megawatt, "2026-10-04T10:00:00Z", "$90,000.00"},
		"weekdays":  {sitefile.DemandCharge{Rate: rate, Weekdays: true}, 8 * unit.Megawatt, "2026-10-05T20:00:00Z", "$80,000.00"},
		"night":     {sitefile.DemandCharge{Rate: rate, Daily: &sitefile.Daily{From: "22:00", To: "06:00"}}, 6 * unit.Megawatt, "2026-10-01T00:00:00Z", "$60,000.00"},
		"5 minutes": {sitefile.DemandCharge{Rate: rate, Interval: length}, 12 * unit.Megawatt, "2026-10-05T20:05:00Z", "$120,000.00"},
	} {
		got, ok := Demand(c.charge, p, time.UTC, list, rows)
		if d := got.Site - c.peak; !ok || d > 100 || d < -100 || got.At.Format(time.RFC3339) != c.at || got.Amount.String() != c.amount {
			t.Errorf("%s: %v %+v %s", name, ok, got, got.Amount)
		}
		if d := got.Tenant*3 - got.Site; d > 100 || d < -100 {
			t.Errorf("%s: the tenant's part is %s of %s", name, got.Tenant, got.Site)
		}
	}
	// A meter that was silent tells of all of it at once: no peak of the site's.
	late := slices.Clone(list)
	late[500].Meter, late[500].Quality = 50*unit.Megawatt.Over(length), site.Estimated
	if got, ok := Demand(sitefile.DemandCharge{Rate: rate}, p, time.UTC, late, rows); !ok || got.Amount.String() != "$90,000.00" {
		t.Errorf("a late reading: %v %+v", ok, got)
	}
	for i := range late {
		late[i].Quality = site.Estimated // nothing else is known
	}
	if got, ok := Demand(sitefile.DemandCharge{Rate: rate}, p, time.UTC, late, rows); !ok || got.Site < 18*unit.Megawatt {
		t.Errorf("all estimated: %v %+v", ok, got)
	}
	if _, ok := Demand(sitefile.DemandCharge{Rate: rate, Months: []int{6}}, p, time.UTC, list, rows); ok {
		t.Error("June's charge is made in October")
	}
	if _, ok := Demand(sitefile.DemandCharge{Rate: rate}, p, time.UTC, nil, rows); ok {
		t.Error("a charge without a record")
	}
}

// A contract's month in UTC begins on the last day of the site's month before; the charge's months
// are still the ones that they are called.
func TestChargesMonthsInAnotherZone(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	p, list, rows := week(t)
	rate := unit.DollarsPerKWMonth(10)
	if _, ok := Demand(sitefile.DemandCharge{Rate: rate, Months: []int{10}}, p, chicago, list, rows); !ok {
		t.Error("October's charge is not made in October")
	}
	if _, ok := Demand(sitefile.DemandCharge{Rate: rate, Months: []int{9}}, p, chicago, list, rows); ok {
		t.Error("September's charge is made in October")
	}
}

// 5 $/kW-month is 60 $ a year on the mean of four peaks: 15 $ on each one's power.
func TestCoincident(t *testing.T) {
	p, list, rows := week(t)
	c := sitefile.CoincidentCharge{Name: "4CP", Rate: unit.DollarsPerKWMonth(5), Months: []int{7, 8, 9, 10}}
	at := []time.Time{p.From.Add(3*24*time.Hour + 10*time.Hour + 3*time.Minute), p.To.Add(time.Hour)}
	got := Coincident(c, at, list, rows)
	want := []invoice.Charge{{
		Kind: invoice.PeakShare, Name: "4CP", At: time.Date(2026, 10, 4, 10, 0, 0, 0, time.UTC), Span: 15 * time.Minute, Amount: 135_000 * unit.Dollar, Tenant: 3 * unit.Megawatt, Site: 9 * unit.Megawatt,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A month's peaks are known once all of them are published.
func TestSettled(t *testing.T) {
	p, _, _ := week(t)
	c := sitefile.CoincidentCharge{Count: 2, Settled: []time.Time{p.From.Add(-time.Hour), p.From, p.To}}
	if at, known, err := Settled(t.Context(), c, p.From, p.To); known || err != nil || len(at) != 1 {
		t.Errorf("one of two peaks: %v, %v, %v", at, known, err)
	}
	c.Settled = append(c.Settled, p.From.Add(30*time.Hour))
	if at, known, err := Settled(t.Context(), c, p.From, p.To); !known || err != nil || len(at) != 2 {
		t.Errorf("two of two peaks: %v, %v, %v", at, known, err)
	}
}

func TestService(t *testing.T) {
	p, _, _ := week(t)
	f := sla.Assess(sla.Input{
		SLA:  contract.SLA{Availability: 0.999, Credits: []contract.Credit{{Below: 0.999, Share: 0.05}}},
		From: p.From, To: p.To, Rent: 100_000 * unit.Dollar,
		Rows: func() (rows []usage.Row) {
			for at := p.From; at.Before(p.To); at = at.Add(length) {
				r := usage.Row{Start: at, Critical: unit.KilowattHour, Wanted: unit.KilowattHour}
				if at.Day() == 3 && at.Hour() < 2 {
					r.Critical, r.Short, r.Down = 0, unit.KilowattHour, length
				}
				rows = append(rows, r)
			}
			return rows
		}(),
		Events: []usage.Event{{Kind: usage.Outage, From: p.From.AddDate(0, 0, 2), To: p.From.AddDate(0, 0, 2).Add(2 * time.Hour), Why: "the feeder tripped", Ref: "journal 5"}},
	})
	v := serviceOf([]sla.Finding{f}, 0.999)
	if v.Lost != 2*time.Hour || v.Counted != 744*time.Hour || v.Credit != 5_000*unit.Dollar || v.Share != 0.05 || len(v.Breaches) == 0 || !strings.Contains(v.Breaches[0], "journal 5") {
		t.Errorf("%+v", v)
	}
	if serviceOf(nil, 0) != nil {
		t.Error("a service without a promise")
	}
}
