package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"testing"
	"time"
)

// TestRun: a short demonstration ends by itself, and its books tie to the plant's own record.
func TestRun(t *testing.T) {
	t.Parallel()
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
	if len(s.Halls) != 4 || s.Commands == 0 && s.ProfitUSD == 0 {
		t.Errorf("%d halls, %d commands, $%.2f", len(s.Halls), s.Commands, s.ProfitUSD)
	}
}
