package openadr_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/emulate/vtn"
	"switchyard/signal"
	"switchyard/signal/openadr"
	"switchyard/sitefile"
	"switchyard/unit"
)

func TestWhatNewRefuses(t *testing.T) {
	good := sitefile.OpenADR{Name: "grid", URL: "https://vtn.example/openadr3/3.1.0"}
	for _, c := range []struct {
		change func(*sitefile.OpenADR, *openadr.Options)
		want   string
	}{
		{func(*sitefile.OpenADR, *openadr.Options) {}, ""},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.URL = "" }, "url must be"},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.URL = "ftp://x" }, "url must be"},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.URL = "https://me:pw@vtn.example" }, "credentials stand under client"},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.Version = "2.0b" }, `version "2.0b" is not known; there are 3.1 and 3.0`},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.Levels = map[int]unit.Power{4: 1} }, "levels must be 0 to 3"},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.TokenURL = "tokens" }, "token_url must be an address"},
		{func(_ *sitefile.OpenADR, o *openadr.Options) { o.Secret = secret }, "a secret and no id"},
		{func(c *sitefile.OpenADR, _ *openadr.Options) { c.Webhook = "https://me.example/hook" }, "webhook needs webhook_listen"},
	} {
		cfg, opt := good, openadr.Options{}
		c.change(&cfg, &opt)
		_, err := openadr.New(cfg, opt)
		if got := fmt.Sprint(err); (c.want == "") != (err == nil) || !strings.Contains(got, c.want) || strings.Contains(got, secret) || strings.Contains(got, "pw@") {
			t.Errorf("%+v: %v, want %q", cfg, err, c.want)
		}
	}
}

// TestLossAndReturn: what is known goes on while the VTN is away, whatever it then answers.
func TestLossAndReturn(t *testing.T) {
	for name, f := range map[string]vtn.Faults{
		"connections are lost": {Lost: 1},
		"answers are cut off":  {Garbled: 1},
		"it is broken":         {Broken: 1},
		"a gateway answers":    {HTML: 1},
		"tokens are refused":   {Spent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "3.1")
			id := s.push(t, event(time.Now(), "PT1H", "IMPORT_CAPACITY_LIMIT", 3000))
			s.follow(t, "3.1")
			s.host.await(t, "the limit", limited(3*unit.Megawatt))
			good := s.host.last().At
			s.vtn.Misbehave(f)
			s.host.await(t, "the loss", func(signal.Update) bool { _, err := s.host.lastHeard(); return err != nil })
			_, err := s.host.lastHeard()
			if text := err.Error(); strings.ContainsAny(text, "\n<") || len(text) > 400 {
				t.Errorf("the error is no clear line: %q", text)
			}
			t.Log(err)
			if u := s.host.last(); !slices.Equal(limits(u), []unit.Power{3 * unit.Megawatt}) || u.At.Before(good) {
				t.Errorf("while it is away: %+v", u)
			}
			if st := s.client.Status(); st.Error == "" {
				t.Error("the state tells of no error")
			}
			if err := s.vtn.Withdraw(id); err != nil {
				t.Fatal(err)
			}
			s.vtn.Misbehave(vtn.Faults{})
			s.host.await(t, "the return", limited())
			if _, err := s.host.lastHeard(); err != nil || s.client.Status().Error != "" {
				t.Errorf("after the return: %v, %+v", err, s.client.Status())
			}
		})
	}
}

// TestAVTNThatIsOftenWrong: with a tenth of all answers bad in one way or another, events
// still come and go.
func TestAVTNThatIsOftenWrong(t *testing.T) {
	t.Parallel()
	s := serve(t, "3.1", func(c *vtn.Config) { c.Seed = 7 })
	s.vtn.Misbehave(vtn.Faults{Late: time.Millisecond, Lost: 0.05, Garbled: 0.02, Broken: 0.05, HTML: 0.03, Spent: 0.05})
	s.follow(t, "3.1", func(c *sitefile.OpenADR, _ *openadr.Options) { c.Poll = 20 * time.Millisecond })
	for i := range 5 {
		id := s.push(t, event(time.Now(), "PT1H", "IMPORT_CAPACITY_LIMIT", 1000*(i+1)))
		s.host.await(t, "the limit", limited(unit.Power(i+1)*unit.Megawatt))
		if err := s.vtn.Withdraw(id); err != nil {
			t.Fatal(err)
		}
		s.host.await(t, "its end", limited())
	}
}

func TestTokens(t *testing.T) {
	versions(t, testTokens)
}

func testTokens(t *testing.T, version string) {
	s := serve(t, version, func(c *vtn.Config) { c.TokenLife = time.Second })
	s.follow(t, version)
	s.host.await(t, "the first answer", func(u signal.Update) bool { return !u.At.IsZero() })
	first := s.vtn.Calls("POST /auth/token")
	time.Sleep(2 * time.Second)
	n, err := s.host.lastHeard()
	tokens := s.vtn.Calls("POST /auth/token")
	if err != nil || tokens-first < 3 || tokens-first > 8 || n < 10 {
		t.Errorf("in two seconds with tokens of one: %d tokens, %d polls, %v", tokens-first, n, err)
	}
	s.vtn.Revoke()
	before, _ := s.host.lastHeard()
	s.host.await(t, "a new token", func(signal.Update) bool { n, _ := s.host.lastHeard(); return n > before+2 })
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for _, err := range s.host.heard {
		if err != nil {
			t.Errorf("a spent token was not replaced within the call: %v", err)
		}
	}
}

func TestAWrongSecret(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		s := serve(t, version)
		s.follow(t, version, func(_ *sitefile.OpenADR, o *openadr.Options) { o.Secret = secret + "x" })
		s.host.await(t, "the refusal", func(signal.Update) bool { n, _ := s.host.lastHeard(); return n > 0 })
		if _, err := s.host.lastHeard(); err == nil || !strings.Contains(err.Error(), "get a token") || !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("the error is %v", err)
		}
		time.Sleep(300 * time.Millisecond)
		if n := s.vtn.Calls("POST /auth/token"); n > 2 {
			t.Errorf("the server was asked for a token %d times in a moment", n)
		}
	})
}

// TestSecretsDoNotTravel: a VTN that repeats what it was sent, redirects, or names a token
// address in the clear learns and spreads nothing.
func TestSecretsDoNotTravel(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), secret) || r.Header.Get("Authorization") != "" {
			stolen.Add(1)
		}
	}))
	defer thief.Close()
	for name, h := range map[string]http.HandlerFunc{
		"it repeats": func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":%q}`, "no client with "+string(b))
		},
		"it redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"it redirects with a token": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/auth/token" {
				_, _ = io.WriteString(w, `{"access_token":"abc","token_type":"Bearer"}`)
				return
			}
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"a token of two lines": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"access_token":"abc\r\nX: y","token_type":"Bearer","tokenURL":"/auth/token"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/auth/server" { // so that the token is asked for here
					http.NotFound(w, r)
					return
				}
				h(w, r)
			}))
			defer srv.Close()
			s := &stand{url: srv.URL, host: newHost(), log: &syncBuffer{}}
			s.follow(t, "3.1")
			s.host.await(t, "the refusal", func(signal.Update) bool { n, _ := s.host.lastHeard(); return n > 0 })
			_, err := s.host.lastHeard()
			if err == nil {
				t.Error("it is believed")
			}
			t.Log(err)
		})
	}
	if stolen.Load() != 0 {
		t.Errorf("%d requests with a secret went elsewhere", stolen.Load())
	}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"tokenURL":%q}`, thief.URL)
	}))
	defer srv.Close()
	s := &stand{url: srv.URL, host: newHost(), log: &syncBuffer{}}
	s.follow(t, "3.1", func(_ *sitefile.OpenADR, o *openadr.Options) { o.HTTP = srv.Client() })
	s.host.await(t, "the refusal", func(signal.Update) bool { n, _ := s.host.lastHeard(); return n > 0 })
	if _, err := s.host.lastHeard(); err == nil || !strings.Contains(err.Error(), "the secret is sent over https only") {
		t.Errorf("a token address in the clear: %v", err)
	}
}

// TestManyEvents: all pages are read, and at one bound there is a line.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, "3.1")
	start := time.Now().Add(time.Hour).Truncate(time.Second)
	for i := range 230 {
		s.push(t, event(start.Add(time.Duration(i)*time.Minute), "PT1M", "PRICE", float64(i)/1000))
	}
	s.follow(t, "3.1")
	s.host.await(t, "all prices", func(u signal.Update) bool { return len(u.Signals) == 230 })
	for i := range 900 {
		s.push(t, event(start.Add(time.Duration(230+i)*time.Minute), "PT1M", "PRICE", float64(i)/1000))
	}
	u := s.host.await(t, "the bound", func(u signal.Update) bool { return len(u.Signals) == 1000 })
	if len(u.Problems) != 1 || !strings.Contains(u.Problems[0], "more than 1000 events") {
		t.Errorf("problems %q", u.Problems)
	}
}

// TestOneBadEventHidesNoOther: each gives a line.
func TestOneBadEventHidesNoOther(t *testing.T) {
	start := time.Now().UTC().Truncate(time.Second)
	body := `[
		{"id":"good","programID":"p","intervalPeriod":{"start":"` + start.Format(time.RFC3339) + `","duration":"PT1H"},"intervals":[{"id":0,"payloads":[{"type":"IMPORT_CAPACITY_LIMIT","values":[3000]}]}]},
		{"id":"nan","programID":"p","intervalPeriod":{"start":"` + start.Format(time.RFC3339) + `","duration":"PT1H"},"intervals":[{"id":0,"payloads":[{"type":"IMPORT_CAPACITY_LIMIT","values":[NaN]}]}]},
		{"id":"backwards","programID":"p","intervalPeriod":{"start":"` + start.Format(time.RFC3339) + `","duration":"-PT1H"},"intervals":[{"id":0,"payloads":[{"type":"SIMPLE","values":[1]}]}]},
		{"id":"past","programID":"p","createdDateTime":"` + start.Format(time.RFC3339) + `","intervalPeriod":{"start":"2020-01-01T00:00:00Z","duration":"PT1H"},"intervals":[{"id":0,"payloads":[{"type":"SIMPLE","values":[3]}]}]},
		{"id":"late","programID":"p","createdDateTime":"` + start.Format(time.RFC3339) + `","intervalPeriod":{"start":"` + start.Add(-time.Hour).Format(time.RFC3339) + `","duration":"PT2H"},"intervals":[{"id":0,"payloads":[{"type":"SIMPLE","values":[1]}]}]},
		{"id":"low","programID":"p","intervalPeriod":{"start":"` + start.Add(2*time.Hour).Format(time.RFC3339) + `","duration":"PT1H"},"intervals":[{"id":0,"payloads":[{"type":"DISPATCH_SETPOINT","values":[100]}]}]},
		{"id":"private","programID":"p","intervalPeriod":{"start":"` + start.Format(time.RFC3339) + `","duration":"PT1H"},"intervals":[{"id":0,"payloads":[{"type":"x","values":[1]}]}]},
		{"id":"../../vens/1","programID":"p"}, null, 17, "event", {"id":"shape","intervals":"none"}
	]`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/events" {
			_, _ = io.WriteString(w, body)
			return
		}
		_, _ = io.WriteString(w, `[]`)
	}))
	defer srv.Close()
	s := &stand{url: srv.URL, host: newHost(), log: &syncBuffer{}}
	s.follow(t, "3.1", func(_ *sitefile.OpenADR, o *openadr.Options) { o.ClientID, o.Secret = "", "" })
	u := s.host.await(t, "the events", func(u signal.Update) bool { return len(u.Signals) > 0 })
	if got := limits(u); !slices.Equal(got, []unit.Power{3 * unit.Megawatt, 100 * unit.Kilowatt}) {
		t.Errorf("limits %v", got)
	}
	all := strings.Join(u.Problems, "\n")
	t.Log(all)
	for _, want := range []string{
		"event nan: interval 0: \"IMPORT_CAPACITY_LIMIT\": the value is null or not a number; it is not followed",
		"event backwards: interval 0: it ends before it starts; it is not followed",
		"event past: it was over at 2020-01-01T01:00:00Z, before it was sent",
		"event late: it was sent at",
		"event low: DISPATCH_SETPOINT of 100 kW is below the firm load of 2 MW",
		"event private: payload type \"x\" is not known and is ignored",
		"event ../../vens/1: it has no id", "event shape: it does not read as an event: intervals is a string",
	} {
		if strings.Count(all, want) != 1 {
			t.Errorf("there is no line %q", want)
		}
	}
}

// TestTargets: an event for somebody else is not followed.
func TestTargets(t *testing.T) {
	start := time.Now()
	t.Run("3.1", func(t *testing.T) {
		s := serve(t, "3.1")
		s.follow(t, "3.1", func(c *sitefile.OpenADR, _ *openadr.Options) { c.Targets = []string{"group-1", "group-9"} })
		s.host.await(t, "registration", func(signal.Update) bool { return s.client.Status().Enrolled })
		for group, kw := range map[string]int{"group-1": 3000, "group-2": 1000, "group-9": 500} {
			e := event(start, "PT1H", "IMPORT_CAPACITY_LIMIT", kw)
			e["targets"] = []any{group}
			s.push(t, e)
		}
		if err := s.vtn.Grant("north", "group-1", "group-2"); err != nil {
			t.Fatal(err)
		}
		s.host.await(t, "the granted one", limited(3*unit.Megawatt))
	})
	t.Run("3.0", func(t *testing.T) {
		s := serve(t, "3.0")
		target := func(kind, value string, kw int) {
			e := event(start, "PT1H", "IMPORT_CAPACITY_LIMIT", kw)
			e["targets"] = []any{vtn.Object{"type": kind, "values": []any{value}}}
			s.push(t, e)
		}
		target("VEN_NAME", "another", 100)
		target("GROUP", "south", 200)
		target("VEN_NAME", "north", 3000)
		s.follow(t, "3.0")
		s.host.await(t, "ours", limited(3*unit.Megawatt))
	})
}

func TestPrograms(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		s := serve(t, version)
		start := time.Now()
		for name, kw := range map[string]int{"ours": 3000, "theirs": 1000} {
			id, err := s.vtn.Program(name, vtn.Object{"payloadDescriptors": []any{vtn.Object{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "IMPORT_CAPACITY_LIMIT", "units": "W"}}})
			if err != nil {
				t.Fatal(err)
			}
			e := event(start, "PT1H", "IMPORT_CAPACITY_LIMIT", kw*1000)
			e["programID"] = id
			s.push(t, e)
		}
		s.follow(t, version, func(c *sitefile.OpenADR, _ *openadr.Options) { c.Programs = []string{"ours", "missing"} })
		u := s.host.await(t, "ours", limited(3*unit.Megawatt))
		if len(u.Problems) != 1 || u.Problems[0] != `the VTN has no program "missing"` {
			t.Errorf("problems %q", u.Problems)
		}
		if st := s.client.Status(); !slices.Equal(st.Programs, []string{"ours"}) {
			t.Errorf("programs %q", st.Programs)
		}
	})
}

// fast is a site in which an hour passes in two seconds.
func fast(s *stand) clock.Clock {
	c := clock.Anchored{Wall: time.Now(), Site: time.Date(2026, 3, 1, 11, 59, 30, 0, time.UTC), Rate: 1800}
	s.host.clock = c
	return c
}

func TestReports(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		var c clock.Clock
		s := &stand{host: newHost()}
		c = fast(s)
		h := s.host
		s = serve(t, version, func(cfg *vtn.Config) { cfg.Clock = c })
		s.host = h
		e := event(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), "PT15M", "IMPORT_CAPACITY_LIMIT", 9000)
		var ivs []any
		for i := range 4 {
			ivs = append(ivs, vtn.Object{"id": 10 + i, "payloads": []any{vtn.Object{"type": "SIMPLE", "values": []any{i % 2}}}})
		}
		e["intervals"] = ivs
		e["reportDescriptors"] = []any{
			vtn.Object{"payloadType": "USAGE", "units": "KWH"},
			vtn.Object{"payloadType": "DEMAND", "aggregate": true, "startInterval": 1, "numIntervals": 2, "frequency": 2, "repeat": 5, "units": "MW"},
			vtn.Object{"payloadType": "OPERATING_STATE", "startInterval": 0, "numIntervals": 1, "repeat": -1},
			vtn.Object{"payloadType": "LOAD_SHED_DELTA_AVAILABLE", "historical": false, "startInterval": 0},
			vtn.Object{"payloadType": "STORAGE_CHARGE_LEVEL"},
		}
		id := s.push(t, e)
		s.follow(t, version, func(cfg *sitefile.OpenADR, o *openadr.Options) {
			cfg.Poll = time.Minute
			o.Clock = c
			o.Resource = "hall"
		})
		u := s.host.await(t, "the event", func(u signal.Update) bool { return len(u.Signals) > 0 })
		if all := strings.Join(u.Problems, "\n"); !strings.Contains(all, `report "STORAGE_CHARGE_LEVEL" is not made here`) {
			t.Errorf("problems %q", u.Problems)
		}
		deadline := time.Now().Add(10 * time.Second)
		for len(s.vtn.All(vtn.Report)) < 8 && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond) // six minutes more: no further ones come
		got := map[string]vtn.Object{}
		for _, r := range s.vtn.All(vtn.Report) {
			name := r["reportName"].(string)
			if got[name] != nil {
				t.Errorf("report %s came twice", name)
			}
			got[name] = r
			if r["eventID"] != id || r["clientName"] != "north" || (version == "3.0") != (r["programID"] != nil) {
				t.Errorf("report %v", r)
			}
		}
		want := map[string]string{
			"USAGE-0-0":                     "hall 10:1500 11:1500 12:1500 13:1500",
			"DEMAND-1-0":                    "AGGREGATED_REPORT 10:6 11:6",
			"DEMAND-1-1":                    "AGGREGATED_REPORT 12:6 13:6",
			"OPERATING_STATE-2-0":           "hall 10:NORMAL",
			"OPERATING_STATE-2-1":           "hall 11:NORMAL",
			"OPERATING_STATE-2-2":           "hall 12:NORMAL",
			"OPERATING_STATE-2-3":           "hall 13:NORMAL",
			"LOAD_SHED_DELTA_AVAILABLE-3-0": "hall 10:4000 11:4000 12:4000 13:4000",
		}
		for name, text := range want {
			r, ok := got[name]
			if !ok {
				t.Errorf("report %s did not come", name)
				continue
			}
			if had := tell(r); had != text && !strings.HasPrefix(name, "OPERATING") {
				t.Errorf("report %s is %q, want %q", name, had, text)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d reports came, want %d", len(got), len(want))
		}
	})
}

// tell prints a report's values, to the nearest whole number where a little is lost at edges.
func tell(r vtn.Object) string {
	res := r["resources"].([]any)[0].(vtn.Object)
	out := res["resourceName"].(string)
	for _, x := range res["intervals"].([]any) {
		iv := x.(vtn.Object)
		for _, p := range iv["payloads"].([]any) {
			v := p.(vtn.Object)["values"].([]any)[0]
			if v == "ESTIMATED" { // a busy machine's clock runs in jumps here
				continue
			}
			if n, ok := v.(interface{ Float64() (float64, error) }); ok {
				f, _ := n.Float64()
				v = math.Round(f)
			}
			out += fmt.Sprintf(" %v:%v", iv["id"], v)
		}
	}
	return out
}

// TestReportsAfterARestart: what was sent is not sent again, and what was not measured is not
// told as zero.
func TestReportsAfterARestart(t *testing.T) {
	t.Parallel()
	s := serve(t, "3.1")
	now := time.Now()
	e := event(now.Add(-3*time.Hour), "PT1H", "PRICE", 0.1)
	e["intervals"] = []any{
		vtn.Object{"id": 0, "payloads": []any{}},
		vtn.Object{"id": 1, "payloads": []any{}},
		vtn.Object{"id": 2, "payloads": []any{}},
		vtn.Object{"id": 3, "payloads": []any{vtn.Object{"type": "PRICE", "values": []any{0.1}}}},
	}
	e["reportDescriptors"] = []any{vtn.Object{"payloadType": "USAGE", "startInterval": 0, "numIntervals": 1, "repeat": -1}}
	s.push(t, e)
	for range 2 {
		s.follow(t, "3.1")
		s.host.await(t, "the price", func(u signal.Update) bool { return len(u.Signals) == 1 })
		deadline := time.Now().Add(5 * time.Second)
		for s.client.Status().Reports == 0 && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		s.stop()
	}
	got := s.vtn.All(vtn.Report)
	if len(got) != 1 || got[0]["reportName"] != "USAGE-0-2" {
		t.Fatalf("reports %v", got)
	}
	if had := tell(got[0]); had != "site 2:MISSING" {
		t.Errorf("an hour that was not measured is told as %q", had)
	}
}
