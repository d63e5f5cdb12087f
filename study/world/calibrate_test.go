package world

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"switchyard/study/input"
)

// monthly reads a file of shared market data and returns the monthly means of its columns, the first
// column being the time; values count for at most that much, and months of less than so many lines are left out.
func monthly(t *testing.T, name string, least int, most float64, columns ...int) (labels []string, means [][]float64) {
	t.Helper()
	file, err := os.Open(shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(plain).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	means = make([][]float64, len(columns))
	sums, n := make([]float64, len(columns)), 0
	lines = append(lines[1:], []string{"the end of it"})
	for i := 0; i < len(lines)-1; i++ {
		for k, c := range columns {
			v, err := strconv.ParseFloat(lines[i][c], 64)
			if err != nil {
				t.Fatal(err)
			}
			sums[k] += min(v, most)
		}
		n++
		if month := lines[i][0][:7]; lines[i+1][0][:7] != month {
			if n >= least {
				labels = append(labels, month)
				for k := range sums {
					means[k] = append(means[k], sums[k]/float64(n))
				}
			}
			clear(sums)
			n = 0
		}
	}
	return labels, means
}

// fit is an ordinary least-squares regression of y on the rows of x: the coefficients, their standard
// errors and the standard deviation of what is left.
func fit(t *testing.T, x [][]float64, y []float64) (b, e []float64, s float64) {
	t.Helper()
	k := len(x[0])
	// The normal equations beside the unit matrix, by Gauss and Jordan.
	a := make([][]float64, k)
	for i := range a {
		a[i] = make([]float64, 2*k+1)
		for r, row := range x {
			for j := range k {
				a[i][j] += row[i] * row[j]
			}
			a[i][2*k] += row[i] * y[r]
		}
		a[i][k+i] = 1
	}
	for i := range a {
		p := a[i][i]
		if math.Abs(p) < 1e-12 {
			t.Fatal("the regression has no one answer")
		}
		for j := range a[i] {
			a[i][j] /= p
		}
		for r := range a {
			if f := a[r][i]; r != i {
				for j := range a[r] {
					a[r][j] -= f * a[i][j]
				}
			}
		}
	}
	for i := range a {
		b = append(b, a[i][2*k])
	}
	for r, row := range x {
		left := y[r]
		for j := range row {
			left -= b[j] * row[j]
		}
		s += left * left
	}
	s = math.Sqrt(s / float64(len(y)-k))
	for i := range a {
		e = append(e, s*math.Sqrt(a[i][k+i]))
	}
	return b, e, s
}

// within tells whether a default lies in the record's interval of 95 %.
func within(t *testing.T, what string, value, estimate, standardError float64) {
	t.Helper()
	low, high := estimate-1.96*standardError, estimate+1.96*standardError
	t.Logf("%s: the record says %.4f (%.4f to %.4f), the default is %.4f", what, estimate, low, high, value)
	if !(value >= low && value <= high) {
		t.Errorf("%s has the default %.4f; the record allows %.4f to %.4f", what, value, low, high)
	}
}

// defaults is a study whose file says nothing of how its world moves.
func defaults(t *testing.T) *input.File {
	t.Helper()
	text := regexp.MustCompile(`(?m)^power:\n(?:  .*\n)*?(  volatility:.*\n)(  half_life:.*\n)`).ReplaceAllStringFunc(string(input.Example()), func(s string) string {
		return regexp.MustCompile(`  (volatility|half_life):.*\n`).ReplaceAllString(s, "")
	})
	f, faults := input.Parse("study.yaml", []byte(text), nil)
	if faults != nil {
		t.Fatal(faults)
	}
	assumed := map[string]bool{}
	for _, p := range f.Assumed {
		assumed[p.Path] = true
	}
	for _, path := range []string{"bitcoin.response", "bitcoin.noise", "bitcoin.improvement", "power.volatility", "power.half_life"} {
		if !assumed[path] {
			t.Fatalf("the example gives %s, so its default cannot be seen", path)
		}
	}
	return f
}

// TestNetworkDefaults holds the defaults of the network to its record of 2019 to 2024: monthly means of price, hashrate,
// subsidy and fees (bitcoin-network-daily-2019-2024.csv.gz, after SecretSatoshis/Bitcoin-Report-Library).
// The growth of a month is regressed on the logarithm of hashprice in the month before and on time; the months of
// China's ban and of the machines' way elsewhere, May to July and August to December 2021, are set apart. It says
//
//	response     0.021 a month, 95 % from -0.018 to 0.060
//	noise        0.205 a year
//	improvement  21 % a year: the trend of hashprice itself, -0.241 ± 0.032
//
// The record alone cannot tell a slow response from none; a network without one would never come back
// from a halving. 0.04 lies above the middle of the interval.
func TestNetworkDefaults(t *testing.T) {
	labels, v := monthly(t, "bitcoin-network-daily-2019-2024.csv.gz", 28, math.Inf(1), 1, 2, 4, 5)
	if len(labels) != 72 || labels[28] != "2021-05" {
		t.Fatalf("%d months", len(labels))
	}
	var growth, worth []float64
	var before, trend [][]float64
	for at := range labels {
		h := math.Log((v[2][at] + v[3][at]) * v[0][at] / (1000 * v[1][at]))
		worth = append(worth, h)
		years := float64(at) / 12
		trend = append(trend, []float64{1, years})
		if at+1 == len(labels) {
			break
		}
		growth = append(growth, math.Log(v[1][at+1]/v[1][at]))
		ban, back := 0.0, 0.0
		switch next := labels[at+1]; {
		case next >= "2021-05" && next <= "2021-07":
			ban = 1
		case next >= "2021-08" && next <= "2021-12":
			back = 1
		}
		before = append(before, []float64{1, h, years, ban, back})
	}
	f := defaults(t)
	b, e, s := fit(t, before, growth)
	within(t, "bitcoin.response", f.Bitcoin.Response.Is, b[1], e[1])
	yearly := s * math.Sqrt(12)
	within(t, "bitcoin.noise", float64(f.Bitcoin.Noise.Is), yearly, yearly/math.Sqrt(2*float64(len(growth)-5)))
	b, e, _ = fit(t, trend, worth)
	within(t, "bitcoin.improvement, as the fall of hashprice", -math.Log(1-float64(f.Bitcoin.Improvement.Is)), -b[1], e[1])
}

// TestPowerDefaults holds the defaults of the power level to hourly prices: the logarithms of monthly means
// of NYISO zone A, day-ahead, 2016 to 2018 (36 months) and of ERCOT HB_WEST, real-time, July 2023 to December 2024 (18 months, each hour
// at most 200 $/MWh: what lies above is spikes), less a yearly wave; regressed on the month before, with Kendall's
// correction of the bias, (1+3x)/n. Of a month's deviation 0.38 (95 %: 0.05 to 0.70) and 0.19 (-0.31 to 0.70)
// are left a month later; they spread by 0.24 (0.18 to 0.30) and 0.27 (0.18 to 0.37) about their mean. Three years say nothing of how prices move over ten: the growth, the
// scenarios and the tornado are for that.
func TestPowerDefaults(t *testing.T) {
	f := defaults(t)
	k := 12 * math.Ln2 / float64(f.Power.HalfLife.Is)
	stays := math.Exp(-k / 12)
	spread := float64(f.Power.Volatility.Is) / math.Sqrt(2*k)
	for _, c := range []struct {
		name   string
		months int
	}{
		{"nyiso-west-da-hourly-2016-2018.csv.gz", 36},
		{"ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz", 18},
	} {
		x := levels(t, c.name, c.months)
		var rows [][]float64
		for i := range len(x) - 1 {
			rows = append(rows, []float64{1, x[i]})
		}
		b, e, _ := fit(t, rows, x[1:])
		n := float64(len(x))
		phi := b[1] + (1+3*b[1])/n
		within(t, c.name+": what is left of the level after a month", stays, phi, e[1])
		sum := 0.0
		for _, v := range x {
			sum += v * v
		}
		sd := math.Sqrt(sum / (n - 3))
		independent := n * (1 - phi*phi) / (1 + phi*phi)
		within(t, c.name+": the spread of its logarithm", spread, sd, sd/math.Sqrt(2*independent))
	}
}

// levels are the logarithms of the monthly means of a file of hourly prices, less their yearly wave.
func levels(t *testing.T, name string, months int) []float64 {
	t.Helper()
	labels, means := monthly(t, name, 600, 200, 1)
	v := means[0]
	if len(labels) != months {
		t.Fatalf("%s has %d months: %v", name, len(labels), labels)
	}
	var rows [][]float64
	for i := range v {
		at := 2 * math.Pi * float64(i) / 12
		rows = append(rows, []float64{1, math.Cos(at), math.Sin(at)})
		v[i] = math.Log(v[i])
	}
	b, _, _ := fit(t, rows, v)
	for i := range v {
		v[i] -= b[0] + b[1]*rows[i][1] + b[2]*rows[i][2]
	}
	return v
}
