package api

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hours stands for what plans and what listens to the grid.
type hours struct {
	*fakes
	schedule ScheduleView
	signals  SignalsView
	forecast ForecastView
}

func (h *hours) Schedule() ScheduleView { _ = h.tell("schedule"); return h.schedule }
func (h *hours) Signals() SignalsView   { _ = h.tell("signals"); return h.signals }
func (h *hours) Forecast() ForecastView { _ = h.tell("forecast"); return h.forecast }

func newHours(t *testing.T) (*face, *hours) {
	t.Helper()
	f := newFace(t)
	h := &hours{fakes: f.fakes}
	f.site.Ahead = h
	f.h = Handler(f.site)
	return f, h
}

var aheadPaths = []string{"schedule", "signals", "forecast"}

func TestTheHoursAheadAreAViewersToRead(t *testing.T) {
	f, _ := newHours(t)
	for _, name := range aheadPaths {
		for _, role := range []Role{"", Viewer, Operates, Admin} {
			f.take()
			w := f.ask(role, "GET", "/api/v1/"+name, "")
			told, audit := f.take()
			if role == "" {
				if w.Code != http.StatusUnauthorized || len(told) > 0 {
					t.Errorf("%s without a token: %d, told %v", name, w.Code, told)
				}
				continue
			}
			if w.Code != http.StatusOK || !cmp.Equal(told, []string{name}) || len(audit) > 0 {
				t.Errorf("%s as %s: %d, told %v, audit %v", name, role, w.Code, told, audit)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			if w := f.ask(Admin, method, "/api/v1/"+name, "{}"); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, name, w.Code)
			}
		}
	}
}

func TestWithoutAPlannerNothingOfItIsServed(t *testing.T) {
	f := newFace(t)
	for _, name := range aheadPaths {
		if w := f.ask(Admin, "GET", "/api/v1/"+name, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	with, _ := newHours(t)
	for f, want := range map[*face]bool{f: false, with: true} {
		if v := decode[SiteView](t, f.ask(Viewer, "GET", "/api/v1/site", "")); v.Ahead != want {
			t.Errorf("the site says that its hours ahead are told: %v, want %v", v.Ahead, want)
		}
	}
}

// Null is unknown: a list of nothing must be told as one, and an unknown value as a null.
func TestListsOfTheHoursAheadAreNeverNull(t *testing.T) {
	f, h := newHours(t)
	w := 2e6
	h.schedule = ScheduleView{
		Loads:    []LoadPlanView{{Load: "hall-a", PowerW: []*float64{&w, nil}}},
		Reserves: []ReservePlanned{{Name: "rrs"}},
	}
	h.signals = SignalsView{Signals: []SignalView{{Key: "vtn/7", Kind: "limit"}}}
	may := regexp.MustCompile(`"(made_at|age_s|profit_usd|bound_usd|gap|late_mwh|by|power_w|price_usd|within_s|for_s|ramp_w_min|to)":null`)
	for _, name := range aheadPaths {
		body := f.ask(Viewer, "GET", "/api/v1/"+name, "").Body.String()
		rest := strings.ReplaceAll(may.ReplaceAllString(body, ""), "[2000000,null]", "")
		if strings.Contains(rest, "null") {
			t.Errorf("%s: a list is null: %s", name, body)
		}
	}
	v := decode[ScheduleView](t, f.ask(Viewer, "GET", "/api/v1/schedule", ""))
	if p := v.Loads[0].PowerW; len(p) != 2 || p[0] == nil || *p[0] != w || p[1] != nil {
		t.Errorf("power by step: %v", p)
	}
	if h.schedule.Loads[0].KeepUSD != nil || h.schedule.Reserves[0].HeldW != nil {
		t.Error("the provider's own plan was written to")
	}
}

func TestTheHoursAheadAreDescribed(t *testing.T) {
	f, _ := newHours(t)
	doc := decode[struct {
		Paths map[string]map[string]struct {
			Description string `json:"description"`
		} `json:"paths"`
	}](t, f.ask("", "GET", "/api/openapi.json", ""))
	src, err := os.ReadFile("aheadview.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(GET|POST|DELETE) (/api/v1/[a-z/{}]+)`).FindAllStringSubmatch(string(src), -1)
	var promised []string
	for _, m := range found {
		promised = append(promised, m[2])
		if op, ok := doc.Paths[m[2]][strings.ToLower(m[1])]; !ok || !strings.Contains(op.Description, "Needs the role viewer") {
			t.Errorf("aheadview.go speaks of %s; the description says %+v", m[0], op)
		}
	}
	for _, name := range aheadPaths {
		if want := fmt.Sprintf("/api/v1/%s", name); !strings.Contains(strings.Join(promised, " "), want) {
			t.Errorf("%s is served and no view says so", want)
		}
	}
}
