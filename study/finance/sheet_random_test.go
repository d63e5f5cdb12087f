package finance_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"switchyard/study/finance"
	"switchyard/study/flow"
)

// anyFlows are flows of any shape: also such as no site would have.
func anyFlows(t *rapid.T) *flow.Flows {
	fl := flow.New(rapid.IntRange(2, 60).Draw(t, "months"))
	fl.Begin = rapid.IntRange(0, min(12, fl.Months-1)).Draw(t, "begin")
	fl.Operate = fl.Begin + rapid.IntRange(0, 18).Draw(t, "build")
	fl.End = rapid.IntRange(fl.Begin+1, fl.Months).Draw(t, "end")
	fl.Failed = rapid.IntRange(-1, fl.Months-1).Draw(t, "failed")
	seed := rapid.Uint64().Draw(t, "seed")
	r := rand.New(rand.NewPCG(seed, 1))
	earn, build := 1e6*r.Float64()*2, 40e6*r.Float64()
	noise := rapid.SampledFrom([]float64{0, 0.3, 2}).Draw(t, "noise")
	vary := func(v float64) float64 { return v * (1 + noise*(2*r.Float64()-1)) }
	for m := fl.Begin; m < min(fl.Operate, fl.Months); m++ {
		fl.Line[flow.Building][m] = vary(-build / float64(fl.Operate-fl.Begin))
		fl.Line[flow.Machines][m] = -vary(build / 100)
		accrued := vary(build / 900) // interest: owed, and no cash
		fl.Line[flow.TenantPut][m], fl.Line[flow.TenantCost][m] = vary(build/200)+accrued, -accrued
		fl.Line[flow.Property][m] = -vary(earn / 50)
	}
	for m := min(fl.Operate, fl.Months); m < fl.End; m++ {
		for l := flow.Mining; l <= flow.Blocks; l++ {
			fl.Line[l][m] = vary(earn / 3)
		}
		for l := flow.PoolFee; l <= flow.Fixed; l++ {
			fl.Line[l][m] = -vary(earn / 7)
		}
		fl.Line[flow.TenantCost][m], fl.Line[flow.TenantPut][m] = -earn/100, -build/500
		fl.Line[flow.Prepaid][m] = -earn / 10
		if m == fl.Operate {
			fl.Line[flow.Prepaid][m] = 3 * earn
		}
		if r.IntN(12) == 0 {
			fl.Line[flow.Machines][m] = -vary(build / 4)
			fl.Line[flow.Resale][m] = vary(build / 40)
		}
		if r.IntN(60) == 0 {
			fl.Line[flow.Sale][m] = vary(build)
		}
	}
	fl.Line[flow.Warrants][fl.Begin] = -build / 30
	return fl
}

func anyTerms(t *rapid.T) finance.Terms {
	x := finance.Terms{
		LoanToCost: rapid.SampledFrom([]float64{0, 0.5, 0.8, 1}).Draw(t, "loan to cost"),
		Rate:       rapid.SampledFrom([]float64{0, 0.07, 0.14}).Draw(t, "rate"), BuildRate: rapid.Float64Range(0, 0.2).Draw(t, "build rate"),
		Upfront: rapid.Float64Range(0, 0.05).Draw(t, "upfront"), Commitment: rapid.Float64Range(0, 0.02).Draw(t, "commitment"),
		Sculpted: rapid.Bool().Draw(t, "sculpted"), Target: rapid.Float64Range(1, 2).Draw(t, "target"), Covenant: 1.1,
		Tenor: rapid.IntRange(1, 60).Draw(t, "tenor"), DSRA: rapid.IntRange(0, 12).Draw(t, "dsra"),
		Sweep:   rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "sweep"),
		TaxRate: rapid.Float64Range(0, 0.4).Draw(t, "tax"), LossLimit: rapid.Float64Range(0, 1).Draw(t, "loss limit"),
		NewYear: rapid.IntRange(0, 11).Draw(t, "tax year"), Relief: rapid.IntRange(0, 4).Draw(t, "relief") == 0,
		BookBuilding: rapid.IntRange(1, 80).Draw(t, "book building"), BookMachines: rapid.IntRange(1, 40).Draw(t, "book machines"),
		Discount: rapid.Float64Range(0, 0.3).Draw(t, "discount"), EquityDiscount: rapid.Float64Range(0, 0.3).Draw(t, "equity discount"),
	}
	var err error
	names := []string{"macrs-5", "macrs-7", "macrs-15", "macrs-20", "line-39", "line-2"}
	if x.Building, err = finance.MACRS(rapid.SampledFrom(names).Draw(t, "building")); err != nil {
		t.Fatal(err)
	}
	if x.Machines, err = finance.MACRS(rapid.SampledFrom(names).Draw(t, "machines")); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "notes") {
		x.Notes = &finance.NotesTerms{
			Amount: rapid.Float64Range(0, 3e7).Draw(t, "amount"), Coupon: rapid.Float64Range(0, 0.1).Draw(t, "coupon"),
			InKind: rapid.Bool().Draw(t, "in kind"), Term: rapid.IntRange(1, 50).Draw(t, "term"), Convert: 10,
			Share: rapid.Float64Range(5, 20).Draw(t, "share"),
		}
	}
	return x
}

// same says that a figure is another's within a millionth of the project's size.
func same(a, b, size float64) bool {
	return math.IsNaN(a) == math.IsNaN(b) && !(math.Abs(a-b) > 1e-6+1e-9*size)
}

// TestSheet holds every row to a spreadsheet's reckoning of the same sentences.
func TestSheet(t *testing.T) {
	out := finance.NewResult(1)
	loans, cut, bound := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		fl, x := anyFlows(t), anyTerms(t)
		loan := finance.Size(fl, &x)
		finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan}, out)
		want := compute(fl, &x)
		if loan != nil && loan.Amount > 0 {
			loans++
			if len(loan.Service) < x.Tenor {
				cut++
			}
			if loan.Why == finance.ByCover {
				bound++
			}
		}
		for _, r := range []finance.Row{
			finance.EBITDA, finance.Depreciation, finance.Disposal, finance.Released, finance.NetIncome, finance.TaxDepreciation,
			finance.LossesUsed, finance.LossesLeft, finance.TaxBasis, finance.CFADS, finance.BeforeCash, finance.TaxPaid, finance.Capex,
			finance.SaleCash, finance.LoanDrawn, finance.LoanFees, finance.LoanInterest, finance.LoanPrincipal, finance.LoanSwept,
			finance.NotesCash, finance.EquityIn, finance.Dividends, finance.Cash, finance.Reserve, finance.Plant, finance.FeesAsset,
			finance.LoanOwed, finance.NotesOwed, finance.PrepaidOwed, finance.TenantOwed, finance.DeferredTax, finance.Capitalised,
			finance.Due, finance.FreeTax, finance.Free, finance.Converted, finance.ToEquity,
		} {
			for m := range fl.Months {
				if a, b := out.Row[r][m], want.col[r][m]; !same(a, b, 1e7) {
					t.Fatalf("%s of month %d is %.6f, and %.6f in the spreadsheet", r, m, a, b)
				}
			}
		}
		if !same(out.NPV, want.npv, 1e7) || !same(out.NPVOwner, want.npvOwner, 1e7) {
			t.Fatalf("NPV %f and %f, in the spreadsheet %f and %f", out.NPV, out.NPVOwner, want.npv, want.npvOwner)
		}
		if out.Debt > 1 && (!same(out.MinDSCR, want.min, 1e4) || !same(out.LLCR, want.llcr, 1e4)) && want.col[finance.LoanOwed][min(fl.Operate, fl.Months)-1] > 0 {
			t.Fatalf("DSCR %f and LLCR %f, in the spreadsheet %f and %f", out.MinDSCR, out.LLCR, want.min, want.llcr)
		}
	})
	if loans == 0 || cut == 0 || bound == 0 {
		t.Errorf("the cases had %d loans, %d cut by the horizon, %d bound by DSCR: none may be zero", loans, cut, bound)
	}
}

// TestBalance holds the statements together in every month of any project: they balance, cash is
// what moved, net income is what equity gained, and Value is Run's NPV.
func TestBalance(t *testing.T) {
	out := finance.NewResult(1)
	var scratch finance.Scratch
	rapid.Check(t, func(t *rapid.T) {
		fl, x := anyFlows(t), anyTerms(t)
		loan := finance.Size(fl, &x)
		// A random path runs on the loan of another case.
		if rapid.Bool().Draw(t, "path") {
			path := anyFlows(t)
			fl = path
		}
		finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan, Quick: true}, out)
		held := func(r finance.Row, m int) float64 {
			if m < 0 {
				return 0
			}
			return out.Row[r][m]
		}
		size := 0.0
		for m := range fl.Months {
			size = max(size, math.Abs(held(finance.Plant, m)), math.Abs(held(finance.EBITDA, m)), math.Abs(held(finance.SaleCash, m)))
			move := func(r finance.Row) float64 { return held(r, m) - held(r, m-1) }
			if off := held(finance.Off, m); math.Abs(off) > 1e-6*max(1, size) {
				t.Fatalf("month %d is %.6f off balance", m, off)
			}
			if a, b := move(finance.Cash), held(finance.CashMove, m); !same(a, b, size) {
				t.Fatalf("cash of month %d moved by %f, and its rows sum to %f", m, a, b)
			}
			if a, b := held(finance.NetIncome, m)+held(finance.Dividends, m), move(finance.Retained); !same(a, b, size) {
				t.Fatalf("month %d earned and paid out %f, and retained %f", m, a, b)
			}
			for _, r := range []finance.Row{finance.Cash, finance.Reserve, finance.LoanOwed, finance.NotesOwed, finance.EquityIn, finance.FeesAsset, finance.LossesLeft} {
				if v := held(r, m); v < -1e-6 {
					t.Fatalf("%s of month %d is %f", r, m, v)
				}
			}
		}
		if owed := held(finance.LoanOwed, fl.Months-1) + held(finance.NotesOwed, fl.Months-1); owed != 0 {
			t.Fatalf("%f is still owed at the end", owed)
		}
		if v := finance.Value(fl, &x, &scratch); v != out.NPV {
			t.Fatalf("Value is %f, NPV %f", v, out.NPV)
		}
	})
}
