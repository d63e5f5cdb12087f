package finance_test

import (
	"testing"

	"switchyard/study/finance"
	"switchyard/study/flow"
)

// usual are the terms of an ordinary loan on an ordinary tax.
func usual(t testing.TB) finance.Terms {
	t.Helper()
	return finance.Terms{
		LoanToCost: 0.7, Rate: 0.09, BuildRate: 0.1, Upfront: 0.02, Commitment: 0.01, Sculpted: true, Target: 1.3, Covenant: 1.1,
		Tenor: 96, DSRA: 6, TaxRate: 0.25, LossLimit: 0.8, Building: table(t, "macrs-15"), Machines: table(t, "macrs-5"),
		BookBuilding: 240, BookMachines: 60, Discount: 0.1, EquityDiscount: 0.13,
	}
}

func table(t testing.TB, name string) []float64 {
	t.Helper()
	shares, err := finance.MACRS(name)
	if err != nil {
		t.Fatal(err)
	}
	return shares
}

// hosting is a conversion of 12 months at 100 $M that then earns 2.4 $M a month.
func hosting(months int) *flow.Flows {
	fl := flow.New(months)
	fl.Begin, fl.Operate, fl.End = 6, 18, months
	for m := fl.Begin; m < fl.Operate; m++ {
		fl.Line[flow.Building][m] = -100e6 / 12
	}
	for m := fl.Operate; m < months; m++ {
		fl.Line[flow.Rent][m] = 3e6
		fl.Line[flow.Upkeep][m] = -0.6e6
	}
	return fl
}

func BenchmarkRunQuick(b *testing.B) {
	fl, terms := hosting(144), usual(b)
	loan := finance.Size(fl, &terms)
	out := finance.NewResult(144)
	for b.Loop() {
		finance.Run(finance.Project{Flows: fl, Terms: &terms, Loan: loan, Quick: true}, out)
	}
	b.ReportAllocs()
}

func BenchmarkValue(b *testing.B) {
	fl, terms := hosting(144), usual(b)
	var s finance.Scratch
	for b.Loop() {
		finance.Value(fl, &terms, &s)
	}
	b.ReportAllocs()
}
