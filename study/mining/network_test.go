package mining

import (
	"math"
	"testing"
	"time"

	"switchyard/market"
	"switchyard/market/network"
	"switchyard/unit"
)

// Bitcoin Core, src/chainparams.cpp (main network: nSubsidyHalvingInterval 210,000) and
// src/test/validation_tests.cpp: block_subsidy_test and subsidy_limit_test.
func TestSubsidyOfBitcoinCore(t *testing.T) {
	if network.Halving != 210_000 {
		t.Errorf("halving every %d blocks", network.Halving)
	}
	before := int64(2 * 50 * market.Satoshi)
	for k := range int64(64) {
		if got := market.Subsidy(k * 210_000); got != before/2 {
			t.Errorf("after %d halvings: %d satoshi, want %d", k, got, before/2)
		}
		if k > 0 && market.Subsidy(k*210_000-1) != before {
			t.Errorf("the block before halving %d has %d satoshi, want %d", k, market.Subsidy(k*210_000-1), before)
		}
		before /= 2
	}
	if got := market.Subsidy(64 * 210_000); got != 0 {
		t.Errorf("after 64 halvings: %d satoshi", got)
	}
	sum := int64(0)
	for height := int64(0); height < 14_000_000; height += 1000 {
		sum += 1000 * market.Subsidy(height)
	}
	if sum != 2_099_999_997_690_000 {
		t.Errorf("%d satoshi in all, want 2,099,999,997,690,000", sum)
	}
}

// Bitcoin Core, src/test/pow_tests.cpp: get_next_work, _pow_limit, _lower_limit_actual and
// _upper_limit_actual. The clamp: difficulty rises and falls fourfold at the most.
func TestRetargetOfBitcoinCore(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, newest int64
		last, want    network.Bits
	}{
		{"get_next_work", 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"get_next_work_pow_limit", 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"get_next_work_lower_limit_actual", 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"get_next_work_upper_limit_actual", 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
	} {
		got := network.NextWork(c.last, time.Unix(c.first, 0), time.Unix(c.newest, 0))
		if got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, uint32(got), uint32(c.want))
		}
		if r := got.Difficulty() / c.last.Difficulty(); r > 4.0001 || r < 0.2499 {
			t.Errorf("%s: difficulty moves by %v", c.name, r)
		}
	}
}

// epoch is the time in which the main network had a difficulty: from its first block on, and the
// times of its first and last blocks.
type epoch struct {
	height       int64 // of the first block
	bits         network.Bits
	first, last  int64
	bitsThatCame network.Bits // of the epoch that followed
}

// The main network's epochs of 2024 as their block headers say; the Sparrow wallet's library drongo
// lists them in src/test/resources/headers/mainnet-retargets.txt, by the height that they end before.
func epochs() []epoch {
	return []epoch{
		{822528, 0x1703e8b3, 1703311464, 1704501378, 0x1703d869},
		{824544, 0x1703d869, 1704501692, 1705760375, 0x1704005a},
		{826560, 0x1704005a, 1705761155, 1706888111, 0x1703ba5d},
		{828576, 0x1703ba5d, 1706888526, 1708006020, 0x170371b1},
		{830592, 0x170371b1, 1708008110, 1709253900, 0x17038c12},
		{832608, 0x17038c12, 1709253937, 1710397305, 0x17035a59},
		{834624, 0x17035a59, 1710397689, 1711619239, 0x170362d3},
		{836640, 0x170362d3, 1711619463, 1712783397, 0x17034219},
		{838656, 0x17034219, 1712783853, 1713969900, 0x170331db},
		{840672, 0x170331db, 1713970312, 1715252012, 0x1703629a},
		{842688, 0x1703629a, 1715252414, 1716444342, 0x170355f0},
		{844704, 0x170355f0, 1716445130, 1717664336, 0x17035cb8},
		{846720, 0x17035cb8, 1717664663, 1718874866, 0x17035d25},
		{848736, 0x17035d25, 1718875797, 1720149002, 0x17038a6d},
		{850752, 0x17038a6d, 1720149673, 1721321644, 0x17036e3a},
		{852768, 0x17036e3a, 1721322584, 1722417204, 0x17031abe},
		{854784, 0x17031abe, 1722417212, 1723679655, 0x17033d76},
		{856800, 0x17033d76, 1723679961, 1724854413, 0x1703255b},
		{858816, 0x1703255b, 1724855515, 1726023352, 0x1703098c},
		{860832, 0x1703098c, 1726025157, 1727293148, 0x17032f14},
		{862848, 0x17032f14, 1727293228, 1728454931, 0x17030ecd},
		{864864, 0x17030ecd, 1728456399, 1729620194, 0x1702f128},
		{866880, 0x1702f128, 1729620301, 1730758810, 0x1702c4e4},
		{868896, 0x1702c4e4, 1730759288, 1731961296, 0x1702c070},
		{870912, 0x1702c070, 1731962532, 1733153157, 0x1702b563},
		{872928, 0x1702b563, 1733153640, 1734311939, 0x170297fa},
		{874944, 0x170297fa, 1734312810, 1735508535, 0x1702905c},
	}
}

func TestRetargetsOf2024(t *testing.T) {
	all := epochs()
	for k, e := range all {
		if got := network.NextWork(e.bits, time.Unix(e.first, 0), time.Unix(e.last, 0)); got != e.bitsThatCame {
			t.Errorf("block %d: %08x, want %08x", e.height+network.Epoch, uint32(got), uint32(e.bitsThatCame))
		}
		if k > 0 && (all[k-1].bitsThatCame != e.bits || all[k-1].height+network.Epoch != e.height) {
			t.Errorf("block %d does not follow", e.height)
		}
	}
}

// The days of 2024 that lie whole in one epoch, as shared/data has them: their blocks, counted by the
// network's hashrate at the headers' difficulty, pay the subsidy of the schedule, and what a PH/s earned by
// the table is the hashprice of our formula. The table has six digits of hashrate.
func TestDaysOf2024(t *testing.T) {
	keys, days := table(t, "bitcoin-network-daily-2019-2024.csv.gz", 1, 2, 4, 5)
	compared, earned, expected := 0, 0.0, 0.0
	for _, e := range epochs() {
		difficulty := e.bits.Difficulty()
		for k, d := range days {
			date, err := time.Parse(time.DateOnly, keys[k])
			if err != nil {
				t.Fatal(err)
			}
			price, hash, subsidies, fees := d[0], d[1]*1000, d[2], d[3]
			if date.Year() != 2024 || date.Unix() < e.first || date.AddDate(0, 0, 1).Unix() > e.last {
				continue
			}
			count := hash * 1e15 * 86_400 / (difficulty * (1 << 32))
			blocks := math.Round(count)
			if math.Abs(count-blocks) > 0.002 {
				t.Errorf("%s: %v blocks", keys[k], count)
			}
			subsidy := float64(market.Subsidy(839_999)) / market.Satoshi
			if keys[k] > "2024-04-20" {
				subsidy = float64(market.Subsidy(840_000)) / market.Satoshi
			}
			if keys[k] == "2024-04-20" { // block 840,000 was found nine minutes past midnight, after three others
				subsidy = (3*6.25 + (blocks-3)*3.125) / blocks
			}
			if subsidies != blocks*subsidy {
				t.Errorf("%s: %v bitcoin of subsidy, %v blocks pay %v", keys[k], subsidies, blocks, blocks*subsidy)
			}
			reward := subsidy + fees/blocks
			if got, want := Hashprice(difficulty, reward, price), (subsidies+fees)*price/hash; math.Abs(got-want) > 2e-6*want {
				t.Errorf("%s: %v $/PH/day, the table %v", keys[k], got, want)
			}
			compared++
			earned += (subsidies + fees) / hash
			expected += ExpectedBTC(1, 1, difficulty, reward)
		}
	}
	if compared < 330 || math.Abs(earned-expected) > 1e-6*earned {
		t.Errorf("%d days, on which a PH/s earned %v bitcoin, expected %v", compared, earned, expected)
	}
	t.Logf("%d days; a PH/s earned %.6f bitcoin", compared, earned)
}

// The exhibit of a pool's public contract (SEC, accession number 0000950170-23-019070).
func TestPaidByFPPS(t *testing.T) {
	const difficulty = 21_448_277_761_059
	near4(t, "BTC a PH and day", ExpectedBTC(1, 1, difficulty, 6.25), 0.0058619, 5e-8)
	near4(t, "FPPS", market.FPPS(149*6.25, 110.36520932), 1.118513, 5e-7)
	near4(t, "paid, without a fee", PaidBTC(1, 1, difficulty, 6.25, 149*6.25, 110.36520932, 0), 0.0058619*1.118513, 1e-7)
	near4(t, "of 20 PH/s in ten days less 2 %", PaidBTC(20, 10, difficulty, 6.25, 149*6.25, 110.36520932, 0.02), 200*0.98*0.0058619*1.118513, 2e-5)
	// The same is the hashprice of a block that pays its share of the fees.
	near4(t, "by the mean reward", ExpectedBTC(1, 1, difficulty, 6.25+110.36520932/149), 0.0058619*1.118513, 1e-7)
}

func near4(t testing.TB, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Machines of public tables at 50 $/PH/day, no fee and no cooling: a MWh is 3.6e9 J, which at e J/TH
// are 3.6e9/e TH; a PH/day is 8.64e7 TH. Value is of the live site, in whole micro-dollars.
func TestBreakeven(t *testing.T) {
	for _, m := range []struct {
		name  string
		th, w float64
	}{
		{"S19j Pro", 104, 3068}, {"S19 XP", 140, 3010}, {"S21", 200, 3500}, {"S21 XP", 270, 3645}, {"M66S++", 356, 5518},
	} {
		perMWh := 3.6e9 / (m.w / m.th)
		near4(t, m.name, Breakeven(50, m.w/m.th, 0, 1), 50*perMWh/8.64e7, 1e-9)
		with := Breakeven(50, m.w/m.th, 0.02, 1.05)
		near4(t, m.name+" less a fee, with cooling", with, 0.98/1.05*50*perMWh/8.64e7, 1e-9)
		near4(t, m.name+" and back", BreakevenHashprice(with, m.w/m.th, 0.02, 1.05), 50, 1e-9)
		near4(t, m.name+" at the live site", market.Breakeven(unit.DollarsPerPHDay(50), unit.Efficiency(m.w/m.th), 0.02, 1.05).DollarsPerMWh(), with, 1e-6)
	}
	if Breakeven(50, 0, 0, 1) != 0 || Breakeven(50, 20, 0, 0) != 0 || BreakevenHashprice(50, 20, 1, 1) != 0 {
		t.Error("what cannot be is not zero")
	}
}
