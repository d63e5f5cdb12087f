package world

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/unit"
)

func of[T any](v T) *figure.Figure[T] { return figure.Of(v, figure.Assumption, "test") }

func months(n int) input.Months { return of(figure.Months(n)) }

// study is of four halls over 12 years from January 2027, in an uncertain world.
func study() *input.File {
	return &input.File{
		Start: figure.MonthOf(2027, 1), Years: 12, Seed: 1, Inflation: of(unit.Ratio(0.025)),
		Halls: make([]input.Hall, 4),
		Power: input.Tariff{
			Growth: of(unit.Ratio(0.03)), Volatility: of(unit.Ratio(0.6)), HalfLife: months(2),
			SpikeChance: of(unit.Ratio(0.1)), SpikeHours: of(20.0), SpikePrice: of(unit.DollarsPerMWh(400)),
		},
		Clouds: []input.Cloud{{Volatility: of(unit.Ratio(0.25))}},
		Bitcoin: input.Bitcoin{
			Price: of(figure.Dollars(100_000)), Difficulty: of(1.4e14), Height: 930_000, Fees: of(0.03),
			Drift: of(unit.Ratio(0.05)), Volatility: of(unit.Ratio(0.55)),
			Response: of(0.04), Improvement: of(unit.Ratio(0.2)), Noise: of(unit.Ratio(0.2)),
			Floor: of(unit.DollarsPerMWh(45)), Efficiency: of(unit.Efficiency(26)), PowerCorrelation: of(0.3),
		},
	}
}

func model(t testing.TB, f *input.File) *Model {
	t.Helper()
	m, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// near tells whether two figures agree to a share of the second.
func near(t testing.TB, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s is %.10g, want %.10g", what, got, want)
	}
}

// sample gathers a figure over many paths.
type sample struct{ n, sum, squares float64 }

func (s *sample) add(v float64) { s.n++; s.sum += v; s.squares += v * v }

func (s *sample) mean() float64 { return s.sum / s.n }

func (s *sample) variance() float64 { return (s.squares - s.sum*s.sum/s.n) / (s.n - 1) }

// is tells whether the mean is what it should be, within four standard errors.
func (s *sample) is(t testing.TB, what string, want float64) {
	t.Helper()
	if e := math.Sqrt(s.variance() / s.n); math.Abs(s.mean()-want) > 4*e+1e-12*math.Abs(want) {
		t.Errorf("%s is %.6g on average, want %.6g within %.2g", what, s.mean(), want, 4*e)
	}
}

// shared returns the path of a file of recorded market data; the test is skipped by name
// where it is not there.
func shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs shared/data/%s beside the project", name)
	}
	return path
}
