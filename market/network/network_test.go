package network

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/market"
	"switchyard/unit"
)

// The vectors of Bitcoin Core's src/test/pow_tests.cpp (get_next_work and its three limits),
// and one whose time taken is below a quarter.
func TestNextWork(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, newest int64
		last, want    Bits
	}{
		{"no limit applies: blocks 30,240 to 32,255", 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"the easiest target: blocks 0 to 2,015", 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"the least time: blocks 66,528 to 68,543", 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"the longest time", 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
		{"a time that runs back counts as the least", 1279008237, 1279008000, 0x1c05a3f4, 0x1c0168fd},
	} {
		if got := NextWork(c.last, time.Unix(c.first, 0), time.Unix(c.newest, 0)); got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, uint32(got), uint32(c.want))
		}
	}
}

func TestCompact(t *testing.T) {
	for _, c := range []struct {
		bits       Bits
		ok         bool
		difficulty float64
	}{
		{Limit, true, 1},
		{0x1b0404cb, true, 16307.420938523983}, // the block header's example in the developer documents
		{0x17034219, true, 86388558925171.02},  // block 840,000
		{0x01003456, false, 0},                 // nought
		{0x04923456, false, 0},                 // negative
		{0xff123456, false, 0},                 // beyond 256 bits
	} {
		target, ok := c.bits.Target()
		if ok != c.ok || ok && Compact(target) != c.bits {
			t.Errorf("%08x: %v %v, and back %08x", uint32(c.bits), target, ok, uint32(Compact(target)))
		}
		if got := c.bits.Difficulty(); math.Abs(got-c.difficulty) > 1e-12*c.difficulty {
			t.Errorf("%08x: difficulty %v, want %v", uint32(c.bits), got, c.difficulty)
		}
	}
}

// The compact form loses only digits beyond the leading ones, towards nought, and never
// turns a target into a negative one.
func TestCompactKeepsLeadingDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 1, 32).Draw(t, "target")
		n := new(big.Int).SetBytes(b)
		if n.Sign() == 0 {
			return
		}
		back, ok := Compact(n).Target()
		if !ok || back.Cmp(n) > 0 {
			t.Fatalf("%x became %x, %v", n, back, ok)
		}
		lost, _ := new(big.Rat).SetFrac(new(big.Int).Sub(n, back), n).Float64()
		if lost >= 1.0/(1<<15) {
			t.Fatalf("%x became %x: %v lost", n, back, lost)
		}
	})
}

// At the rule's own pace nothing changes; a faster network gets a harder target.
func TestRetarget(t *testing.T) {
	began := time.Date(2024, 4, 10, 0, 0, 0, 0, time.UTC)
	s := State{Height: 838_656 + 1007, Began: began, At: began.Add(1007 * Spacing), Bits: 0x17034219, Price: 60_000 * unit.Dollar}
	height, at, next := s.Retarget()
	if height != 840_672 || !at.Equal(began.Add(2016*Spacing)) {
		t.Errorf("retarget at %d, %v", height, at)
	}
	// 2,015 intervals of ten minutes are a little less than two weeks: a little harder.
	if r := next.Difficulty() / s.Bits.Difficulty(); math.Abs(r-2016.0/2015) > 1e-4 {
		t.Errorf("at the rule's pace difficulty goes by %v", r)
	}
	s.Hashrate = unit.Hashrate(s.Bits.Difficulty() * (1 << 32) / 600 * 1.1)
	_, soon, harder := s.Retarget()
	if !soon.Before(at) || harder.Difficulty() <= next.Difficulty() {
		t.Errorf("a tenth more hashrate: %v instead of %v, difficulty %v instead of %v", soon, at, harder.Difficulty(), next.Difficulty())
	}
	fast := State{Height: s.Height, Began: began, At: began.Add(1007 * 9 * time.Minute), Bits: s.Bits}
	if p := fast.pace(); p <= 9*time.Minute || p >= 9*time.Minute+10*time.Second {
		t.Errorf("a thousand blocks of nine minutes tell nearly all: %v", p)
	}
	first := State{Height: 838_656, Began: began, At: began, Bits: s.Bits}
	if first.pace() != Spacing {
		t.Errorf("one block tells nothing: %v", first.pace())
	}
}

func TestPath(t *testing.T) {
	at := time.Date(2024, 4, 19, 12, 0, 0, 0, time.UTC)
	s := State{
		Height: 839_930, At: at, Began: at.Add(-(839_930 - 838_656) * Spacing), Bits: 0x17034219,
		Fees: 78_000_000, Price: 63_740 * unit.Dollar,
	}
	if h, when := s.NextHalving(); h != 840_000 || when.Sub(at) != 70*s.pace() {
		t.Errorf("halving at %d, %v", h, when)
	}
	path := s.Path(at.AddDate(0, 0, 20))
	if len(path) != 4 || path[1].Height != 840_000 || path[2].Height != 840_672 || path[3].Height != 842_688 {
		t.Fatalf("path %+v", path)
	}
	if path[0].Subsidy != 625_000_000 || path[1].Subsidy != 312_500_000 || path[1].Bits != path[0].Bits {
		t.Errorf("halving %+v", path[:2])
	}
	// The share of the fees stays, the subsidy's is halved.
	want := float64(312_500_000+78_000_000) / float64(625_000_000+78_000_000)
	if got := float64(path[1].Hashprice) / float64(path[0].Hashprice); math.Abs(got-want) > 1e-6 {
		t.Errorf("hashprice goes by %v, want %v", got, want)
	}
	if Hashprice(path, at.Add(-time.Hour)) != path[0].Hashprice || Hashprice(path, path[2].From) != path[2].Hashprice || Hashprice(nil, at) != 0 {
		t.Error("the path's hashprice at a time")
	}
	if far, when := s.after(840_672, at).NextHalving(); far != 1_050_000 || when.Before(at.AddDate(3, 10, 0)) || when.After(at.AddDate(4, 2, 0)) {
		t.Errorf("the halving after: %d, %v", far, when)
	}
	if MeanFees(nil) != 0 || MeanFees(append([]int64{1 << 40}, make([]int64, 144)...)) != 0 || MeanFees([]int64{1, 3}) != 2 {
		t.Error("mean fees are of the newest 144 blocks")
	}
}

func TestMean(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	path := []Stretch{{From: at, Hashprice: 5000}, {From: at.Add(12 * time.Hour), Hashprice: 4000}, {From: at.Add(18 * time.Hour), Hashprice: 2000}}
	for _, c := range []struct {
		from, to int // hours
		want     unit.Hashprice
	}{{0, 24, 4000}, {0, 12, 5000}, {-12, 12, 5000}, {12, 24, 3000}, {24, 48, 2000}, {0, 0, 5000}} {
		if got := Mean(path, at.Add(time.Duration(c.from)*time.Hour), at.Add(time.Duration(c.to)*time.Hour)); got != c.want {
			t.Errorf("%d to %d: %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if Mean(nil, at, at.Add(time.Hour)) != 0 {
		t.Error("no path has a mean")
	}
}

func TestOf(t *testing.T) {
	began := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	c := market.Chain{Height: 925_000, At: began.Add(time.Hour), Bits: 0x17034219, Began: began, Fees: 7, Price: unit.Dollar}
	if s, ok := Of(c); !ok || s.Height != c.Height || s.Bits != Bits(c.Bits) || s.Began != began || s.Fees != 7 || s.Price != unit.Dollar || s.At != c.At {
		t.Errorf("%+v, %v", s, ok)
	}
	c.Began = time.Time{}
	if _, ok := Of(c); ok {
		t.Error("an epoch without a beginning")
	}
}

// A public pool contract's exhibit (SEC 0000950170-23-019070): at difficulty
// 21,448,277,761,059 a PH/s earns 0.0058619 BTC a day of subsidies, and 149 blocks with
// 110.36520932 BTC of fees raise that to 111.8513 %.
func TestExhibit(t *testing.T) {
	easy, _ := Limit.Target()
	target, _ := new(big.Float).Quo(new(big.Float).SetInt(easy), big.NewFloat(21_448_277_761_059)).Int(nil)
	s := State{Height: 700_000, Bits: Compact(target), Price: unit.Dollar * 100_000}
	perPH := s.stretch(time.Time{}, 700_001).Hashprice.DollarsPerPHDay() / 100_000
	if math.Abs(perPH-0.0058619) > 5e-8 {
		t.Errorf("%v BTC per PH and day", perPH)
	}
	s.Fees = int64(math.Round(110.36520932 * market.Satoshi / 149))
	with := s.stretch(time.Time{}, 700_001).Hashprice.DollarsPerPHDay() / 100_000
	if math.Abs(with/perPH-1.118513) > 1e-6 {
		t.Errorf("fees raise it to %v", with/perPH)
	}
}

type day struct {
	date                           string
	price, network, subsidy, feesB float64
}

// bitcoin reads the shared daily table, or skips.
func bitcoin(t *testing.T) (out []day) {
	t.Helper()
	f, err := os.Open("../../../shared/data/bitcoin-network-daily-2019-2024.csv.gz")
	if err != nil {
		t.Skip("../shared/data/bitcoin-network-daily-2019-2024.csv.gz is missing")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		var v [6]float64
		for i := 1; i < len(r) && i < 6; i++ {
			if v[i], err = strconv.ParseFloat(r[i], 64); err != nil {
				v[i] = math.NaN()
			}
		}
		out = append(out, day{r[0], v[1], v[3], v[4], v[5]})
	}
	return out
}

// The halving of 2024-04-20 at height 840,000, as the daily table saw it: the day before all
// blocks paid 6.25 bitcoin, from it on 3.125; and the hashprice of the days after the first
// rush of fees is what the path foretold from the day before.
func TestHalvingOf2024(t *testing.T) {
	days := bitcoin(t)
	at := -1
	for i, d := range days {
		if d.date == "2024-04-20" {
			at = i
		}
	}
	if at < 30 {
		t.Fatal("the table does not hold 2024-04-20")
	}
	height := int64(840_000)
	for i := at - 1; i >= at-30; i-- { // back a month: whole blocks of the old subsidy
		blocks := days[i].subsidy / (float64(market.Subsidy(height-1)) / market.Satoshi)
		if blocks != math.Trunc(blocks) || blocks < 90 || blocks > 200 {
			t.Fatalf("%s: %v blocks", days[i].date, blocks)
		}
		height -= int64(blocks)
	}
	if after := days[at].subsidy / (float64(market.Subsidy(840_000)) / market.Satoshi); after != math.Trunc(after) || after < 90 {
		t.Errorf("the day of the halving has %v blocks", after)
	}
	before := days[at-1]
	noon := time.Date(2024, 4, 19, 12, 0, 0, 0, time.UTC)
	s := State{
		Height: 839_925, At: noon, Began: noon.Add(-(839_925 - 838_656) * Spacing), Bits: 0x17034219,
		Fees: int64(before.feesB * market.Satoshi / (before.subsidy / 6.25)), Price: unit.Dollars(before.price),
	}
	path := s.Path(noon.AddDate(0, 0, 4))
	seen := func(d day) float64 { return (d.subsidy + d.feesB) * d.price / (d.network * 1000) }
	was, foretold := path[0].Hashprice.DollarsPerPHDay(), path[1].Hashprice.DollarsPerPHDay()
	t.Logf("2024-04-19: %.1f $/PH/day, seen %.1f; foretold from the halving on %.1f; seen on 2024-04-20 %.1f (a rush of fees), on 04-25 %.1f, on 04-26 %.1f",
		was, seen(before), foretold, seen(days[at]), seen(days[at+5]), seen(days[at+6]))
	if r := was / seen(before); r < 0.9 || r > 1.1 {
		t.Errorf("before: %v $/PH/day, the table has %v", was, seen(before))
	}
	settled := (seen(days[at+5]) + seen(days[at+6])) / 2
	if r := foretold / settled; r < 0.85 || r > 1.15 {
		t.Errorf("after: %v $/PH/day foretold, %v came once fees had settled", foretold, settled)
	}
	if rush := seen(days[at]); rush < 1.2*was {
		t.Errorf("the day itself earned %v: no rush of fees", rush)
	}
}
