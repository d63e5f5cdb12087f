package power

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/unit"
)

func of[T any](v T) *figure.Figure[T] { return figure.Of(v, figure.Assumption, "of a test") }

func dollars(v float64) input.Price { return of(unit.DollarsPerMWh(v)) }

// file is a site of two halls, 75 and 25 MW, whose every month has the prices given.
func file(prices ...float64) *input.File {
	f := &input.File{Start: figure.MonthOf(2027, time.January), Years: 3}
	for _, mw := range []unit.Power{75, 25} {
		f.Halls = append(f.Halls, input.Hall{Power: of(mw * unit.Megawatt)})
	}
	for m := range f.Curve {
		f.Curve[m] = prices
	}
	return f
}

func path(months int, level, spike float64) *world.Path {
	p := &world.Path{Level: make([]float64, months), Spike: make([]float64, months)}
	for t := range months {
		p.Level[t], p.Spike[t] = level, spike
	}
	return p
}

func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// By hand: January has 744 hours, of which 74.4 (a tenth) may be spiked; four prices, each for a quarter.
func TestMonthByHand(t *testing.T) {
	f := file(-10, 20, 30, 60)
	f.Power.SpikeHours, f.Power.Adder = of(74.4), dollars(5)
	tariff, p := New(f), path(36, 2, 100)
	near(t, "hours of January", tariff.Hours(0), 744)
	near(t, "hours of February 2028", tariff.Hours(13), 696)
	near(t, "market", tariff.Market(0, p), 2*25+10) // level x mean, and a tenth of 100
	near(t, "mean", tariff.Mean(0, p), 65)
	for _, c := range []struct{ threshold, share, mean float64 }{
		{-15.01, 0, 0},
		{-15, 0.25, -15}, // 2 x -10 + 5: level scales what is negative as well
		{64.99, 0.5, 15}, // -15 and 45
		{65, 0.75, (-15 + 45 + 65) / 3.0},
		{125, 0.9, (0.25*(-15+45+65) + 0.15*125) / 0.9}, // the dearest price outside the spike
		{224.99, 0.9, (0.25*(-15+45+65) + 0.15*125) / 0.9},
		{225, 1, 65},
	} {
		share, mean := tariff.Below(0, p, c.threshold)
		near(t, "share", share, c.share)
		near(t, "mean", mean, c.mean)
	}
}

func TestSpikesBeyondOnePrice(t *testing.T) {
	f := file(10, 20)
	f.Power.SpikeHours = of(744 * 0.75) // three quarters: half of the cheap hours as well
	tariff, p := New(f), path(36, 1, 5)
	for _, c := range []struct{ threshold, share, mean float64 }{
		{10, 0.25, 10}, {14.9, 0.25, 10}, {15, 0.5, 12.5}, {24.9, 0.5, 12.5}, {25, 1, 18.75},
	} {
		share, mean := tariff.Below(0, p, c.threshold)
		near(t, "share", share, c.share)
		near(t, "mean", mean, c.mean)
	}
}

// oracle walks all prices, each cut where the spike begins.
func oracle(prices []float64, calm, level, spike, adder, threshold float64) (share, mean float64) {
	n := float64(len(prices))
	sum := 0.0
	count := func(width, price float64) {
		if width > 0 && price <= threshold {
			share += width
			sum += width * price
		}
	}
	for k, x := range prices {
		from, to := float64(k)/n, float64(k+1)/n
		count(min(to, calm)-from, level*x+adder)
		count(to-max(from, calm), level*x+spike+adder)
	}
	if share == 0 {
		return 0, 0
	}
	return share, sum / share
}

// Below and Mean are what counting every price says. All figures are eighths and cents times
// eighths, so that equal prices are equal.
func TestBelowIsCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eighths := func(name string, from, to int) float64 { return float64(rapid.IntRange(from, to).Draw(t, name)) / 8 }
		prices := make([]float64, rapid.IntRange(1, 60).Draw(t, "prices"))
		for k := range prices {
			prices[k] = eighths("price", -200, 2000)
			if k > 0 {
				prices[k] = max(prices[k], prices[k-1])
			}
		}
		f := file(prices...)
		f.Power.SpikeHours, f.Power.Adder = of(eighths("spike hours", 0, 8000)), dollars(eighths("adder", 0, 100))
		level := float64(int(1) << rapid.IntRange(0, 3).Draw(t, "level")) // so that dividing by it is exact
		p := path(36, level, eighths("spike", 0, 4000))
		tariff := New(f)
		calm := max(1-f.Power.SpikeHours.Is/744, 0)
		threshold := eighths("threshold", -2000, 20000)
		share, mean := tariff.Below(0, p, threshold)
		wantShare, wantMean := oracle(prices, calm, level, p.Spike[0], tariff.Adder(0), threshold)
		if math.Abs(share-wantShare) > 1e-12 || math.Abs(mean-wantMean) > 1e-8 {
			t.Fatalf("below %v: %v at %v, want %v at %v", threshold, share, mean, wantShare, wantMean)
		}
		_, all := oracle(prices, calm, level, p.Spike[0], tariff.Adder(0), math.Inf(1))
		if math.Abs(tariff.Mean(0, p)-all) > 1e-8 {
			t.Fatalf("mean %v, want %v", tariff.Mean(0, p), all)
		}
	})
}

func TestGrowth(t *testing.T) {
	f := file(40)
	f.Power.Growth, f.Power.Adder = of(unit.Ratio(0.21)), dollars(10)
	f.Power.Demand = of(unit.DollarsPerKWMonth(4))
	f.Power.Coincident = of(figure.Dollars(60)) // a kW and year
	tariff := New(f)
	for month, factor := range map[int]float64{0: 1, 6: 1.1, 12: 1.21, 24: 1.4641} {
		near(t, "adder", tariff.Adder(month), 10*factor)
		near(t, "demand", tariff.Demand(month), 4000*factor)
		near(t, "coincident", tariff.Coincident(month), 5000*factor)
	}
	// The hourly prices' growth is the path's alone.
	near(t, "market", tariff.Market(12, path(36, 1, 0)), 40)
}

// By hand: 40 MW at 30 $/MWh that may be resold, 20 MW at 25 $/MWh that may not, from February 2027
// to January 2028; the market is at 50 $/MWh.
func TestBlocksByHand(t *testing.T) {
	f := file(20, 80)
	f.Power.Adder = dollars(7)
	from, until, no := figure.MonthOf(2027, time.February), figure.MonthOf(2028, time.February), false
	f.Power.Blocks = []input.Block{
		{Power: of(40 * unit.Megawatt), Price: dollars(30), From: from, Until: until},
		{Power: of(20 * unit.Megawatt), Price: dollars(25), From: from, Until: until, Resale: &no},
	}
	tariff, p := New(f), path(36, 1, 0)
	near(t, "shares", tariff.Share(0), 0.75)
	near(t, "before", tariff.Blocks(0, p, 0.75), 0)
	near(t, "after", tariff.Blocks(13, p, 0.75), 0)
	near(t, "February", tariff.Blocks(1, p, 0.75), 672*0.75*(40*(50-30)-20*25))
	near(t, "January 2028, the other hall", tariff.Blocks(12, p, 0.25), 744*0.25*(40*(50-30)-20*25))
	near(t, "covered", tariff.Covered(1, 0.75), 15)
	near(t, "not covered", tariff.Covered(13, 0.75), 0)
	near(t, "energy", tariff.Energy(1, p, 60, 0.75), -672*(15*7+45*57))
	near(t, "energy below the block", tariff.Energy(1, p, 10, 0.75), -672*10*7)
	near(t, "energy without a block", tariff.Energy(0, p, 60, 0.75), -744*60*57)
}

// A block that may be resold is worth the same to who draws much and who draws nothing: together with
// the energy it fixes the price of what is drawn up to it.
func TestBlockWithResaleFixesThePrice(t *testing.T) {
	f := file(12, 50, 180)
	f.Power.Blocks = []input.Block{{Power: of(100 * unit.Megawatt), Price: dollars(33)}}
	tariff := New(f)
	for _, level := range []float64{0.5, 1, 3} {
		p := path(36, level, 0)
		near(t, "drawing the block", tariff.Blocks(0, p, 1)+tariff.Energy(0, p, 100, 1), -744*100*33)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	f := file(12, 50, 180)
	f.Power.SpikeHours = of(12.0)
	tariff, p := New(f), path(36, 1, 100)
	sum := 0.0
	if n := testing.AllocsPerRun(100, func() {
		share, mean := tariff.Below(3, p, 60)
		sum += share + mean + tariff.Mean(3, p) + tariff.Blocks(3, p, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBelow(b *testing.B) {
	prices := make([]float64, 3*744)
	for k := range prices {
		prices[k] = math.Exp(float64(k)/float64(len(prices))*5) - 10
	}
	f := file(prices...)
	f.Power.SpikeHours = of(12.0)
	tariff, p := New(f), path(36, 1, 0)
	p.Spike[5] = 100
	for k := 0; b.Loop(); k++ {
		tariff.Below(k%36, p, float64(k%1000)/8)
	}
}
