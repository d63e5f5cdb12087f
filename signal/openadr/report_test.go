package openadr

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/signal"
	"switchyard/signal/openadr/event"
	"switchyard/site"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func hold(t testing.TB, body string) *event.Held {
	t.Helper()
	e, err := event.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	h, err := event.Hold(e, event.Terms{VEN: "v", Issued: noon})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestWhenReportsAreDue: six hourly intervals from one o'clock, as the user guide draws them.
func TestWhenReportsAreDue(t *testing.T) {
	var ivs []string
	for i := range 6 {
		ivs = append(ivs, fmt.Sprintf(`{"id":%d,"payloads":[]}`, i))
	}
	six := `"intervalPeriod":{"start":"2026-03-01T13:00:00Z","duration":"PT1H"},"intervals":[` + strings.Join(ivs, ",") + `]`
	implied := `"intervalPeriod":{"start":"2026-03-01T13:00:00Z","duration":"PT1H"}`
	for name, c := range map[string]struct {
		event, want string
		reports     []string
		seen        time.Duration // after noon
	}{
		"by default one report of all, after the last": {event: six, reports: []string{"19:00 0-5"}},
		"half way":                            {event: six, want: `"startInterval":2`, reports: []string{"16:00 0-2"}},
		"every two, three times":              {event: six, want: `"startInterval":1,"numIntervals":2,"frequency":2,"repeat":3`, reports: []string{"15:00 0-1", "17:00 2-3", "19:00 4-5"}},
		"every two, for ever":                 {event: six, want: `"startInterval":1,"numIntervals":2,"frequency":2,"repeat":-1`, reports: []string{"15:00 0-1", "17:00 2-3", "19:00 4-5"}},
		"each":                                {event: six, want: `"startInterval":0,"numIntervals":1,"repeat":-1`, reports: []string{"14:00 0-0", "15:00 1-1", "16:00 2-2", "17:00 3-3", "18:00 4-4", "19:00 5-5"}},
		"a forecast of all, at once":          {event: six, want: `"historical":false`, reports: []string{"now 0-5"}},
		"a rolling forecast":                  {event: six, want: `"historical":false,"startInterval":0,"numIntervals":3,"frequency":1,"repeat":3`, reports: []string{"13:00 0-2", "14:00 1-3", "15:00 2-4"}},
		"implied intervals, rolling":          {event: implied, want: `"historical":false,"startInterval":0,"numIntervals":48,"frequency":1,"repeat":2`, reports: []string{"13:00 0-47", "14:00 1-48"}},
		"seen late: only the newest of those": {event: six, want: `"startInterval":0,"numIntervals":1,"repeat":-1`, seen: 4*time.Hour + time.Minute, reports: []string{"16:00 2-2", "17:00 3-3", "18:00 4-4", "19:00 5-5"}},
		"repeated intervals":                  {event: `"duration":"P9999Y",` + six, want: `"repeat":-1`, reports: []string{"19:00 0-5", "01:00 0-5", "07:00 0-5", "13:00 0-5", "19:00 0-5", "01:00 0-5", "07:00 0-5", "13:00 0-5", "19:00 0-5", "01:00 0-5"}},
		"at any time":                         {event: six, want: `"frequency":0`, reports: []string{"at any time"}},
		"nothing to go by":                    {event: `"eventName":"x"`, reports: []string{"at any time"}},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"id":"e",` + c.event + `,"reportDescriptors":[{"payloadType":"LOAD_SHED_DELTA_AVAILABLE"`
			if c.want != "" {
				body += "," + c.want
			}
			h := hold(t, body+"}]}")
			o := oblige(h, 0, noon.Add(c.seen))
			if c.seen > 0 && o.next == 0 {
				t.Error("nothing was skipped")
			}
			var got []string
			for k := o.next; len(got) < 10; k++ {
				if o.adHoc {
					got = append(got, "at any time")
					break
				}
				due, ok := o.due(h, k)
				if !ok {
					break
				}
				over := o.covers(h, k)
				at := due.Format("15:04")
				if due.Before(noon) {
					at = "now"
				}
				got = append(got, fmt.Sprintf("%s %d-%d", at, over[0].Number, over[len(over)-1].Number))
			}
			want := c.reports
			if strings.HasPrefix(name, "repeated") { // the numbers start again with each turn
				want = want[:0]
				for i := range 10 {
					want = append(want, []string{"19:00", "01:00", "07:00", "13:00"}[i%4]+" 0-5")
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestMetering(t *testing.T) {
	var m metering
	read := func(at time.Duration, mw float64, ok bool) {
		r := signal.Meter{At: noon.Add(at)}
		if ok {
			r.Power = site.Some(unit.Watts(mw * 1e6))
		}
		m.take(r, noon.Add(at))
	}
	for s := range 60 { // ten minutes at 6 MW, then at 3 MW, and none for the last five
		read(time.Duration(s)*10*time.Second, 6, true)
	}
	for s := range 30 {
		read(10*time.Minute+time.Duration(s)*10*time.Second, 3, true)
		read(15*time.Minute+time.Duration(s)*10*time.Second, 0, false)
	}
	for _, c := range []struct {
		from, to         time.Duration
		mean, peak, know float64
	}{
		{0, 10 * time.Minute, 6, 6, 1},
		{10 * time.Minute, 15 * time.Minute, 3, 3, 1},
		{5 * time.Minute, 15 * time.Minute, 4.5, 6, 1},
		{15*time.Minute + 30*time.Second, 20 * time.Minute, 0, 0, 0},
		{-time.Hour, 0, 0, 0, 0},
		{14 * time.Minute, 16*time.Minute + 20*time.Second, 3, 3, 80.0 / 140},
	} {
		u := m.over(noon.Add(c.from), noon.Add(c.to))
		if u.mean != unit.Watts(c.mean*1e6) || u.peak != unit.Watts(c.peak*1e6) || u.known < c.know-1e-9 || u.known > c.know+1e-9 {
			t.Errorf("from %s to %s: %+v, want %+v", c.from, c.to, u, c)
		}
	}
	m.take(signal.Meter{At: noon, Power: site.Some(unit.Megawatt)}, noon.Add(time.Hour))
	if n := len(m.samples); n != 90 {
		t.Errorf("an old reading was taken as a new one: %d", n)
	}
	for s := range 3 * maxSamples {
		read(time.Hour+time.Duration(s)*10*time.Second, 1, true)
	}
	if len(m.samples) > maxSamples {
		t.Errorf("%d samples are kept", len(m.samples))
	}
}

func TestISODurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "PT0S", -time.Second: "PT0S", time.Hour: "PT1H", 90 * time.Minute: "PT1H30M", 36 * time.Hour: "PT36H",
		1500 * time.Millisecond: "PT1.5S", time.Hour + time.Nanosecond: "PT1H0.000000001S", 61 * time.Second: "PT1M1S",
	} {
		if got := isoDuration(d); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
}

func FuzzNotice(f *testing.F) {
	f.Add([]byte(`{"objectType":"EVENT","operation":"CREATE","object":{"id":"a-1"}}`))
	f.Add([]byte(`{"objectType":"EVENT","object":{"id":"../x"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := noticeOf(b)
		if err != nil && n.id != "" || n.id != "" && !event.ValidID(n.id) {
			t.Fatalf("%+v, %v", n, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"abc","token_type":"Bearer","expires_in":3600}`))
	f.Add([]byte(`{"access_token":"a\r\nb","expires_in":-1}`))
	f.Add([]byte(`{"access_token":"abc","expires_in":1e300}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k tokens
		err := k.keep(b, noon)
		if (err == nil) != (k.token != "") || err == nil && (!k.until.After(noon) || strings.ContainsAny(k.token, "\r\n \x00")) {
			t.Fatalf("token %q until %s, %v", k.token, k.until, err)
		}
	})
}

func FuzzTargets(f *testing.F) {
	f.Add([]byte(`["a","b"]`), false)
	f.Add([]byte(`[{"type":"GROUP","values":["a",1]}]`), true)
	f.Fuzz(func(t *testing.T, b []byte, old bool) {
		id := identity{old: old, ven: "v", resource: "r", targets: []string{"a", "GROUP:b"}}
		if id.ours(b) {
			if given, ok := id.read(b); !ok {
				t.Fatalf("%q does not read and is ours: %v", b, given)
			}
		}
	})
}

func TestTheTimeToTheNextPoll(t *testing.T) {
	for _, c := range []struct {
		poll  time.Duration
		fails int
		want  time.Duration
	}{
		{30 * time.Second, 0, 30 * time.Second},
		{30 * time.Second, 1, 5 * time.Second},
		{30 * time.Second, 3, 20 * time.Second},
		{30 * time.Second, 100, 2 * time.Minute},
		{time.Second, 1, time.Second},
		{time.Hour, 0, time.Hour},
		{time.Hour, 2, 10 * time.Second},
	} {
		client := Client{fails: c.fails}
		client.cfg.Poll = c.poll
		for range 50 {
			if got := client.wait(); got < c.want*94/100 || got > c.want*106/100 {
				t.Fatalf("poll %s after %d failures: %s, want %s", c.poll, c.fails, got, c.want)
			}
		}
	}
}
