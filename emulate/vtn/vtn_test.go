package vtn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type at struct{ clock.Clock }

func (at) Now() time.Time { return noon }

func start(t testing.TB, cfg Config) (*VTN, string) {
	t.Helper()
	cfg.Clock = at{clock.System()}
	v := New(cfg)
	srv := httptest.NewServer(v)
	t.Cleanup(func() {
		srv.Close()
		_ = v.Close() // it cannot fail
	})
	return v, srv.URL
}

func ask(t testing.TB, method, url, token, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(url, "/auth/token") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body) // what came
	return resp.StatusCode, b
}

func token(t testing.TB, url, id, secret string) string {
	t.Helper()
	_, b := ask(t, "POST", url+"/auth/token", "", "grant_type=client_credentials&client_id="+id+"&client_secret="+secret)
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &got); err != nil || got.Token == "" {
		t.Fatalf("token: %s", b)
	}
	return got.Token
}

func ids(t testing.TB, b []byte) []string {
	t.Helper()
	var all []Object
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	out := []string{}
	for _, o := range all {
		out = append(out, fmt.Sprint(o["id"]))
	}
	return out
}

func anEvent(start, length string) Object {
	return Object{
		"intervalPeriod": Object{"start": start, "duration": length},
		"intervals":      []any{Object{"id": 0, "payloads": []any{Object{"type": "SIMPLE", "values": []any{1}}}}},
	}
}

func TestPushChangeWithdraw(t *testing.T) {
	for _, version := range []string{"3.1", "3.0"} {
		var mu sync.Mutex
		var told []string
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if echo := r.URL.Query().Get("echo"); r.Method == http.MethodGet {
				_, _ = io.WriteString(w, echo)
				return
			}
			var n Object
			_ = json.NewDecoder(r.Body).Decode(&n) // its absence shows below
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(n["objectType"], " ", n["operation"], " ", r.Header.Get("Authorization")))
		}))
		defer hook.Close()
		v, url := start(t, Config{Version: version, Challenge: true})
		program, err := v.Program("demo", nil)
		if err != nil {
			t.Fatal(err)
		}
		status, b := ask(t, "POST", url+"/a/prefix/subscriptions", "", fmt.Sprintf(
			`{"clientName":"c","programID":%q,"objectOperations":[{"objects":["EVENT"],"operations":["CREATE","UPDATE","DELETE"],"callbackUrl":%q,"bearerToken":"tok"}]}`, program, hook.URL))
		if status != http.StatusCreated {
			t.Fatalf("subscribe: %d %s", status, b)
		}
		id, err := v.Push(anEvent("2026-03-01T12:00:00Z", "PT1H"))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Change(id, anEvent("2026-03-01T12:00:00Z", "PT2H")); err != nil {
			t.Fatal(err)
		}
		if got := v.All(Event); len(got) != 1 || got[0]["intervalPeriod"].(Object)["duration"] != "PT2H" || got[0]["createdDateTime"] != "2026-03-01T12:00:00Z" {
			t.Errorf("events %v", got)
		}
		if err := v.Withdraw(id); err != nil || len(v.All(Event)) != 0 {
			t.Errorf("withdraw: %v", err)
		}
		want := []string{"EVENT CREATE Bearer tok", "EVENT UPDATE Bearer tok", "EVENT DELETE Bearer tok"}
		if version == "3.0" {
			want = []string{"EVENT POST Bearer tok", "EVENT PUT Bearer tok", "EVENT DELETE Bearer tok"}
		}
		deadline := time.Now().Add(5 * time.Second)
		for {
			mu.Lock()
			got := strings.Join(told, "|")
			mu.Unlock()
			if got == strings.Join(want, "|") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: told %q, want %q", version, got, want)
			}
			time.Sleep(5 * time.Millisecond)
		}
		for _, wrong := range []error{v.Change("none", Object{}), v.Withdraw("none"), v.Grant("none"), second(v.Push(Object{"intervals": "x"})), second(v.Push(anEvent("yesterday", "PT1H"))), second(v.Push(Object{"programID": "none", "intervals": []any{}}))} {
			if wrong == nil {
				t.Error("what is wrong was taken")
			}
		}
		if status, _ := ask(t, "POST", url+"/subscriptions", "", fmt.Sprintf(
			`{"clientName":"c","programID":%q,"objectOperations":[{"objects":["EVENT"],"operations":["CREATE"],"callbackUrl":"http://127.0.0.1:1/"}]}`, program)); status != 400 {
			t.Errorf("a callback address that does not answer: %d", status)
		}
	}
}

func second(_ string, err error) error { return err }

func TestWhoSeesWhat(t *testing.T) {
	v, url := start(t, Config{Clients: []Client{{ID: "a", Secret: "1"}, {ID: "b", Secret: "2"}, {ID: "bl", Secret: "3", Business: true}}})
	a, b, bl := token(t, url, "a", "1"), token(t, url, "b", "2"), token(t, url, "bl", "3")
	for name, who := range map[string]string{"va": a, "vb": b} {
		if status, body := ask(t, "POST", url+"/vens", who, `{"objectType":"VEN_VEN_REQUEST","venName":"`+name+`","targets":["north"]}`); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if err := v.Grant("va", "north", "hidden"); err != nil {
		t.Fatal(err)
	}
	open, _ := v.Push(anEvent("2026-03-01T12:00:00Z", "PT1H"))
	e := anEvent("2026-03-01T12:00:00Z", "PT1H")
	e["targets"] = []any{"north", "secret"}
	north, _ := v.Push(e)
	past, _ := v.Push(anEvent("2026-03-01T08:00:00Z", "PT1H"))
	for _, c := range []struct {
		who, path string
		want      []string
	}{
		{a, "/events", []string{open, past}},
		{a, "/events?targets=north", []string{open, north, past}},
		{a, "/events?targets=south", []string{open, past}},
		{a, "/events?targets=secret", []string{open, past}},
		{a, "/events?active=true", []string{open}},
		{a, "/events?skip=1&limit=1", []string{past}},
		{a, "/events?limit=0", []string{}},
		{b, "/events?targets=north", []string{open, past}}, // it named the target itself: not granted
		{bl, "/events", []string{open, north, past}},
	} {
		if _, body := ask(t, "GET", url+c.path, c.who, ""); fmt.Sprint(ids(t, body)) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.path, ids(t, body), c.want)
		}
	}
	if _, body := ask(t, "GET", url+"/events?targets=north", a, ""); bytes.Contains(body, []byte("secret")) {
		t.Error("a target that was not asked for is shown")
	}
	if _, body := ask(t, "GET", url+"/vens", b, ""); len(ids(t, body)) != 1 {
		t.Errorf("a VEN sees others: %s", body)
	}
	for _, c := range []struct {
		method, path, who, body string
		status                  int
	}{
		{"POST", "/events", a, `{}`, 403},
		{"GET", "/events", "", "", 401},
		{"GET", "/events?limit=51", a, "", 400},
		{"GET", "/events?skip=-1", a, "", 400},
		{"POST", "/vens", a, `{"venName":"x"}`, 400},
		{"POST", "/programs", bl, `{`, 400},
		{"POST", "/programs", bl, `{"programName":""}`, 400},
		{"PATCH", "/events/" + open, bl, "", 405},
		{"GET", "/nothing", bl, "", 404},
		{"DELETE", "/programs/none", bl, "", 404},
	} {
		if got, body := ask(t, c.method, url+c.path, c.who, c.body); got != c.status || !json.Valid(body) {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, got, body, c.status)
		}
	}
	v.Revoke()
	if got, _ := ask(t, "GET", url+"/events", a, ""); got != 401 {
		t.Errorf("a revoked token: %d", got)
	}
}

func TestFaults(t *testing.T) {
	v, url := start(t, Config{Seed: 3})
	if _, err := v.Push(anEvent("2026-03-01T12:00:00Z", "PT1H")); err != nil {
		t.Fatal(err)
	}
	_, clean := ask(t, "GET", url+"/events", "", "")
	v.Misbehave(Faults{Lost: 1})
	if status, _ := ask(t, "GET", url+"/events", "", ""); status != 0 {
		t.Errorf("lost: %d", status)
	}
	v.Misbehave(Faults{HTML: 1})
	if status, b := ask(t, "GET", url+"/events", "", ""); status != 200 || !bytes.HasPrefix(b, []byte("<!doctype")) {
		t.Errorf("a page: %d %s", status, b)
	}
	v.Misbehave(Faults{Broken: 1})
	if status, _ := ask(t, "GET", url+"/events", "", ""); status != 500 {
		t.Errorf("broken: %d", status)
	}
	v.Misbehave(Faults{Late: 50 * time.Millisecond})
	began := time.Now()
	if status, _ := ask(t, "GET", url+"/events", "", ""); status != 200 || time.Since(began) < 50*time.Millisecond {
		t.Errorf("late: %d after %s", status, time.Since(began))
	}
	v.Misbehave(Faults{Garbled: 1})
	bad := 0
	for range 20 {
		if _, b := ask(t, "GET", url+"/events", "", ""); !bytes.Equal(b, clean) {
			bad++
		}
	}
	if bad < 20 {
		t.Errorf("of 20 garbled answers, %d are", bad)
	}
	if v.Calls("GET /events") < 25 { // a client may try a lost one again
		t.Errorf("%d calls", v.Calls("GET /events"))
	}
}

// FuzzBody posts anything as an event: the VTN answers and keeps only what has the shape.
func FuzzBody(f *testing.F) {
	v := New(Config{Clock: at{clock.System()}})
	f.Cleanup(func() { _ = v.Close() })
	program, err := v.Program("demo", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"programID":"` + program + `","intervals":[{"id":0,"payloads":[{"type":"PRICE","values":[1]}]}]}`))
	f.Add([]byte(`{"programID":"` + program + `","intervals":[null],"intervalPeriod":3}`))
	f.Add([]byte(`{"targets":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/events", bytes.NewReader(b))
		req.Header.Set("Content-Type", "application/json")
		v.ServeHTTP(rec, req)
		if rec.Code != 201 && rec.Code != 400 && rec.Code != 404 || !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		for _, o := range v.All(Event) {
			transpired(o, noon)
			if err := v.Withdraw(o["id"].(string)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
