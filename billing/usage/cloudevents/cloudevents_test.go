package cloudevents

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func row(revision int, critical, losses, house unit.Energy, gpus ...usage.GPUTime) usage.Row {
	return usage.Row{
		Tenant: "red", Start: noon, Revision: revision, Critical: critical, Losses: losses, House: house, Billed: critical + losses + house,
		GPUs: gpus, Cost: site.Some(unit.DollarsPerMWh(50).Cost(critical + losses + house)),
	}
}

func rows() iter.Seq2[usage.Row, error] {
	h100 := usage.GPUTime{Model: "h100", How: usage.Reserved, Used: 10 * time.Minute, Held: 20 * time.Minute}
	return func(yield func(usage.Row, error) bool) {
		quiet := usage.Row{Tenant: "blue", Start: noon}
		late := row(1, 105_500_000, 3_266_000, 4_313_001, usage.GPUTime{Model: "h100", How: usage.Reserved, Used: 9 * time.Minute, Held: 20 * time.Minute})
		late.Quality = site.Estimated
		for _, r := range []usage.Row{quiet, row(0, 105_000_000, 3_266_000, 4_313_001, h100), late} {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestGoldens(t *testing.T) {
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			var b bytes.Buffer
			n, err := Write(&b, f, Codes{}, Events("urn:switchyard:north", rows()), nil)
			if err != nil || n != 4 {
				t.Fatalf("%d events, %v; want 4", n, err)
			}
			path := filepath.Join("testdata", string(f)+".json")
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Error(diff)
			}
			if f != NDJSON && !json.Valid(b.Bytes()) {
				t.Error("no JSON")
			}
		})
	}
}

// Whatever revisions came, the events of an interval sum to its newest row, exactly, and no two have one id.
func TestEventsSumToTheNewestRow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []usage.Row
		for i := range rapid.IntRange(1, 5).Draw(rt, "revisions") {
			e := func(name string) unit.Energy { return unit.Energy(rapid.Int64Range(0, 1e12).Draw(rt, name)) }
			r := row(i, e("critical"), e("losses"), e("house"))
			for _, sale := range []usage.Sale{usage.Reserved, usage.OnDemand} {
				if rapid.Bool().Draw(rt, "has") {
					r.GPUs = append(r.GPUs, usage.GPUTime{Model: "h100", How: sale, Used: 3600 * time.Duration(rapid.Int64Range(0, 1e9).Draw(rt, "used")), Held: time.Hour})
				}
			}
			all = append(all, r)
		}
		billed, used := new(big.Rat), new(big.Rat)
		ids := map[string]bool{}
		for e, err := range Events("s", func(yield func(usage.Row, error) bool) {
			for _, r := range all {
				if !yield(r, nil) {
					return
				}
			}
		}) {
			if err != nil || ids[e.ID] {
				rt.Fatalf("%v, id twice: %v", err, ids[e.ID])
			}
			ids[e.ID] = true
			add := func(to *big.Rat, n json.Number) {
				if n != "" {
					r, ok := new(big.Rat).SetString(string(n))
					if !ok {
						rt.Fatalf("%q is no number", n)
					}
					to.Add(to, r)
				}
			}
			add(billed, e.Data.Billed)
			add(used, e.Data.Used)
		}
		last := all[len(all)-1]
		want := big.NewRat(int64(last.Billed), 1e6)
		if billed.Cmp(want) != 0 {
			rt.Fatalf("%s kWh, want %s", billed.FloatString(6), want.FloatString(6))
		}
		hours := new(big.Rat)
		for _, g := range last.GPUs {
			hours.Add(hours, big.NewRat(int64(g.Used), int64(time.Hour)))
		}
		if used.Cmp(hours) != 0 {
			rt.Fatalf("%s h, want %s", used.FloatString(9), hours.FloatString(9))
		}
	})
}

// many makes n events of one kind.
func many(n int) iter.Seq2[Event, error] {
	return Events("s", func(yield func(usage.Row, error) bool) {
		for i := range n {
			r := row(0, unit.Energy(i+1), 0, 0)
			r.Start = noon.Add(time.Duration(i) * 5 * time.Minute)
			if !yield(r, nil) {
				return
			}
		}
	})
}

func TestSendingTriesAgainAndSaysWhatItSent(t *testing.T) {
	var calls, events int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("Content-Type") != "application/cloudevents-batch+json" {
			t.Errorf("headers %v", r.Header)
		}
		if calls == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var batch []Event
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &batch); err != nil {
			t.Error(err)
		}
		events += len(batch)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	var told []int
	s := Sender{URL: server.URL, Token: "s3cret", Size: 10, Pause: time.Millisecond, Tell: func(n int) { told = append(told, n) }}
	n, err := s.Send(t.Context(), many(25))
	if err != nil || n != 25 || events != 25 || calls != 4 {
		t.Errorf("sent %d, received %d in %d calls, %v", n, events, calls, err)
	}
	if diff := cmp.Diff([]int{10, 20, 25}, told); diff != "" {
		t.Error(diff)
	}
}

func TestARefusalEndsTheSending(t *testing.T) {
	calls := 0
	status := http.StatusUnauthorized
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(status)
	}))
	defer server.Close()
	s := Sender{URL: server.URL + "?key=s3cret", Token: "t0ken", Pause: time.Millisecond, Tries: 3}
	if _, err := s.Send(t.Context(), many(3)); err == nil || calls != 1 || !strings.Contains(err.Error(), "is the token right") {
		t.Errorf("%d calls, %v", calls, err)
	}
	status, calls = http.StatusBadGateway, 0
	_, err := s.Send(t.Context(), many(3))
	if err == nil || calls != 3 || !strings.Contains(err.Error(), "tried 3 times") {
		t.Errorf("%d calls, %v", calls, err)
	}
	if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("the error tells a secret: %v", err)
	}
	server.Close()
	if _, err = s.Send(t.Context(), many(3)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = s.Send(ctx, many(3)); err == nil {
		t.Error("sent after the end")
	}
	if _, err = (&Sender{URL: "openmeter"}).Send(t.Context(), many(1)); err == nil {
		t.Error("that is no address")
	}
}

// Lago refuses a whole batch for the events that it knows; the others must still arrive.
func TestLagoIsSentOnlyWhatItDoesNotKnow(t *testing.T) {
	known := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Events []lagoEvent `json:"events"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		details := map[string]map[string][]string{}
		for i, e := range in.Events {
			if known[e.Transaction] {
				details[fmt.Sprint(i)] = map[string][]string{"transaction_id": {"value_already_exist"}}
			}
		}
		if len(details) > 0 {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": 422, "error_details": details})
			return
		}
		for _, e := range in.Events {
			known[e.Transaction] = true
		}
	}))
	defer server.Close()
	s := Sender{URL: server.URL, Format: Lago, Pause: time.Millisecond}
	for _, n := range []int{40, 40, 130} {
		if sent, err := s.Send(t.Context(), many(n)); err != nil || sent != n || len(known) != n {
			t.Fatalf("sent %d, known %d, %v", sent, len(known), err)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"error_details":{"0":{"transaction_id":["value_already_exist"]}}}`), 2)
	f.Add([]byte(`{"error_details":{"-1":{}}}`), 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		r := refusal{status: 422, body: body}
		for _, i := range r.known(n) {
			if i < 0 || i >= n {
				t.Errorf("%d of %d", i, n)
			}
		}
		_ = r.Error()
	})
}

func TestDecimals(t *testing.T) {
	for v, want := range map[int64]json.Number{0: "0", 1: "0.000001", -1: "-0.000001", 1_000_000: "1", 1_500_000: "1.5", -12_345_678: "-12.345678"} {
		if got := decimal(v, 6); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}
