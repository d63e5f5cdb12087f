package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

func TestParseTolerates(t *testing.T) {
	want := Object{{"a", Number("1")}, {"b", Array{Object{{"c", "x"}}, Object{{"d", nil}}}}}
	for name, in := range map[string]string{
		"plain":               `{"a":1,"b":[{"c":"x"},{"d":null}]}`,
		"NUL at the end":      "{\"a\":1,\"b\":[{\"c\":\"x\"},{\"d\":null}]}\x00",
		"NULs in between":     "\x00{\"a\":\x00 1,\x00\"b\":[{\"c\":\"x\"},{\"d\":null}]\x00}\x00\x00",
		"newline":             "{\"a\":1,\"b\":[{\"c\":\"x\"},{\"d\":null}]}\r\n",
		"no comma":            `{"a":1,"b":[{"c":"x"}{"d":null}]}`,
		"no comma in object":  `{"a":1 "b":[{"c":"x"},{"d":null}]}`,
		"comma at the end":    `{"a":1,"b":[{"c":"x",},{"d":null,},],}`,
		"leading comma":       `,{,"a":1,"b":[,{"c":"x"},,{"d":null}]}`,
		"bare nan":            `{"a":1,"b":[{"c":"x"},{"d":nan}]}`,
		"bare -inf":           `{"a":1,"b":[{"c":"x"},{"d":-inf}]}`,
		"bare Infinity":       `{"a":1,"b":[{"c":"x"},{"d":+Infinity}]}`,
		"byte order mark":     "\ufeff" + `{"a":1,"b":[{"c":"x"},{"d":null}]}`,
		"something after":     `{"a":1,"b":[{"c":"x"},{"d":null}]}{"e":1}`,
		"newline in a string": "{\"a\":1,\"b\":[{\"c\":\"\\u0078\"},{\"d\":null}]}",
	} {
		r, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(want, r.Object); d != "" || r.Truncated {
			t.Errorf("%s: truncated %v, -want +got:\n%s", name, r.Truncated, d)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "\x00\x00", "[]", "null", "12", "<html>", "Socket connect failed: Connection refused\n",
		`{"a":zzz}`, `{"a" 1}`, `{a:1}`, `{"a":1.2.3}`, `{"a":0x10}`, `{"a":]}`, `{"a":[}]}`,
		strings.Repeat(`{"a":[`, 100), `{"a":"` + strings.Repeat("x", MaxReply) + `"}`,
	} {
		if r, err := Parse([]byte(in)); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("Parse(%.40q) = %v, %v, want an error", in, r, err)
		}
	}
}

func TestParseTruncated(t *testing.T) {
	for in, want := range map[string]Object{
		`{"a":1,"b":2`:               {{"a", Number("1")}}, // the 2 may be the start of 20
		`{"a":1,"b":"x`:              {{"a", Number("1")}},
		`{"a":1,"b":tru`:             {{"a", Number("1")}},
		`{"a":1,"b":true`:            {{"a", Number("1")}},
		`{"a":1,"b":`:                {{"a", Number("1")}},
		`{"a":1,"b"`:                 {{"a", Number("1")}},
		`{"a":1,"b`:                  {{"a", Number("1")}},
		`{"a":1,`:                    {{"a", Number("1")}},
		`{"a":[1,2,3`:                {{"a", Array{Number("1"), Number("2")}}},
		`{"a":[{"b":1},{"c":5,"d":6`: {{"a", Array{Object{{"b", Number("1")}}, Object{{"c", Number("5")}}}}},
		`{"a":{"b":"x\`:              {{"a", Object{}}},
		`{"a":{"b":1}`:               {{"a", Object{{"b", Number("1")}}}},
		"{\"a\":1,\"b\":\"cut\x00":   {{"a", Number("1")}},
		`{`:                          {},
		`{"a":-`:                     {},
	} {
		r, err := Parse([]byte(in))
		if err != nil || !r.Truncated {
			t.Errorf("%s: truncated %v, %v", in, r.Truncated, err)
			continue
		}
		if d := cmp.Diff(want, r.Object); d != "" {
			t.Errorf("%s: -want +got:\n%s", in, d)
		}
	}
}

// subset says whether part holds nothing that whole does not, in the same places.
func subset(part, whole any) bool {
	switch p := part.(type) {
	case Object:
		w, ok := whole.(Object)
		if !ok || len(p) > len(w) {
			return false
		}
		for i := range p {
			if p[i].Key != w[i].Key || !subset(p[i].Value, w[i].Value) {
				return false
			}
		}
		return true
	case Array:
		w, ok := whole.(Array)
		if !ok || len(p) > len(w) {
			return false
		}
		for i := range p {
			if !subset(p[i], w[i]) {
				return false
			}
		}
		return true
	}
	return cmp.Equal(part, whole)
}

// anyJSON draws a nested value of JSON.
func anyJSON(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
		rapid.Map(rapid.Int(), func(i int) any { return i }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	if depth == 0 {
		return leaf
	}
	sub := anyJSON(depth - 1)
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(sub, 0, 4), func(a []any) any { return a }),
		rapid.Map(rapid.MapOfN(rapid.String(), sub, 0, 4), func(m map[string]any) any { return m }))
}

func TestEveryCutIsASubset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(rapid.String(), anyJSON(3), 0, 5).Draw(t, "reply")
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Parse(data)
		if err != nil || whole.Truncated {
			t.Fatalf("Parse(%s): truncated %v, %v", data, whole.Truncated, err)
		}
		var same map[string]any
		if err := json.Unmarshal(data, &same); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(same, plain(whole.Object)); d != "" {
			t.Fatalf("%s: -encoding/json +Parse:\n%s", data, d)
		}
		for cut := 1; cut < len(data); cut++ {
			part, err := Parse(data[:cut])
			if err != nil {
				t.Fatalf("Parse(%q): %v", data[:cut], err)
			}
			if !part.Truncated || !subset(part.Object, whole.Object) {
				t.Fatalf("%q gave %v (truncated %v) of %v", data[:cut], part.Object, part.Truncated, whole.Object)
			}
		}
	})
}

// plain turns a reply into what encoding/json makes.
func plain(v any) any {
	switch v := v.(type) {
	case Object:
		m := map[string]any{}
		for _, e := range v {
			m[e.Key] = plain(e.Value)
		}
		return m
	case Array:
		a := []any{}
		for _, e := range v {
			a = append(a, plain(e))
		}
		return a
	case Number:
		f, _ := Float(v)
		return f
	}
	return v
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"STATUS":[{"STATUS":"S"}],"STATS":[{"a":1}{"GHS 5s":inf}],"id":1}` + "\x00", `{"a":[,{`, `{"a":"\ud83d\ude00"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data)
		if err != nil {
			return
		}
		r.Status()
		r.Command("stats").Objects("STATS")
		for _, m := range r.Object {
			if h := r.Hashrate(m.Key); h.OK && (h.V < 0 || h.V != h.V) {
				t.Fatalf("hashrate %v under %q", h.V, m.Key)
			}
			r.Int(m.Key)
			r.Bool(m.Key)
		}
	})
}

func TestHashrateNeedsItsUnit(t *testing.T) {
	for in, want := range map[string]site.Opt[unit.Hashrate]{
		`{"GHS 5s":110566.89}`:                  site.Some(unit.Hashrate(110566.89e9)),
		`{"GHS 5s":"110566.89"}`:                site.Some(unit.Hashrate(110566.89e9)),
		`{"MHS av":125000000}`:                  site.Some(unit.Hashrate(125e12)),
		`{"rate_5s":110.5,"rate_unit":"TH/s"}`:  site.Some(unit.Hashrate(110.5e12)),
		`{"rate_5s":110566,"rate_unit":"GH"}`:   site.Some(unit.Hashrate(110566e9)),
		`{"RATE_5S":110566,"Rate_Unit":"Gh/s"}`: site.Some(unit.Hashrate(110566e9)),
		`{"TH":110.5}`:                          site.Some(unit.Hashrate(110.5e12)),
		`{"rate_5s":110566}`:                    {},
		`{"rate_5s":110566,"rate_unit":"X"}`:    {},
		`{"HS RT":124500000}`:                   {},
		`{"Total MH":5643633754730}`:            {},
		`{"GHS 5s":"inf"}`:                      {},
		`{"GHS 5s":nan}`:                        {},
		`{"GHS 5s":""}`:                         {},
		`{"GHS 5s":-5}`:                         {},
		`{"GHS 5s":"0x10"}`:                     {},
		`{"GHS 5s":1e300}`:                      {},
		`{"GHS 5s":0}`:                          site.Some(unit.Hashrate(0)),
		`{"GHS 5s":"","GHS av":7}`:              site.Some(unit.Hashrate(7e9)),
	} {
		r, err := Parse([]byte(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		got := r.Hashrate("GHS 5s", "GHS av", "MHS av", "rate_5s", "TH", "HS RT", "Total MH")
		if got.OK != want.OK || float64(got.V-want.V) > 1 || float64(want.V-got.V) > 1 {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func TestStatusInEveryShape(t *testing.T) {
	for in, want := range map[string]error{
		`{"STATUS":[{"STATUS":"S","Code":11}]}`:                      nil,
		`{"STATUS":{"status":"s","code":11}}`:                        nil,
		`{"status":[{"STATUS":"I","Code":118}]}`:                     nil,
		`{"STATUS":"S","Code":131,"Msg":"API command OK"}`:           nil,
		`{"STATUS":[{"STATUS":"E","Code":14,"Msg":"invalid cmd"}]}`:  driver.ErrUnsupported,
		`{"STATUS":"E","Code":"45","Msg":"permission denied"}`:       driver.ErrUnauthorized,
		`{"STATUS":[{"STATUS":"F","Code":9,"Msg":"out of memory"}]}`: driver.ErrRefused,
		`{"SUMMARY":[{"Elapsed":1}]}`:                                nil,
	} {
		r, err := Parse([]byte(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if got := r.Status().Err(); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func TestJoinedReply(t *testing.T) {
	r, err := Parse([]byte(`{"stats":[{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"A"},{"STATS":0,"GHS 5s":1}]}],` +
		`"summary":[{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":5}]}],"id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Command("summary").Objects("SUMMARY"); len(got) != 1 || got[0].Int("elapsed").V != 5 {
		t.Errorf("summary: %v", got)
	}
	if got := r.Command("stats").Objects("STATS"); len(got) != 2 || got[0].Text("Type") != "A" {
		t.Errorf("stats: %v", got)
	}
	alone, err := Parse([]byte(`{"STATUS":[{"STATUS":"S"}],"DEVS":[{"Status":"Alive"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := alone.Command("devs").Objects("DEVS"); len(got) != 1 || got[0].Text("Status") != "Alive" {
		t.Errorf("devs alone: %v", got)
	}
}

// answer makes a dialler to a peer that takes one request and then runs f.
func answer(f func(net.Conn)) Dialer {
	return func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			buf := make([]byte, 256)
			if _, err := far.Read(buf); err == nil {
				f(far)
			}
		}()
		return near, nil
	}
}

func TestExchange(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	hold := func(s string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, s); _, _ = io.Copy(io.Discard, c) }
	}
	slowly := func(c net.Conn) {
		for _, b := range []byte(`{"a":"}","b":[1]}`) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}
	for name, c := range map[string]struct {
		f    func(net.Conn)
		want string
	}{
		"closed":    {func(c net.Conn) { _, _ = io.WriteString(c, `{"a":1}`+"\x00") }, `{"a":1}`},
		"held open": {hold(`{"a":1}`), `{"a":1}`},
		"slowly":    {slowly, `{"a":"}","b":[1]}`},
		"cut":       {func(c net.Conn) { _, _ = io.WriteString(c, `{"a":1,"b`) }, `{"a":1,"b`},
		"no byte":   {func(net.Conn) {}, ""},
		"long":      {hold(`{"a":"` + strings.Repeat("x", 100_000) + `"}`), `{"a":"` + strings.Repeat("x", 100_000) + `"}`},
	} {
		got, err := Exchange(ctx, answer(c.f), "x:1", []byte(`{"command":"a"}`))
		if err != nil || strings.TrimRight(string(got), "\x00") != c.want {
			t.Errorf("%s: %.60q, %v", name, got, err)
		}
	}
	if _, err := Exchange(ctx, answer(hold(`{"a":"`+strings.Repeat("x", 2*MaxReply))), "x:1", []byte("{}")); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("endless reply: %v", err)
	}
}

func TestExchangeEndsWithItsContext(t *testing.T) {
	for name, f := range map[string]func(net.Conn){
		"silent":    func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"half sent": func(c net.Conn) { _, _ = io.WriteString(c, `{"a":`); _, _ = io.Copy(io.Discard, c) },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		begun := time.Now()
		_, err := Exchange(ctx, answer(f), "x:1", []byte("{}"))
		cancel()
		if !errors.Is(err, driver.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 1500*time.Millisecond {
			t.Errorf("%s: %v after %v", name, err, time.Since(begun))
		}
	}
}

func TestHeldOpenInTheMiddleIsACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r, err := Call(t.Context(), answer(func(c net.Conn) {
			_, _ = io.WriteString(c, `{"SUMMARY":[{"Elapsed":5,"GHS 5s":1`)
			_, _ = io.Copy(io.Discard, c)
		}), "x:1", Request{Command: "summary"})
		if err != nil || !r.Truncated || r.Objects("SUMMARY")[0].Int("Elapsed").V != 5 || r.Objects("SUMMARY")[0].Hashrate("GHS 5s").OK {
			t.Errorf("%v, %v", r, err)
		}
		if took := time.Since(begun); took != quiet {
			t.Errorf("it took %v, want %v", took, quiet)
		}
	})
}
