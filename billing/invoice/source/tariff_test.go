package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/billing/invoice"
	"switchyard/sitefile"
	"switchyard/unit"
)

// A month that was billed keeps the tariffs it was billed by: another rate in the site file, or
// another charge, is none of it. Peaks that are settled since, and a coincident charge that comes
// with them, are.
func TestTariffsAsBilled(t *testing.T) {
	was := sitefile.Charges{
		Demand: []sitefile.DemandCharge{{
			Name: "delivery", Rate: unit.DollarsPerKWMonth(4), Interval: 30 * time.Minute, Daily: &sitefile.Daily{From: "14:00", To: "20:00"}, Weekdays: true, Months: []int{10},
		}},
		Coincident: []sitefile.CoincidentCharge{{Name: "4CP", Rate: unit.DollarsPerKWMonth(5), Interval: 15 * time.Minute, Months: []int{6, 7, 8, 9}, Count: 1}},
	}
	kept := []invoice.Tariff{demandTariff(was.Demand[0]), peakTariff(was.Coincident[0])}
	s := &Source{charges: sitefile.Charges{
		Demand: []sitefile.DemandCharge{{Name: "delivery", Rate: unit.DollarsPerKWMonth(9)}, {Name: "more", Rate: unit.DollarsPerKWMonth(1)}},
		Coincident: []sitefile.CoincidentCharge{
			{Name: "4CP", Rate: unit.DollarsPerKWMonth(7), Interval: time.Hour, Months: []int{1}, Count: 2, Settled: []time.Time{on(1, 1)}},
			{Name: "new", Rate: unit.DollarsPerKWMonth(1), Settled: []time.Time{on(2, 1)}},
		},
	}}
	want := was
	want.Coincident = []sitefile.CoincidentCharge{was.Coincident[0], s.charges.Coincident[1]}
	want.Coincident[0].Settled = s.charges.Coincident[0].Settled
	if diff := cmp.Diff(want, s.chargesUnder(invoice.Terms{Kept: true, Tariffs: kept})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.charges, s.chargesUnder(invoice.Terms{})); diff != "" {
		t.Error("not kept:", diff)
	}
	if s.charges.Coincident[0].Count != 2 {
		t.Error("the site file's were written to")
	}
	inv := invoice.Invoice{Number: "2026-000001", Tariffs: kept}
	raw, err := inv.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := invoice.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, back.Tariffs); diff != "" {
		t.Error(diff)
	}
}
