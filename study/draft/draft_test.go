package draft

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/input"
)

var update = flag.Bool("update", false, "write the golden files anew")

// whole is a site of which all is known.
func whole() Site {
	by := func(is string, from figure.Origin, source string) Value { return Value{is, from, source} }
	return Site{
		Name: "North Creek", Start: figure.MonthOf(2027, 1),
		Record:    []string{"Measured by the record of 30 days: 2026-11-22 to 2026-12-22, 98 % of the time is there. The connection drew 3.1 MW in the mean and 4.02 MW at most."},
		Notes:     []string{"2 MW of the connection's 62 MW is held for tenants who are there already; only the rest is decided on."},
		Utility:   by("60 MW", figure.Contract, "limit of the connection in site.yaml"),
		MiningPUE: Measured("1.0213", "meters of hall-a over their machines, in the record of 30 days"),
		Halls: []Hall{
			{
				ID: "hall-a", Power: Assumed("30 MW", "limit of hall-a in site.yaml"),
				Notes: []string{"Metered: 24.1 MW in the mean, 28.8 MW in the twentieth part of the time that was highest."},
				Fleet: []Machines{
					{Model: "S21", Count: 8000, Hash: "199.3 TH/s", Power: "3533 W", Fee: by("1.5 %", figure.Contract, "pool_fee of s21 in site.yaml"), From: figure.Measured, How: "28.3 MW over 8000 machines, at their most"},
				},
			},
			{ID: "hall-b.2", Power: Assumed("30 MW", "limit"), Fleet: []Machines{{Model: "S19 XP", Count: 100}}},
		},
		Power: Power{
			Prices: "prices/rt 2026.csv", Column: "rt_price_usd", Source: "the prices that site.yaml goes by",
			Adder: by("12.5 $/MWh", figure.Contract, "market.price.adder in site.yaml"), Demand: by("3.25 $/kW-month", figure.Contract, "peak"),
			Coincident: by("60 $", figure.Contract, "4CP"),
			Blocks:     []Block{{Power: by("10 MW", figure.Contract, "block"), Price: by("39 $/MWh", figure.Contract, "block"), Until: figure.MonthOf(2029, 1), Keep: true}},
		},
		Bitcoin: Bitcoin{
			Price: by("61234 $", figure.Published, "btc.csv"), Difficulty: by("1.1234e+14", figure.Published, "btc.csv"),
			Hashprice: by("44.12 $/PH/day", figure.Published, "btc.csv"),
		},
		Leases: []Lease{{
			ID: "like-acme", Tenant: "Acme AI, Inc.", Kind: "net", Rate: by("140 $/kW-month", figure.Contract, "MSA-1, 2026-01-01"),
			Escalator: by("3 %", figure.Contract, "MSA-1"), Term: by("144 months", figure.Contract, "MSA-1"), Notes: []string{"One more lease on the terms of Acme AI."},
		}},
	}
}

// bare is a site of which nobody knows more than that it has miners.
func bare() Site {
	return Site{
		Name: "Bare", Start: figure.MonthOf(2026, 12), Utility: Value{Is: "5 MW", From: figure.Contract},
		Halls: []Hall{{ID: "hall", Power: Assumed("4 MW", "nameplate"), Fleet: []Machines{{Model: "S21", Count: 1000, Hash: "200 TH/s", Power: "3500 W", From: figure.Published, How: "nameplate"}}}},
	}
}

func TestWriteGolden(t *testing.T) {
	for name, s := range map[string]Site{"whole": whole(), "bare": bare()} {
		got, err := Write(s)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for i, line := range bytes.Split(got, []byte("\n")) {
			if bytes.TrimRight(line, " ") == nil && len(line) > 0 || bytes.HasSuffix(line, []byte(" ")) {
				t.Errorf("%s:%d ends in blanks", name, i+1)
			}
		}
	}
}

// What is written is a study file of known keys and good values, and says of what it was told
// just that.
func TestTheDraftIsAStudyFile(t *testing.T) {
	for name, s := range map[string]Site{"whole": whole(), "bare": bare()} {
		f := read(t, s)
		if len(f.Halls) != len(s.Halls) || f.Start != s.Start || len(f.Options) < 4 || len(f.Scenarios) < 4 {
			t.Errorf("%s: %d halls, from %s, %d options", name, len(f.Halls), f.Start, len(f.Options))
		}
	}
	f := read(t, whole())
	a := f.Halls[0]
	if a.Fleet[0].Hash.TH() != 199.3 || a.Fleet[0].Power.Watts() != 3533 || a.Fleet[0].Count != 8000 || a.Fleet[0].Fee.From != figure.Contract || a.Fleet[0].From != figure.Measured || a.Fleet[0].Uptime.From != figure.Assumption {
		t.Errorf("fleet %+v", a.Fleet[0])
	}
	if f.Site.MiningPUE.Is != 1.0213 || f.Site.MiningPUE.From != figure.Measured || f.Site.Utility.From != figure.Contract {
		t.Errorf("site %+v", f.Site)
	}
	if f.Halls[1].ID != whole().Halls[1].ID {
		t.Errorf("a name came back as %q", f.Halls[1].ID)
	}
	l := f.Leases[0]
	if l.Rate.Is.DollarsPerKWMonth() != 140 || l.Rate.From != figure.Contract || l.Term.Is != 144 || l.Kind != "net" || l.Upkeep.From != figure.Assumption {
		t.Errorf("lease %+v", l)
	}
	b := f.Power.Blocks[0]
	if b.Power.Is.Megawatts() != 10 || b.Until != figure.MonthOf(2029, 1) || b.Resale == nil || *b.Resale || f.Power.Coincident.Is != 60 {
		t.Errorf("power %+v", f.Power)
	}
	if f.Bitcoin.Price.Is != 61234 || f.Bitcoin.Difficulty.Is != 1.1234e14 {
		t.Errorf("bitcoin %+v", f.Bitcoin)
	}
}

// read decodes what is written of s as strictly as a study file is read.
func read(t interface{ Fatal(...any) }, s Site) *input.File {
	data, err := Write(s)
	if err != nil {
		t.Fatal(err)
	}
	f, faults := input.Parse("study.yaml", data, func(name string) ([]byte, error) {
		if name != whole().Power.Prices {
			return nil, fs.ErrNotExist
		}
		return prices(), nil
	})
	if len(faults) > 0 {
		t.Fatal(faults.Error() + "\n" + string(data))
	}
	return f
}

// prices are a year of them, every hour.
func prices() []byte {
	var b bytes.Buffer
	b.WriteString("time,rt_price_usd\n")
	for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(time.Hour) {
		fmt.Fprintf(&b, "%s,%d\n", at.Format(time.RFC3339), 20+at.Hour())
	}
	return b.Bytes()
}

// Names of sites and sources are written by people: whatever they hold, they stay text.
func TestAnyTextStaysText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := bare()
		say := rapid.StringOfN(rapid.RuneFrom([]rune(" abc:#\"'\\{}[],&*!|>%@`-?\n\t0123\u00e9~")), 1, 30, -1)
		s.Name, s.Utility.Source, s.Halls[0].Fleet[0].How = say.Draw(t, "name"), say.Draw(t, "source"), say.Draw(t, "how")
		s.Notes = []string{say.Draw(t, "note")}
		f := read(t, s)
		clean := func(s string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(s) }
		if strings.TrimSpace(s.Name) == "" {
			s.Name = "the site"
		}
		if f.Study != clean(s.Name) || f.Site.Utility.Source != clean(s.Utility.Source) {
			t.Fatalf("%q came back as %q, %q as %q", s.Name, f.Study, s.Utility.Source, f.Site.Utility.Source)
		}
	})
}

// The halving of 2024 was on 20 April at block 840,000, that of 2020 on 11 May at block 630,000:
// the guess is good to some days.
func TestHeightAt(t *testing.T) {
	for m, want := range map[figure.Month]int64{figure.MonthOf(2024, 5): 840_000 + 11*144, figure.MonthOf(2025, 1): 877_000, figure.MonthOf(2024, 1): 823_800} {
		if got := HeightAt(m); got < want-1000 || got > want+1000 {
			t.Errorf("%s: %d, want about %d", m, got, want)
		}
	}
}
