package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/unit"
)

// TestRun: a short demonstration ends by itself, and its books tie to the plant's own record.
func TestRun(t *testing.T) { // not beside another: both would look for free addresses
	var out bytes.Buffer
	err := Run(context.Background(), Options{
		Miners: 24, Speed: 240, For: 20 * time.Minute, From: noon, Listen: "127.0.0.1:0", Seed: 3, JSON: true, Out: &out, Err: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	var s Summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	if s.LimitViolations != 0 || s.FirmShedMWh != 0 || s.Unconfirmed != 0 || s.Unreasoned != 0 || !s.Complete {
		t.Errorf("%+v", s)
	}
	// What flows before each meter's first reading is in nobody's books: on a slow machine that is
	// seconds of these twenty minutes.
	if math.Abs(s.RemainderPercent) > 2 {
		t.Errorf("the halls miss the meter by %.2f %%", s.RemainderPercent)
	}
	if s.EnergyMWh < 0.01 || math.Abs(s.EnergyMWh/s.TruthMWh-1) > 0.08 {
		t.Errorf("%.4f MWh posted, %.4f in the plant's record", s.EnergyMWh, s.TruthMWh)
	}
	if len(s.Halls) != 5 || s.Commands == 0 && s.ProfitUSD == 0 {
		t.Errorf("%d halls, %d commands, $%.2f", len(s.Halls), s.Commands, s.ProfitUSD)
	}
}

// TestTheSiteFile: what the demonstration writes has everything that its pages show, and is
// read without a warning, with recorded prices too.
func TestTheSiteFile(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{"": "", "real time alone": "rt_price", "both": "da_price_usd_per_mwh,rt_price_usd_per_mwh"} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Miners: 300, Speed: 240, Seed: 4, Listen: "127.0.0.1:0", Err: io.Discard}
			if head != "" {
				o.Prices = filepath.Join(t.TempDir(), "prices.csv")
				doc := "interval_start," + head + "\n"
				for h := range 48 {
					doc += noon.Add(time.Duration(h)*time.Hour).Format(time.RFC3339) + strings.Repeat(",20", strings.Count(head, ",")+1) + "\n"
				}
				if err := os.WriteFile(o.Prices, []byte(doc), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.defaults(); err != nil {
				t.Fatal(err)
			}
			u, err := o.openUtility()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = u.Close() }()
			f, err := o.site(u)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range f.Warnings {
				t.Errorf("warning: %v", w)
			}
			if got, want := f.Market.DayAhead != nil, name != "real time alone"; got != want {
				t.Errorf("day-ahead prices: %v", got)
			}
			if len(f.Signals.OpenADR) != 1 || f.Signals.OpenADR[0].Levels[3] != emergencyPower(300, true) || f.Signals.OpenADR[0].Lost.After != 80*time.Minute {
				t.Errorf("signals %+v", f.Signals)
			}
			if len(f.Reserves) != 1 || f.Reserves[0].Sold[0].Power != 75*unit.Kilowatt || len(f.Market.Charges.Demand) != 1 || len(f.Limits) != 0 {
				t.Errorf("reserves %+v, charges %+v, limits %+v", f.Reserves, f.Market.Charges, f.Limits)
			}
		})
	}
}
