package source

import (
	"strings"
	"testing"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/unit"
)

// lease is 60 MW at 125 $/kW-month, 7,500,000 $ a month. 0.1 % of October is 44.64 minutes.
const lease = `tenant: acme
contract: MSA-1
timezone: UTC
customer: {name: Acme}
seller: {name: North Creek, pay: [Bank]}
versions:
  - from: 2026-01-01
    kind: colocation
    colocation: {critical: 60 MW, rate: 125 $/kW-month, lease: modified, power: {losses: true}}
`

const promise = `    sla: {availability: 99.9 %, credits: [{below: 99.9 %, credit: 5 %}], maintenance_notice: 24h, maintenance_hours: 1h}
`

const right = `    curtailment: {power: 10 MW, hours: 10h, price: 100 $/MWh}
`

// amended is the lease with its promise, and from the 16th on with what else is agreed.
func amended(first, then string) string {
	if then == "" {
		return lease + first
	}
	part := lease[strings.Index(lease, "    kind:"):]
	return lease + first + "  - from: 2026-10-16\n" + strings.Replace(part, "losses: true", "losses: true, adder: 1 $/MWh", 1) + then
}

// october is a month of acme's, with the feeder without power for so long from each of the times.
func october(t *testing.T, text string, down map[time.Time]time.Duration, events ...usage.Event) *invoice.Service {
	t.Helper()
	c, err := contract.Parse("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := invoice.PeriodOf("2026-10", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	stretches, err := c.Month("2026-10")
	if err != nil {
		t.Fatal(err)
	}
	in := invoice.In{Contract: c, Period: p}
	full := (60 * unit.Megawatt).Over(length)
	for at := p.From; at.Before(p.To); at = at.Add(length) {
		r := usage.Row{Tenant: "acme", Start: at, Critical: full, Billed: full, Wanted: full, Cost: site.Some(unit.Dollar)}
		for from, d := range down {
			if !at.Before(from) && at.Before(from.Add(d)) {
				r.Critical, r.Billed, r.Short, r.Down = 0, 0, full, length
			}
		}
		in.Rows = append(in.Rows, r)
	}
	assess(&in, stretches, events, p.To.AddDate(0, 0, 2))
	return in.Service
}

func on(d, hour int) time.Time { return time.Date(2026, 10, d, hour, 0, 0, 0, time.UTC) }

// An amendment in the middle of a month that changes nothing of the promise changes nothing of
// what it comes to: 40 minutes of the month are within its 44.64, 45 are not and cost 5 % of the
// month's rent, and one hour of maintenance is excluded in the month, not in each of its parts.
func TestAnAmendmentIsNoSecondMonth(t *testing.T) {
	maintained := func(d int) usage.Event {
		return usage.Event{Kind: usage.Maintenance, From: on(d, 2), To: on(d, 3), Announced: on(d-3, 0), Why: "service"}
	}
	other := strings.Replace(right, "10 MW", "12 MW", 1)
	for name, terms := range map[string][2]string{
		"whole": {promise, ""}, "amended": {promise, promise}, "whole with a right": {promise + right, ""}, "the same right": {promise + right, promise + right},
		"another right": {promise + right, promise + other}, "a right from then on": {promise, promise + right},
	} {
		text := amended(terms[0], terms[1])
		v := october(t, text, map[time.Time]time.Duration{on(20, 1): 40 * time.Minute})
		if v.Lost != 40*time.Minute || v.Credit != 0 || v.Fees != 7_500_000*unit.Dollar || v.Counted != 744*time.Hour {
			t.Errorf("%s, 40 minutes: %s of %s lost, credit %s of %s", name, v.Lost, v.Counted, v.Credit, v.Fees)
		}
		v = october(t, text, map[time.Time]time.Duration{on(10, 1): 20 * time.Minute, on(20, 1): 25 * time.Minute})
		if v.Lost != 45*time.Minute || v.Credit != 375_000*unit.Dollar || v.Share != 0.05 {
			t.Errorf("%s, 45 minutes: %s lost, credit %s, share %v", name, v.Lost, v.Credit, v.Share)
		}
		v = october(t, text, map[time.Time]time.Duration{on(10, 2): time.Hour, on(20, 2): time.Hour}, maintained(10), maintained(20))
		if v.Lost != time.Hour || v.Counted != 743*time.Hour || v.Credit != 375_000*unit.Dollar || len(v.Excluded) != 1 {
			t.Errorf("%s, maintenance: %s of %s lost, credit %s, %v", name, v.Lost, v.Counted, v.Credit, v.Excluded)
		}
	}
}

// Where the promise itself is another from the 16th on, each part is judged by its own, and an hour
// of maintenance a month is shared by their time: 15 and 16 of 31 days.
func TestAnotherPromiseSharesTheMonth(t *testing.T) {
	better := strings.Replace(promise, "availability: 99.9 %", "availability: 99.95 %", 1)
	text := amended(promise, better)
	from := on(20, 2)
	v := october(t, text, map[time.Time]time.Duration{from: time.Hour},
		usage.Event{Kind: usage.Maintenance, From: from, To: from.Add(time.Hour), Announced: on(1, 0), Why: "service"})
	want := time.Hour - time.Hour*16/31 // 29 min 2 s, of 16 days less what is excluded: 0.126 %, 5 % of their rent
	if d := v.Lost - want; d < -time.Second || d > time.Second {
		t.Errorf("%s lost, want %s", v.Lost, want)
	}
	rent := 7_500_000 * unit.Dollar
	if got, want := v.Credit, contractShare(rent, 16, 31)/20; got-want > 2 || want-got > 2 {
		t.Errorf("credit %s, want %s", got, want)
	}
	if v.Promised != 0.9995 || v.Fees != rent {
		t.Errorf("%+v", v)
	}
}

func contractShare(m unit.Money, days, of int64) unit.Money {
	return m * unit.Money(days) / unit.Money(of)
}

// A right that takes back 10 MW until the 15th and 12 MW from then on is judged by what holds as
// power is taken: 12 MW on the 10th are too much, on the 20th they are not.
func TestARightIsJudgedByItsOwnTime(t *testing.T) {
	text := amended(promise+right, promise+strings.Replace(right, "10 MW", "12 MW", 1))
	taken := func(d int) usage.Event {
		return usage.Event{Kind: usage.Curtailment, From: on(d, 2), To: on(d, 3), Power: 12 * unit.Megawatt, Consented: "the right", Announced: on(d, 0), Why: "heat"}
	}
	v := october(t, text, nil, taken(10), taken(20))
	if len(v.Excluded) != 1 || !v.Excluded[0].From.Equal(on(20, 2)) || len(v.Breaches) != 1 || !strings.Contains(v.Breaches[0], "the right is to 10 MW") {
		t.Error(v.Excluded, v.Breaches)
	}
}
