package sector

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// near says that a is within a share of b.
func near(a, b, share float64) bool { return math.Abs(a-b) <= share*math.Abs(b) }

// TestEachRowIsComplete reads the file as a stranger would: dates are days, kinds are known, every
// figure has a source, and nothing is claimed to be neither seen nor remembered.
func TestEachRowIsComplete(t *testing.T) {
	all := Contracts()
	if len(all) < 15 {
		t.Fatalf("%d contracts were read", len(all))
	}
	names := map[string]bool{}
	for _, c := range all {
		if names[c.Name] {
			t.Errorf("%s stands twice", c.Name)
		}
		names[c.Name] = true
		for _, day := range []string{c.Date, c.Source.Date} {
			if _, err := time.Parse(time.DateOnly, day); err != nil || day > AsOf() {
				t.Errorf("%s: %q is no day up to %s", c.Name, day, AsOf())
			}
		}
		if !slices.Contains(Kinds(), c.Kind) {
			t.Errorf("%s: %q is no kind of lease", c.Name, c.Kind)
		}
		if c.Source.Publisher == "" || c.Source.Document == "" || c.Seen == "" {
			t.Errorf("%s has no source, or does not say what of it was seen", c.Name)
		}
		if c.Critical == 0 && c.Gross == 0 || c.Years == 0 || c.Total == 0 && c.First == 0 {
			t.Errorf("%s tells too little to be of use: %+v", c.Name, c)
		}
		if c.Gross > 0 && c.Critical > c.Gross {
			t.Errorf("%s: %g MW critical of %g MW gross", c.Name, c.Critical, c.Gross)
		}
		if n := len(c.Capex); n != 0 && (n != 2 || c.Capex[0] > c.Capex[1] || c.Capex[0] < 1 || c.Capex[1] > 20) {
			t.Errorf("%s: capex %v is no range in $M per MW", c.Name, c.Capex)
		}
		if c.Rate() != 0 && (c.Rate() < 90 || c.Rate() > 200) && c.Kind != "gpu cloud" {
			t.Errorf("%s: %.1f $/kW-month is out of what leases come to; a unit is wrong", c.Name, c.Rate())
		}
	}
}

// TestRates compares with rates worked out by hand from the published megawatts, years and dollars, e.g.
// 3.5e9 / 200,000 kW / 144 months.
func TestRates(t *testing.T) {
	want := map[string]float64{
		"Core Scientific for CoreWeave, first 200 MW":          121.53,
		"Core Scientific for CoreWeave, last option of 120 MW": 115.74,
		"TeraWulf for Fluidstack, Lake Mariner CB-3 and CB-4":  154.17,
		"Galaxy for CoreWeave, Helios phases I to III":         158.43,
		"Cipher for Fluidstack, Barber Lake":                   148.81,
		"Cipher for Amazon Web Services, Black Pearl":          0, // gross megawatts
		"IREN for Microsoft, Childress Horizon 1 to 4":         808.33,
		"Applied Digital for CoreWeave, Ellendale 250 MW":      155.56,
		"Hut 8 for Fluidstack, River Bend":                     158.73,
		"Riot for AMD, Rockdale":                               103.67,
		// 125 x (1.03^10 - 1) / 0.03 / 10
		"TeraWulf for Core42, Lake Mariner": 143.30,
	}
	for _, d := range Deals() {
		if w, asked := want[d.Name]; asked {
			if math.Abs(d.Rate-w) > 0.005 {
				t.Errorf("%s: %.3f $/kW-month, want %.2f", d.Name, d.Rate, w)
			}
			delete(want, d.Name)
		}
	}
	for name := range want {
		t.Errorf("%s is not in the table", name)
	}
}

// TestPublishedTotals adds up what the landlords added up themselves: Core Scientific told 270 MW and 4.725
// bn, 382 MW and 6.7 bn, "approximately 500 MW" and 8.7 bn; Applied Digital 400 MW and 11 bn.
func TestPublishedTotals(t *testing.T) {
	sum := func(prefix, until string) (mw, bn float64) {
		for _, c := range Contracts() {
			if strings.HasPrefix(c.Name, prefix) && c.Date <= until {
				mw, bn = mw+c.Critical, bn+c.Total
			}
		}
		return mw, bn
	}
	for _, w := range []struct {
		prefix, until   string
		mw, bn, offMost float64
	}{
		{"Core Scientific for CoreWeave", "2024-07-01", 270, 4.725, 0},
		{"Core Scientific for CoreWeave", "2024-09-01", 382, 6.7, 0.005},
		{"Core Scientific for CoreWeave", "2024-12-31", 500, 8.7, 0.005},
		{"Applied Digital for CoreWeave", "2025-12-31", 400, 11, 0},
		{"TeraWulf for Fluidstack", "2025-12-31", 360, 6.7, 1e-12},
	} {
		if mw, bn := sum(w.prefix, w.until); !near(mw, w.mw, w.offMost) || !near(bn, w.bn, w.offMost) {
			t.Errorf("%s until %s: %g MW and %g bn, published %g and %g", w.prefix, w.until, mw, bn, w.mw, w.bn)
		}
	}
}

// TestMean compares with the contracts of the manual: 60 MW at 125 $/kW-month, +3 %, owe 7,500,000 $ a
// month in the first year and 9,785,798.88 in the tenth; half a year counts half.
func TestMean(t *testing.T) {
	if got, want := Mean(100, 0.1, 1.5), (100+0.5*110)/1.5; math.Abs(got-want) > 1e-12 {
		t.Errorf("a year and a half: %v, want %v", got, want)
	}
	ten, nine := Mean(125, 0.03, 10)*10, Mean(125, 0.03, 9)*9
	if got := (ten - nine) * 60_000; math.Abs(got-9_785_798.88) > 0.02 {
		t.Errorf("the tenth year's month is %.2f", got)
	}
	if Mean(125, 0.03, 0) != 125 {
		t.Error("a lease of no years has its first rate")
	}
}

// TestLikeWithLike gives leases of each kind the same rate: each is placed among its own alone.
func TestLikeWithLike(t *testing.T) {
	for _, kind := range Kinds() {
		p := Compare(Deal{Name: "ours", Kind: kind, Rate: 150})[0]
		of, below := 0, 0
		for _, d := range Deals() {
			if d.Kind == kind && d.Rate > 0 && kind != "not told" {
				if of++; d.Rate < 150 {
					below++
				}
			}
		}
		if p.Of != of || p.Below != below || of > 0 && p.Share != float64(below)/float64(of) {
			t.Errorf("%s: %+v, want %d below of %d", kind, p, below, of)
		}
	}
	// No lease is below 1 $/kW-month nor above 1,000, and the median is between the extremes of its kind.
	low, high := Compare(Deal{Kind: "modified", Rate: 1})[0], Compare(Deal{Kind: "modified", Rate: 1000})[0]
	if low.Share != 0 || high.Share != 1 || low.Median != high.Median || low.Median < 115 || low.Median > 157 {
		t.Errorf("the lowest %+v, the highest %+v", low, high)
	}
	same := Compare(Of("gross")[0])[0]
	if same.Of != 1 || same.Share != 0.5 {
		t.Errorf("a lease among itself alone stands in the middle, not at %+v", same)
	}
}

// TestCambridge holds the method's units and its published figures. Of a network of 100 EH/s at 0.1 J/GH:
// 1e20 H/s x 1e-10 J/H = 1e10 W = 10 GW, x 8,766 h = 87.66 TWh. The survey of 2025: 268 EH/s are 48 % of the
// network, with 28.2 J/TH, and the authors come to 138 TWh.
func TestCambridge(t *testing.T) {
	if got := CambridgeTWh(0.1, 100e6, 1); !near(got, 87.66, 1e-12) {
		t.Errorf("100 EH/s at 0.1 J/GH: %v TWh", got)
	}
	if got := CambridgeTWh(0.0282, 268e6/0.48, 1); !near(got, 138, 0.004) {
		t.Errorf("Cambridge's own survey: %v TWh, published 138", got)
	}
	low, guess, high := Bounds(100e6, 0.1, 0.1, 0.1)
	if !near(low, 87.66*1.01, 1e-12) || !near(guess, 87.66*1.10, 1e-12) || !near(high, 87.66*1.20, 1e-12) {
		t.Errorf("bounds of one efficiency: %v %v %v", low, guess, high)
	}
}

// TestThreshold: a machine at the threshold earns what its power costs. 1 PH/s at 40 J/TH is 40 kW, 0.96
// MWh a day, at 50 $/MWh 48 $ a day.
func TestThreshold(t *testing.T) {
	if got := Threshold(48, 50); !near(got, 0.040, 1e-12) {
		t.Errorf("%v J/GH, want 0.040", got)
	}
}

func TestEnergy(t *testing.T) {
	all := Energy(876_600) // 100 MW all year: 0.8766 TWh
	want := []struct{ low, high, share float64 }{
		{24, 92, 0.036525}, {138, 138, 0.8766 / 138}, {79.1, 263.1, 0.8766 / 79.1}, {460, 460, 0.8766 / 460}, {620, 1050, 0.8766 / 620},
	}
	for i, w := range want {
		e := all[i]
		if !near(e.Low, w.low, 0.001) || !near(e.High, w.high, 0.001) || !near(e.Share, w.share, 0.001) || e.SiteMWh != 876_600 {
			t.Errorf("%s: %g to %g TWh, share %g; want %+v", e.What, e.Low, e.High, e.Share, w)
		}
		if e.Method == "" || e.Source == "" || e.Low > e.High {
			t.Errorf("%s: method, source or bounds are wrong", e.What)
		}
	}
}

func TestLoans(t *testing.T) {
	for _, l := range Loans() {
		if _, err := time.Parse(time.DateOnly, l.Date); err != nil || l.Source.Document == "" || l.Amount == 0 && l.ToCost == 0 {
			t.Errorf("%+v is not complete", l)
		}
	}
	if n := Loans()[0]; n.Amount != 150 || n.Rate != 8 || n.Years != 5 || !strings.Contains(n.Note, "16.395") {
		t.Errorf("the convertible note is %+v", n)
	}
}
