package sector_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/study/input"
	"switchyard/study/sector"
)

const folder = "../../docs/studies"

// prices stands in for the hourly prices that a reader makes, in the form that lake-mariner.md gives
// them: a year of hours.
func prices() []byte {
	var b strings.Builder
	b.WriteString("interval_start,price_usd_per_mwh\n")
	for at := time.Date(2017, 1, 1, 0, 0, 0, 0, time.FixedZone("", -5*3600)); at.Year() < 2018; at = at.Add(time.Hour) {
		fmt.Fprintf(&b, "%s,%d\n", at.Format(time.RFC3339), 10+at.Hour()+int(at.Month()))
	}
	return []byte(b.String())
}

func load(t *testing.T, name string) *input.File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	f, faults := input.Parse(name, data, func(path string) ([]byte, error) {
		if path != "nyiso-zone-a.csv" {
			return nil, os.ErrNotExist
		}
		return prices(), nil
	})
	if len(faults) > 0 {
		t.Fatalf("%s: %v", name, faults)
	}
	return f
}

// TestExamplesLoad reads the manual's examples; every figure in them has a source, and one that is told
// as published is told by somebody.
func TestExamplesLoad(t *testing.T) {
	for _, name := range []string{"core-scientific.yaml", "lake-mariner.yaml", "lake-mariner-flat.yaml", "gpu-cloud.yaml"} {
		f := load(t, name)
		for _, w := range f.Warnings {
			t.Errorf("%s: %v", name, w)
		}
		published := 0
		for _, g := range f.Given {
			if g.From == "" || g.Source == "" {
				t.Errorf("%s: %s is from %q, source %q", name, g.Path, g.From, g.Source)
			}
			if g.From == "published" {
				published++
			}
		}
		if published < 5 {
			t.Errorf("%s holds %d published figures: it is no example from public facts", name, published)
		}
	}
}

// TestExamplesAgreeWithTheTable: the leases of the examples have the rates and terms of the public deals.
func TestExamplesAgreeWithTheTable(t *testing.T) {
	deals := map[string]sector.Contract{}
	for _, c := range sector.Contracts() {
		deals[c.Name] = c
	}
	core := load(t, "core-scientific.yaml")
	critical := 0.0
	for _, h := range core.Halls {
		critical += h.Critical.Is.Megawatts()
	}
	for _, name := range []string{"Core Scientific for CoreWeave, first 200 MW", "Core Scientific for CoreWeave, second contract of 70 MW"} {
		deal := deals[name]
		critical -= deal.Critical
		l := core.Leases[0]
		if rate := l.Rate.Is.DollarsPerKWMonth(); math.Abs(rate-deal.Rate()) > 0.005 || float64(l.Term.Is) != deal.Years*12 {
			t.Errorf("the example has %.2f $/kW-month for %v, %s %.2f for %g years", rate, l.Term.Is, name, deal.Rate(), deal.Years)
		}
	}
	if critical != 0 {
		t.Errorf("the example has %g MW more than the contracts", critical)
	}
	deal, l := deals["TeraWulf for Core42, Lake Mariner"], load(t, "lake-mariner.yaml").Leases[0]
	if l.Rate.Is.DollarsPerKWMonth() != deal.First || math.Abs(float64(l.Escalator.Is)-deal.Escalator/100) > 1e-12 || float64(l.Term.Is) != deal.Years*12 || l.Kind != deal.Kind {
		t.Errorf("the example's lease %+v is not that of %s", l, deal.Name)
	}
	note, n := sector.Loans()[0], load(t, "gpu-cloud.yaml").Financings[0].Notes
	if float64(n.Amount.Is) != note.Amount*1e6 || math.Abs(float64(n.Coupon.Is)-note.Rate/100) > 1e-12 || float64(n.Term.Is) != note.Years*12 || float64(n.Convert.Is) != 16.395 {
		t.Errorf("the example's note %+v is not %s", n, note.Name)
	}
}

// TestFlatIsTheSame: the two files of Lake Mariner differ in their prices and in what they say of them alone.
func TestFlatIsTheSame(t *testing.T) {
	text := func(name string) []string {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		var keep []string
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "#") && !strings.Contains(line, "NYISO") && !strings.Contains(line, "prices: nyiso") {
				keep = append(keep, line)
			}
		}
		return keep
	}
	hourly, flat := text("lake-mariner.yaml"), text("lake-mariner-flat.yaml")
	if len(hourly) < 100 || strings.Join(hourly, "") != strings.Join(flat, "") {
		t.Errorf("%d and %d lines; they must be the same but for the prices", len(hourly), len(flat))
	}
}
