package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/billing"
	"switchyard/billing/energyreport"
	"switchyard/billing/usage"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// recorded makes a store of Test Creek with an hour of usage from midnight, the first of October.
func recorded(t *testing.T) (dir string) {
	t.Helper()
	f, err := loadSite("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	record, err := usage.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := billing.Open(t.Context(), db, billing.Contracts{Tree: tree}); err != nil {
		t.Fatal(err)
	}
	s, err := usage.NewSite(energyreport.PlanOf(f))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 10, 1, 0, 0, 0, 0, f.Location())
	for i := range 12 {
		at := begin.Add(time.Duration(i) * telemetry.Length).UTC()
		r := func(subject string, e unit.Energy) telemetry.Interval {
			return telemetry.Interval{Subject: subject, Start: at, Energy: e * unit.KilowattHour, Sources: 1, Measured: telemetry.Length}
		}
		out := usage.Attribute(usage.In{Site: s, Start: at, Meters: []telemetry.Interval{
			r(string(sitefile.MeterID("connection")), 60), r(string(sitefile.MeterID("ai-hall")), 20), r("s21", 25), r("old", 12),
		}})
		if _, err := record.Put(t.Context(), out.Rows, out.Balance); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUsageExport(t *testing.T) {
	dir := recorded(t)
	export := []string{"usage", "export", "--site", "testdata/site.yaml", "--store", dir, "--from", "2026-10-01", "--to", "2026-11-01"}
	r := env{}.run(t, append(export, "--format", "ndjson")...)
	r.wants(t, 0, []string{`"type":"switchyard.usage.energy","subject":"acme","time":"2026-10-01T05:00:00Z"`, `"source":"urn:switchyard:Test%20Creek"`, `"critical_kwh":20`}, nil)
	if n := strings.Count(r.out, "\n"); n != 12 {
		t.Errorf("%d lines", n)
	}
	file := filepath.Join(t.TempDir(), "october.json")
	env{}.run(t, append(export, "-o", file)...).wants(t, 0, nil, []string{"12 events written to " + file})
	data, err := os.ReadFile(file)
	var batch []map[string]any
	if err != nil || json.Unmarshal(data, &batch) != nil || len(batch) != 12 {
		t.Errorf("%v: %s", err, data)
	}

	ids := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var events []struct {
			ID string `json:"id"`
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &events); err != nil || r.Header.Get("Authorization") != "Bearer s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for _, e := range events {
			ids[e.ID] = true
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	t.Setenv("USAGE_TOKEN", "s3cret")
	post := append(export, "--post", server.URL, "--token-ref")
	for range 2 { // sending again is harmless
		env{}.run(t, append(post, "env:USAGE_TOKEN", "--batch", "5")...).wants(t, 0, nil, []string{"12 events sent"})
	}
	if len(ids) != 12 {
		t.Errorf("%d ids", len(ids))
	}
	env{}.run(t, append(post, "env:NO_SUCH_TOKEN")...).wants(t, 2, nil, []string{"--token-ref", "empty or not set"})
	t.Setenv("USAGE_TOKEN", "wrong")
	env{}.run(t, append(post, "env:USAGE_TOKEN")...).wants(t, 1, nil, []string{"401 Unauthorized", "is the token right"})
	env{}.run(t, append(export, "--tenant", "nobody")...).wants(t, 3, nil, []string{`no tenant "nobody"`, "acme"})
	env{}.run(t, "usage", "export", "--from", "2026-10-01", "--to", "2026-11-01").wants(t, 2, nil, []string{"--site FILE is needed"})
	env{}.run(t, "usage", "export", "--site", "testdata/site.yaml", "--store", dir, "--from", "2026-11-01", "--to", "2026-10-01").wants(t, 2, nil, []string{"is not before"})
	env{}.run(t, append(export, "--format", "lago", "--batch", "500")...).wants(t, 2, nil, []string{"Lago takes 100"})
}

func TestEnergyReport(t *testing.T) {
	dir := recorded(t)
	report := []string{"energy", "report", "--site", "testdata/site.yaml", "--store", dir, "--month"}
	grid := filepath.Join(t.TempDir(), "grid.csv")
	if err := os.WriteFile(grid, []byte("time,kg/MWh\n2026-10-01 00:00,400\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, append(report, "2026-10", "--carbon", grid)...).wants(t, 0, []string{
		"Energy of Test Creek, 2026-10", "12 of 8928 intervals", "tenant acme", "Carbon by place        0.288 t CO2e",
		"Missing: 8916 of 8928 intervals are not in the record", "Missing: carbon by contract",
	}, nil)
	var v struct {
		Energy float64 `json:"energy_kwh"`
		Carbon float64 `json:"carbon_location_kg"`
		Uses   []struct {
			Kind string  `json:"kind"`
			KWh  float64 `json:"kwh"`
		} `json:"uses"`
	}
	r := env{}.run(t, append(report, "2026-10", "--carbon", grid, "-o", "json")...)
	r.decode(t, &v)
	sum := 0.0
	for _, u := range v.Uses {
		sum += u.KWh
	}
	if v.Energy != 720 || sum != 720 || v.Carbon != 288 {
		t.Errorf("%+v", v)
	}
	env{}.run(t, append(report, "2026-10", "-o", "csv")...).wants(t, 0, []string{"energy,revenue meter,720.000,kWh"}, nil)
	env{}.run(t, append(report, "2025-01")...).wants(t, 3, nil, []string{"no interval of 2025-01"})
	env{}.run(t, append(report, "October")...).wants(t, 2, nil, []string{`"October" is no month`})
	env{}.run(t, append(report, "2026-10", "--carbon", "testdata/site.yaml")...).wants(t, 2, nil, []string{`there is no column "time"`})
}
