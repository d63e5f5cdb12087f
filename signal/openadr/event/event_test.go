package event

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/signal"
	"switchyard/unit"
)

// made reads an event whose text leaves out what every event has. "now" is noon.
func made(t testing.TB, body string, change ...func(*Terms)) (*Held, error) {
	t.Helper()
	body = strings.TrimSpace(body)
	if !strings.Contains(body, `"id":`) || strings.Index(body, `"id":`) > 12 {
		body = `{"id":"e1",` + body[1:]
	}
	e, err := Parse([]byte(body))
	if err != nil {
		return nil, err
	}
	terms := Terms{VEN: "site", Issued: e.IssuedAt(noon)}
	for _, f := range change {
		f(&terms)
	}
	return Hold(e, terms)
}

func must(t testing.TB, body string, change ...func(*Terms)) *Held {
	t.Helper()
	h, err := made(t, body, change...)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return h
}

// say prints signals the way a person would.
func say(all []signal.Signal) []string {
	clock := func(t time.Time) string {
		if t.IsZero() { // always, or for ever
			return "…"
		}
		if t.Day() != 1 || t.Month() != 3 {
			return t.UTC().Format("01-02T15:04:05")
		}
		return t.UTC().Format("15:04:05")
	}
	var out []string
	for _, s := range all {
		what := ""
		switch s.Kind {
		case signal.Limit:
			what = s.Power.String()
		case signal.Price:
			what = s.Price.String()
		}
		if s.Emergency {
			what += " emergency"
		}
		out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s-%s", s.Kind, what, clock(s.From), clock(s.To))), " "))
	}
	return out
}

func payloads(kind string, values ...any) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return fmt.Sprintf(`[{"type":"%s","values":[%s]}]`, kind, strings.Join(all, ","))
}

func TestWhatAnEventAsksFor(t *testing.T) {
	limit := func(v any) string { return payloads("IMPORT_CAPACITY_LIMIT", v) }
	for name, c := range map[string]struct {
		body string
		want []string
		old  bool
	}{
		"a price for an hour": {
			body: `{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},"intervals":[{"id":0,"payloads":` + payloads("PRICE", 0.17) + `}]}`,
			want: []string{"price 170 $/MWh 12:00:00-13:00:00"},
		},
		"prices packed into one interval": {
			body: `{"payloadDescriptors":[{"payloadType":"PRICE","units":"MWH","currency":"USD"}],"intervals":[{"id":0,"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT3H"},"payloads":` + payloads("PRICE", 17, 3, -11) + `}]}`,
			want: []string{"price 17 $/MWh 12:00:00-13:00:00", "price 3 $/MWh 13:00:00-14:00:00", "price -11 $/MWh 14:00:00-15:00:00"},
		},
		"intervals follow each other, one with its own length, one with its own start": {
			body: `{"intervalPeriod":{"start":"2026-03-01T11:30:00Z","duration":"PT1H"},"intervals":[
				{"id":0,"payloads":` + limit(5000) + `},
				{"id":1,"intervalPeriod":{"duration":"PT2H"},"payloads":` + limit(4000) + `},
				{"id":2,"payloads":` + limit(3000) + `},
				{"id":3,"intervalPeriod":{"start":"2026-03-01T18:00:00Z"},"payloads":` + limit(2000) + `}]}`,
			want: []string{"limit 5 MW 11:30:00-12:30:00", "limit 4 MW 12:30:00-14:30:00", "limit 3 MW 14:30:00-15:30:00", "limit 2 MW 18:00:00-19:00:00"},
		},
		"now, for ever": {
			body: `{"modificationDateTime":"2026-03-01T11:58:00Z","intervalPeriod":{"start":"0001-01-01T00:00:00Z","duration":"P9999Y"},"intervals":[{"id":0,"payloads":` + limit(5000) + `}]}`,
			want: []string{"limit 5 MW 11:58:00-…"},
		},
		"now, and the VTN's clock is ahead of ours": {
			body: `{"modificationDateTime":"2026-03-01T12:07:00Z","intervalPeriod":{"start":"0001-01-01","duration":"PT1H"},"intervals":[{"id":0,"payloads":` + limit(5000) + `}]}`,
			want: []string{"limit 5 MW 12:00:00-13:00:00"},
		},
		"taken back by a start at the beginning of time and no length": {
			body: `{"intervalPeriod":{"start":"0001-01-01T00:00:00Z","duration":"PT0S"},"intervals":[{"id":0,"payloads":` + limit(5000) + `}]}`,
		},
		"the event's own length cuts its intervals": {
			body: `{"duration":"PT90M","intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},"intervals":[{"id":0,"payloads":` + limit(5) + `},{"id":1,"payloads":` + limit(4) + `},{"id":2,"payloads":` + limit(3) + `}]}`,
			want: []string{"limit 5 kW 12:00:00-13:00:00", "limit 4 kW 13:00:00-13:30:00"},
		},
		"the event's own length repeats its intervals": {
			body: `{"duration":"PT5H","intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},"intervals":[{"id":0,"payloads":` + limit(5) + `},{"id":1,"payloads":` + limit(4) + `}]}`,
			want: []string{"limit 5 kW 12:00:00-13:00:00", "limit 4 kW 13:00:00-14:00:00", "limit 5 kW 14:00:00-15:00:00", "limit 4 kW 15:00:00-16:00:00", "limit 5 kW 16:00:00-17:00:00"},
		},
		"levels: 1 has a limit, 2 has none, 3 is the firm load": {
			body: `{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},"intervals":[{"id":0,"payloads":` + payloads("SIMPLE", 0) + `},{"id":1,"payloads":` + payloads("SIMPLE", 1) + `},{"id":2,"payloads":` + payloads("SIMPLE", 2) + `},{"id":3,"payloads":` + payloads("SIMPLE", 3) + `}]}`,
			want: []string{"limit 7 MW 13:00:00-14:00:00", "limit 2 MW 15:00:00-16:00:00"},
		},
		"an emergency is a limit and is shown": {
			body: `{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT4H"},"intervals":[{"id":0,"payloads":[{"type":"ALERT_GRID_EMERGENCY","values":["The grid\nis falling"]}]}]}`,
			want: []string{"limit 2 MW emergency 12:00:00-16:00:00"},
		},
		"another alert is shown and binds nothing": {
			body: `{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT4H"},"intervals":[{"id":0,"payloads":[{"type":"ALERT_WIND","values":["a storm"]}]}]}`,
			want: []string{"reserve 12:00:00-16:00:00"},
		},
		"a subscription holds where no limit does": {
			body: `{"intervals":[
				{"id":0,"intervalPeriod":{"start":"2026-01-01T00:00:00Z","duration":"P9999Y"},"payloads":` + payloads("IMPORT_CAPACITY_SUBSCRIPTION", 6000) + `},
				{"id":1,"intervalPeriod":{"start":"2026-03-01T13:00:00Z","duration":"PT1H"},"payloads":` + limit(9000) + `},
				{"id":2,"intervalPeriod":{"start":"2026-03-01T16:00:00Z","duration":"PT1H"},"payloads":` + payloads("IMPORT_CAPACITY_RESERVATION", 500) + `}]}`,
			want: []string{"limit 6 MW …-13:00:00", "limit 9 MW 13:00:00-14:00:00", "limit 6 MW 14:00:00-16:00:00", "limit 6.5 MW 16:00:00-17:00:00", "limit 6 MW 17:00:00-…"},
		},
		"3.0: no length holds until taken back": {
			old:  true,
			body: `{"intervals":[{"id":0,"intervalPeriod":{"start":"2026-03-01T12:00:00Z"},"payloads":` + payloads("DISPATCH_SETPOINT", 4000) + `}]}`,
			want: []string{"limit 4 MW 12:00:00-…"},
		},
		"a default of no length, written out, is nothing said": {
			body: `{"duration":"PT0S","intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H","randomizeStart":"PT0S"},"intervals":[{"id":0,"intervalPeriod":{"duration":"PT0S"},"payloads":` + limit(5) + `}]}`,
			want: []string{"limit 5 kW 12:00:00-13:00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := must(t, c.body, func(x *Terms) { x.Old = c.old; x.Levels = map[int]unit.Power{1: 7 * unit.Megawatt} })
			got := Combine([]*Held{h}, "", 2*unit.Megawatt, noon)
			if d := cmp.Diff(c.want, say(got.Signals)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if strings.Contains(fmt.Sprint(got.Signals), "\n") {
				t.Error("a note of several lines")
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	hour := `"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},`
	limit := payloads("IMPORT_CAPACITY_LIMIT", 5)
	for _, c := range []struct{ body, want string }{
		{`{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"-PT1H"},"intervals":[{"id":4,"payloads":` + limit + `}]}`, "interval 4: it ends before it starts"},
		{`{"duration":"-PT1H",` + hour + `"intervals":[{"id":0,"payloads":` + limit + `}]}`, "ends before it starts"},
		{`{"intervalPeriod":{"start":"2026-03-01T12:00:00Z"},"intervals":[{"id":0,"payloads":` + limit + `}]}`, "it has no duration"},
		{`{"intervalPeriod":{"duration":"PT1H"},"intervals":[{"id":0,"payloads":` + limit + `}]}`, "neither it nor the event says when it starts"},
		{`{"intervalPeriod":{"start":"tomorrow","duration":"PT1H"},"intervals":[]}`, `start "tomorrow" is not a time`},
		{`{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"1 hour"}}`, `duration "1 hour"`},
		{`{"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"P9999Y"},"intervals":[{"id":0,"payloads":` + limit + `},{"id":1,"payloads":` + limit + `}]}`, "interval 1: it follows an interval that never ends"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT", "null") + `}]}`, "the value is null"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT", `"5"`) + `}]}`, "is not a number"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT", "-5") + `}]}`, "-5 is below zero"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT", "1e300") + `}]}`, "absurd"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT") + `}]}`, "there is no value"},
		{`{` + hour + `"payloadDescriptors":[{"payloadType":"IMPORT_CAPACITY_LIMIT","units":"THERMS"}],"intervals":[{"id":0,"payloads":` + limit + `}]}`, `a power in "THERMS"`},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("SIMPLE", 7) + `}]}`, "level 7 is not 0, 1, 2 or 3"},
		{`{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("SIMPLE", 1.5) + `}]}`, "level 1.5 is not"},
		{`{"priority":-1,` + hour + `"intervals":[]}`, "priority"},
		{`{"priority":1.5,` + hour + `"intervals":[]}`, "priority"},
		{`{` + hour + `"intervals":{}}`, "does not read as an event"},
		{`{"id":"../x"}`, "it has no id"},
		{`[]`, "does not read as an event"},
	} {
		h, err := made(t, c.body)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n gives %v, %v\n want an error with %q", c.body, h, err, c.want)
		}
	}
}

// TestWhatIsLeftOut: what does not limit the site is left out with a line, the rest holds.
func TestWhatIsLeftOut(t *testing.T) {
	hour := `"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H"},`
	for _, c := range []struct {
		body, problem, ignored string
		signals                int
	}{
		{body: `{` + hour + `"intervals":[{"id":7,"payloads":` + payloads("PRICE", "null") + `},{"id":8,"payloads":` + payloads("PRICE", 0.1) + `}]}`, problem: `interval 7: "PRICE": the value is null or not a number; this price is left out`, signals: 1},
		{body: `{` + hour + `"payloadDescriptors":[{"payloadType":"PRICE","currency":"EUR"}],"intervals":[{"id":0,"payloads":` + payloads("PRICE", 1) + `}]}`, problem: `currency is "EUR"`},
		{body: `{` + hour + `"payloadDescriptors":[{"payloadType":"PRICE","units":"THERMS"}],"intervals":[{"id":0,"payloads":` + payloads("PRICE", 1) + `}]}`, problem: `per "THERMS"`},
		{body: `{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("PRICE", 9999) + `}]}`, problem: "9.999e+06 $/MWh is absurd"},
		{body: `{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("x-private", 1) + `}]}`, problem: `payload type "x-private" is not known`},
		{body: `{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("CONTROL_SETPOINT", 1) + `}]}`, problem: "CONTROL_SETPOINT is not followed"},
		{body: `{` + hour + `"intervals":[{"id":0,"payloads":` + payloads("SIMPLE", 2) + `}]}`, problem: "SIMPLE level 2 has no limit in the site file"},
		{body: `{` + hour + `"intervals":[{"id":0,"payloads":[{"type":"PRICE","values":[0.1]},{"type":"GHG","values":[300]}]}]}`, ignored: "GHG: emissions", signals: 1},
		{body: `{"createdDateTime":"2026-03-01T11:59:00Z","intervalPeriod":{"start":"2026-03-01T10:00:00Z","duration":"PT4H"},"intervals":[{"id":0,"payloads":` + payloads("IMPORT_CAPACITY_LIMIT", 1) + `}]}`, problem: "it was sent at 2026-03-01T11:59:00Z, after its start at 2026-03-01T10:00:00Z", signals: 1},
	} {
		h := must(t, c.body)
		if got := strings.Join(h.Problems, "|"); !strings.Contains(got, c.problem) || (c.problem == "") != (got == "") {
			t.Errorf("%s\n has the problems %q, want %q", c.body, got, c.problem)
		}
		if got := strings.Join(h.Ignored, "|"); !strings.Contains(got, c.ignored) || (c.ignored == "") != (got == "") {
			t.Errorf("%s\n ignores %q, want %q", c.body, got, c.ignored)
		}
		if got := Combine([]*Held{h}, "", 0, noon); len(got.Signals) != c.signals {
			t.Errorf("%s\n gives %v, want %d", c.body, say(got.Signals), c.signals)
		}
	}
}

func event(id string, priority any, from, to, kind string, value any) string {
	start, _ := time.Parse("15:04", from)
	end, _ := time.Parse("15:04", to)
	return fmt.Sprintf(`{"id":"%s","priority":%v,"modificationDateTime":"2026-03-01T11:00:00Z","intervalPeriod":{"start":"2026-03-01T%s:00Z","duration":"PT%dM"},"intervals":[{"id":0,"payloads":%s}]}`,
		id, priority, from, int(end.Sub(start).Minutes()), payloads(kind, value))
}

func TestWhichOfSeveralHolds(t *testing.T) {
	for name, c := range map[string]struct {
		events []string
		want   []string
	}{
		"the higher priority, though it allows more": {
			events: []string{event("a", 5, "12:00", "16:00", "IMPORT_CAPACITY_LIMIT", 2000), event("b", 0, "13:00", "14:00", "IMPORT_CAPACITY_LIMIT", 8000)},
			want:   []string{"limit 2 MW 12:00:00-13:00:00", "limit 8 MW 13:00:00-14:00:00", "limit 2 MW 14:00:00-16:00:00"},
		},
		"no priority is the lowest": {
			events: []string{event("a", "null", "12:00", "14:00", "IMPORT_CAPACITY_LIMIT", 2000), event("b", 999999, "12:00", "14:00", "IMPORT_CAPACITY_LIMIT", 8000)},
			want:   []string{"limit 8 MW 12:00:00-14:00:00"},
		},
		"the stricter of the same priority": {
			events: []string{event("a", 1, "12:00", "14:00", "IMPORT_CAPACITY_LIMIT", 2000), event("b", 1, "13:00", "15:00", "IMPORT_CAPACITY_LIMIT", 8000)},
			want:   []string{"limit 2 MW 12:00:00-14:00:00", "limit 8 MW 14:00:00-15:00:00"},
		},
		"level 0 of a higher priority lifts level 3": {
			events: []string{event("a", 5, "12:00", "16:00", "SIMPLE", 3), event("b", 0, "13:00", "14:00", "SIMPLE", 0)},
			want:   []string{"limit 2 MW 12:00:00-13:00:00", "limit 2 MW 14:00:00-16:00:00"},
		},
		"level 0 of the same priority does not": {
			events: []string{event("a", 0, "12:00", "16:00", "SIMPLE", 3), event("b", 0, "13:00", "14:00", "SIMPLE", 0)},
			want:   []string{"limit 2 MW 12:00:00-16:00:00"},
		},
		"the strictest of different types, whatever their priority": {
			events: []string{event("a", 0, "12:00", "16:00", "IMPORT_CAPACITY_LIMIT", 8000), event("b", 9, "13:00", "14:00", "SIMPLE", 3), event("c", 5, "13:30", "15:00", "DISPATCH_SETPOINT", 1500)},
			want:   []string{"limit 8 MW 12:00:00-13:00:00", "limit 2 MW 13:00:00-13:30:00", "limit 1.5 MW 13:30:00-15:00:00", "limit 8 MW 15:00:00-16:00:00"},
		},
		"prices: the priority, then the newest": {
			events: []string{
				event("a", 1, "12:00", "15:00", "PRICE", 0.1), event("b", 0, "13:00", "14:00", "PRICE", 0.05),
				strings.Replace(event("c", 1, "14:00", "16:00", "PRICE", 0.02), "T11:00", "T11:30", 1),
			},
			want: []string{"price 100 $/MWh 12:00:00-13:00:00", "price 50 $/MWh 13:00:00-14:00:00", "price 20 $/MWh 14:00:00-16:00:00"},
		},
		"prices and limits do not contradict each other": {
			events: []string{event("a", 0, "12:00", "13:00", "PRICE", 0.1), event("b", "null", "12:00", "13:00", "IMPORT_CAPACITY_LIMIT", 8000)},
			want:   []string{"price 100 $/MWh 12:00:00-13:00:00", "limit 8 MW 12:00:00-13:00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*Held
			for _, body := range c.events {
				all = append(all, must(t, body))
			}
			for range 5 {
				rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				if d := cmp.Diff(c.want, say(Combine(all, "", 2*unit.Megawatt, noon).Signals)); d != "" {
					t.Fatalf("(-want +got)\n%s", d)
				}
			}
		})
	}
}

func TestALimitBelowTheFirmLoad(t *testing.T) {
	h := must(t, event("a", 0, "12:00", "13:00", "IMPORT_CAPACITY_LIMIT", 1000))
	got := Combine([]*Held{h}, "hall", 3*unit.Megawatt, noon)
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "event a: IMPORT_CAPACITY_LIMIT of 1 MW is below the firm load of 3 MW") {
		t.Errorf("problems %q", got.Problems)
	}
	if len(got.Signals) != 1 || got.Signals[0].Power != unit.Megawatt || got.Signals[0].Node != "hall" {
		t.Errorf("signals %+v: the limit is told as it was sent", got.Signals)
	}
}

func TestRandomStart(t *testing.T) {
	body := func(id string) string {
		return `{"id":"` + id + `","intervalPeriod":{"start":"2026-03-01T13:00:00Z","duration":"PT1H","randomizeStart":"PT10M"},"intervals":[
			{"id":0,"payloads":` + payloads("PRICE", 1) + `},{"id":1,"payloads":` + payloads("PRICE", 2) + `},
			{"id":2,"intervalPeriod":{"start":"2026-03-01T18:00:00Z","duration":"PT1H"},"payloads":` + payloads("PRICE", 3) + `},
			{"id":3,"intervalPeriod":{"start":"2026-03-01T20:00:00Z","duration":"PT1H","randomizeStart":"PT2M"},"payloads":` + payloads("PRICE", 3) + `}]}`
	}
	early, lateOnes := 0, 0
	for i := range 400 {
		h := must(t, body(fmt.Sprintf("e%d", i)))
		again := must(t, body(fmt.Sprintf("e%d", i)))
		if d := cmp.Diff(h.table.slots, again.table.slots, cmp.AllowUnexported(Slot{})); d != "" {
			t.Fatalf("the second time it starts elsewhere: %s", d)
		}
		s := h.table.slots
		by := s[0].From.Sub(noon.Add(time.Hour))
		if by.Abs() > 10*time.Minute {
			t.Fatalf("shifted by %s", by)
		}
		switch {
		case by < -5*time.Minute:
			early++
		case by > 5*time.Minute:
			lateOnes++
		}
		if !s[1].From.Equal(s[0].To) || s[1].To.Sub(s[1].From) != time.Hour || s[2].From.Sub(noon.Add(6*time.Hour)) != by {
			t.Fatalf("the other intervals do not move along: %+v", s)
		}
		if own := s[3].From.Sub(noon.Add(8 * time.Hour)); own.Abs() > 2*time.Minute || own == by {
			t.Fatalf("an interval with its own range is shifted by %s", own)
		}
	}
	if early < 60 || lateOnes < 60 { // a quarter each is expected
		t.Errorf("of 400, %d were early and %d late", early, lateOnes)
	}
	other, err := made(t, body("e1"), func(x *Terms) { x.VEN = "another" })
	if err != nil || other.table.slots[0].From.Equal(must(t, body("e1")).table.slots[0].From) {
		t.Error("two VENs start at the same moment")
	}
}

// TestRepeatsGoOn: a tariff of daily prices for ever is there on any later day.
func TestRepeatsGoOn(t *testing.T) {
	var ivs []string
	for i := range 24 {
		ivs = append(ivs, fmt.Sprintf(`{"id":%d,"payloads":%s}`, i, payloads("PRICE", i)))
	}
	h := must(t, `{"duration":"P9999Y","intervalPeriod":{"start":"2024-01-01T00:00:00Z","duration":"PT1H"},"intervals":[`+strings.Join(ivs, ",")+`]}`)
	for _, day := range []int{0, 1, 100, 5000} {
		now := noon.AddDate(0, 0, day).Add(20 * time.Minute)
		got := Combine([]*Held{h}, "", 0, now)
		if len(got.Signals) < 60 || got.Signals[0].Price != unit.DollarsPerMWh(12000) || !got.Signals[0].From.Equal(now.Truncate(time.Hour)) {
			t.Fatalf("day %d: %d signals, first %+v", day, len(got.Signals), got.Signals[0])
		}
		if !got.Edge.Before(got.Signals[len(got.Signals)-1].From) {
			t.Fatalf("day %d: it is worked out again at %s, which is too late", day, got.Edge)
		}
		ids := map[string]bool{}
		for i, s := range got.Signals {
			if ids[s.ID] {
				t.Fatalf("two signals have the id %s", s.ID)
			}
			ids[s.ID] = true
			if i > 0 && !s.From.Equal(got.Signals[i-1].To) {
				t.Fatalf("a gap before %s", s.From)
			}
		}
	}
	if h.Over(noon.AddDate(50, 0, 0)) {
		t.Error("it is over")
	}
}

// TestOneLimitAtATime: whatever the events, limits and prices never overlap, and no limit is
// looser than the strictest winner of any type.
func TestOneLimitAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []*Held
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			from := rapid.IntRange(0, 600).Draw(t, "from")
			length := rapid.IntRange(1, 300).Draw(t, "length")
			kind := rapid.SampledFrom([]string{"IMPORT_CAPACITY_LIMIT", "IMPORT_CAPACITY_SUBSCRIPTION", "IMPORT_CAPACITY_RESERVATION", "DISPATCH_SETPOINT", "PRICE"}).Draw(t, "kind")
			body := fmt.Sprintf(`{"id":"e%d","priority":%d,"intervalPeriod":{"start":%q,"duration":"PT%dM"},"intervals":[{"id":0,"payloads":%s}]}`, i,
				rapid.IntRange(0, 2).Draw(t, "priority"), noon.Add(time.Duration(from)*time.Minute).Format(time.RFC3339), length, payloads(kind, rapid.IntRange(0, 9).Draw(t, "value")))
			e, err := Parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			h, err := Hold(e, Terms{VEN: "v", Issued: noon})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, h)
		}
		got := Combine(all, "", 0, noon)
		last := map[signal.Kind]time.Time{}
		for _, s := range got.Signals {
			if s.From.Before(last[s.Kind]) || !s.To.After(s.From) {
				t.Fatalf("%s from %s overlaps", s.Kind, s.From)
			}
			last[s.Kind] = s.To
		}
		for m := range 900 {
			at := noon.Add(time.Duration(m)*time.Minute + time.Second)
			want, found := naive(all, at)
			var have *signal.Signal
			for i, s := range got.Signals {
				if s.Kind == signal.Limit && !s.From.After(at) && s.To.After(at) {
					have = &got.Signals[i]
				}
			}
			if found != (have != nil) || found && have.Power != want {
				t.Fatalf("at minute %d: %+v, want %s %v", m, have, want, found)
			}
		}
	})
}

// naive looks at each moment by itself.
func naive(all []*Held, at time.Time) (unit.Power, bool) {
	best := map[channel]int{}
	power := map[channel]unit.Power{}
	for _, h := range all {
		s := h.table.slots[0]
		a := h.asks[0][0][0]
		if s.From.After(at) || !s.To.After(at) {
			continue
		}
		if b, ok := best[a.on]; !ok || h.Priority < b || h.Priority == b && a.power < power[a.on] {
			best[a.on], power[a.on] = h.Priority, a.power
		}
	}
	if s, ok := power[onSubscription]; ok {
		if _, ok := power[onCapacity]; !ok {
			power[onCapacity] = s + power[onReservation]
		}
	}
	out, found := unit.Power(0), false
	for _, on := range []channel{onCapacity, onDispatch} {
		if p, ok := power[on]; ok && (!found || p < out) {
			out, found = p, true
		}
	}
	return out, found
}

// TestNothingMoves: while time goes on and nothing else happens, what is in force keeps its
// name and its beginning, and what is over is not told.
func TestNothingMoves(t *testing.T) {
	all := []*Held{
		must(t, `{"id":"sub","intervalPeriod":{"start":"2026-03-01T10:00:00Z","duration":"P9999Y"},"intervals":[{"id":0,"payloads":`+payloads("IMPORT_CAPACITY_SUBSCRIPTION", 6000)+`}]}`),
		must(t, `{"id":"day","duration":"P9999Y","intervalPeriod":{"start":"2026-03-01T13:00:00Z","duration":"PT24H"},"intervals":[{"id":0,"intervalPeriod":{"duration":"PT23H"},"payloads":[]},{"id":1,"intervalPeriod":{"duration":"PT1H"},"payloads":`+payloads("SIMPLE", 3)+`}]}`),
		must(t, event("a", 5, "12:00", "16:00", "IMPORT_CAPACITY_LIMIT", 2000)),
		must(t, event("b", 0, "13:00", "14:00", "IMPORT_CAPACITY_LIMIT", 8000)),
	}
	type span struct {
		from, to time.Time
		power    unit.Power
	}
	known := map[string]span{}
	var before []signal.Signal
	flips := 0
	for m := 0; m < 10*24*60; m += 7 {
		now := noon.Add(time.Duration(m) * time.Minute)
		got := Combine(all, "", unit.Megawatt, now).Signals
		Steady(now, before, got)
		before = got
		for _, s := range got {
			if !s.To.IsZero() && !s.To.After(now) {
				t.Fatalf("at %s: %s is over", now, s.ID)
			}
			if s.From.After(now) {
				continue // repeats beyond the horizon may yet cut it
			}
			is := span{s.From, s.To, s.Power}
			if was, ok := known[s.ID]; ok && was != is {
				if !s.From.IsZero() || was.to != is.to || was.power != is.power {
					t.Fatalf("at %s: %s was %+v and is %+v", now, s.ID, was, is)
				}
				flips++ // it has come of age
			}
			known[s.ID] = is
		}
	}
	if flips == 0 || flips > 12 {
		t.Errorf("%d signals came of age in ten days", flips)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(event("a", 0, "12:00", "13:00", "IMPORT_CAPACITY_LIMIT", 1000)), false)
	f.Add([]byte(`{"id":"e","duration":"P9999Y","intervalPeriod":{"start":"2024-01-01T00:00:00Z","duration":"PT1H","randomizeStart":"PT5M"},"intervals":[{"id":1,"payloads":[{"type":"PRICE","values":[0.1,0.2]}]}]}`), false)
	f.Add([]byte(`{"id":"e","intervalPeriod":{"start":"0001-01-01","duration":"PT0H"},"reportDescriptors":[{"payloadType":"USAGE","frequency":0}]}`), true)
	f.Add([]byte(`{"id":"e","intervals":[{"id":1,"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT0.000000001S"},"payloads":[{"type":"SIMPLE","values":[3]}]}],"duration":"P10Y"}`), true)
	f.Add([]byte(`{"id":"e","intervals":[{"id":1,"payloads":[{"type":"PRICE","values":[NaN]}]}]}`), false)
	f.Fuzz(func(t *testing.T, raw []byte, old bool) {
		e, err := Parse(Repair(raw))
		if err != nil {
			return
		}
		h, err := Hold(e, Terms{VEN: "v", Old: old, Issued: e.IssuedAt(noon)})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		got := Combine([]*Held{h}, "", unit.Megawatt, noon)
		if len(got.Signals) > maxSignals {
			t.Fatalf("%d signals", len(got.Signals))
		}
		for _, s := range got.Signals {
			if !s.To.IsZero() && (!s.To.After(s.From) || !s.To.After(noon)) || s.Power < 0 || strings.ContainsAny(s.Note, "\n\r") {
				t.Fatalf("signal %+v", s)
			}
		}
		for i := range 50 {
			if w, ok := h.Window(i); ok && !w.To.IsZero() && w.To.Before(w.From) {
				t.Fatalf("interval %d is %+v", i, w)
			}
		}
		Level([]*Held{h}, noon)
		h.Over(noon)
	})
}

func FuzzList(f *testing.F) {
	f.Add([]byte(`[{"a":NaN},{"b":"NaN"},-Infinity]`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[1,2`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := List(b)
		if (err == nil) != (all != nil) {
			t.Fatalf("%v with %v", all, err)
		}
	})
}

func TestNumbersThatAreNone(t *testing.T) {
	all, err := List([]byte(`[{"id":"a","x":NaN},{"id":"b","x":"NaN \" Infinity"},{"x":[-Infinity,Infinity,1]}]`))
	if err != nil || len(all) != 3 {
		t.Fatalf("%q, %v", all, err)
	}
	want := []string{`{"id":"a","x":null}`, `{"id":"b","x":"NaN \" Infinity"}`, `{"x":[null,null,1]}`}
	for i := range all {
		if string(all[i]) != want[i] {
			t.Errorf("%s, want %s", all[i], want[i])
		}
	}
	if _, err := List([]byte("null")); err == nil {
		t.Error("null is no list")
	}
	if _, err := List([]byte("<html>")); err == nil {
		t.Error("a page is no list")
	}
}
