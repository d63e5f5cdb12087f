package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
)

// rows are a small fleet: one in full work, one weak, one asleep and one never heard of.
func rows() []Row {
	return []Row{
		{
			Device: "s21-001", Group: "s21", Nodes: []string{"hall-a", "connection"}, Rack: "A-01", Position: "3", Make: "Bitmain", Model: "Antminer S21 Pro",
			Firmware: "Stock 2024-05", Driver: "antminer", Address: "10.0.4.17", MAC: "AA:BB:CC:00:11:22", Serial: "SN1", State: "hashing",
			Pools: []site.Pool{{URL: "stratum+tcp://pool.example:3333", Worker: "acme.s21-001", Active: true}}, Fans: []int{5000, 5100},
			Hashrate: site.Some(234.0), HashratePct: site.Some(100.0), Power: site.Some(3510.0), Temp: site.Some(71.0),
			Uptime: site.Some(75 * time.Hour), Age: site.Some(4 * time.Second),
		},
		{
			Device: "s21-002", Group: "s21", Nodes: []string{"hall-a", "connection"}, Make: "Bitmain", Model: "Antminer S21", Address: "10.0.4.18", State: "hashing",
			Pools:    []site.Pool{{URL: "stratum+tcp://thief.example:3333", Worker: "x", Active: true}, {URL: "stratum+tcp://pool.example:3333", Worker: "acme.s21-002"}},
			Hashrate: site.Some(120.0), HashratePct: site.Some(60.0), Power: site.Some(3200.0), Temp: site.Some(91.0), Fans: []int{0, 6000},
			Uptime: site.Some(90 * time.Minute), Age: site.Some(2 * time.Minute), Alerts: []string{"wrong-pool", "fan"}, Held: "eva", Maintenance: true,
		},
		{Device: "m60s-010", Group: "m60s", Nodes: []string{"hall-b", "connection"}, Model: "M60S", Address: "10.0.5.3", State: "sleeping", Hashrate: site.Some(0.0), HashratePct: site.Some(0.0), Power: site.Some(25.0), Profile: "eco"},
		{Device: "m60s-9", Group: "m60s", Nodes: []string{"hall-b", "connection"}, Address: "10.0.5.4", State: "stale"},
	}
}

func find(t testing.TB, q string) string {
	t.Helper()
	c, err := Parse(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var out []string
	for _, r := range rows() {
		if c.Match(&r) {
			out = append(out, r.Device)
		}
	}
	return strings.Join(out, " ")
}

func TestQueriesFind(t *testing.T) {
	const all = "s21-001 s21-002 m60s-010 m60s-9"
	for q, want := range map[string]string{
		"":                                      all,
		" ":                                     all,
		"model=*S21* and hashrate<80%":          "s21-002",
		"model=*s21*":                           "s21-001 s21-002",
		`model="Antminer S21"`:                  "s21-002",
		"model!=*S21*":                          "m60s-010 m60s-9",
		"model~s21":                             "s21-001 s21-002",
		"model~s?1":                             "s21-001 s21-002",
		"model=*":                               "s21-001 s21-002 m60s-010",
		`model=""`:                              "m60s-9",
		`model!=""`:                             "s21-001 s21-002 m60s-010",
		"node=hall-a":                           "s21-001 s21-002",
		"node=connection":                       all,
		"hall=hall-b or state=hashing":          all,
		"not state=hashing":                     "m60s-010 m60s-9",
		"not (state=hashing or node=hall-b)":    "",
		"state=hashing temp>80":                 "s21-002",
		"state=hashing and not temp>80C":        "s21-001",
		"temp>80 or power<100W":                 "s21-002 m60s-010",
		"temp > 80 °C":                          "s21-002",
		"power>3.3kW":                           "s21-001",
		"power > 3.3 kW":                        "s21-001",
		"power=3.5kW":                           "s21-001", // as near as it was written
		"power=3500":                            "",
		"power!=25":                             "s21-001 s21-002", // and not the one that does not tell
		"power<=3200 W":                         "s21-002 m60s-010",
		"hashrate>=0.2PH/s":                     "s21-001",
		"hashrate<150":                          "s21-002 m60s-010",
		"hashrate<150 TH/s model~s21":           "s21-002",
		"hashrate=0":                            "m60s-010",
		"hashrate=0%":                           "m60s-010",
		"uptime>3d":                             "s21-001",
		"uptime>3d3h":                           "",
		"uptime<1h31m":                          "s21-002",
		"uptime < 2 h":                          "s21-002",
		"age>1min":                              "s21-002",
		"fans=0":                                "s21-002",
		"fans<1000rpm":                          "s21-002",
		"fans!=0":                               "s21-001",
		"address=10.0.4.0/24":                   "s21-001 s21-002",
		"address=10.0.4.17/31":                  "s21-001",
		"address!=10.0.4.0/24":                  "m60s-010 m60s-9",
		"ip=10.0.*":                             all,
		"address~.0.5.":                         "m60s-010 m60s-9",
		"mac=aabbcc*":                           "s21-001",
		"mac=aa-bb-cc-00-11-22":                 "s21-001",
		"mac=aabb":                              "s21-001", // a part of it
		"mac=CC00-11":                           "s21-001",
		"mac=abbc":                              "s21-001",
		"mac=aabbcc001123":                      "",
		"mac=aabbcd":                            "",
		"mac!=aabb":                             "s21-002 m60s-010 m60s-9",
		"mac=22*":                               "",
		"model=s21*":                            "s21-001 s21-002",
		"model=S21":                             "s21-002",
		"model!=S21":                            "s21-001 m60s-010 m60s-9",
		"model=Pro":                             "", // the model's first word stays
		"model=M60S":                            "m60s-010",
		"state=s*":                              "m60s-010 m60s-9",
		"state~hash":                            "s21-001 s21-002",
		`state=""`:                              "",
		`alert=""`:                              "s21-001 m60s-010 m60s-9",
		"alert=*pool":                           "s21-002",
		"mac~bb:cc":                             "s21-001",
		"pool~thief":                            "s21-002",
		"pool~pool.example":                     "s21-001 s21-002",
		"pool!=*thief*":                         "s21-001 m60s-010 m60s-9",
		`pool=""`:                               "m60s-010 m60s-9",
		"worker=acme.*":                         "s21-001 s21-002",
		"alert=fan":                             "s21-002",
		"alert=yes":                             "s21-002",
		"alert=no":                              "s21-001 m60s-010 m60s-9",
		"alert!=yes":                            "s21-001 m60s-010 m60s-9",
		"held=yes":                              "s21-002",
		"held=eva":                              "s21-002",
		"held=no state=hashing":                 "s21-001",
		`held="yes"`:                            "",
		"maintenance=yes":                       "s21-002",
		"maintenance!=yes":                      "s21-001 m60s-010 m60s-9",
		"maintenance=off":                       "s21-001 m60s-010 m60s-9",
		"thief":                                 "s21-002",
		"S21-*":                                 "s21-001 s21-002",
		"antminer pro":                          "s21-001",
		`"antminer s21"`:                        "s21-001 s21-002",
		"eco":                                   "m60s-010",
		"rack=A-*":                              "s21-001",
		"group=s21 or group=m60s and eco":       "s21-001 s21-002 m60s-010",
		"(group=s21 or group=m60s) and eco":     "m60s-010",
		"NOT group=s21 AND STATE=sleeping":      "m60s-010",
		"not not eco":                           "m60s-010",
		"profile=eco or serial=sn1":             "s21-001 m60s-010",
		`device="*"`:                            all,
		`device="\*"`:                           "",
		"power>10kW or make=bitmain position=3": "s21-001",
	} {
		if got := find(t, q); got != want {
			t.Errorf("%s\n finds %s\n want  %s", q, got, want)
		}
	}
}

func TestFaultsSayWhereAndWhatWouldBeRight(t *testing.T) {
	deep := strings.Repeat("(", 60) + "x" + strings.Repeat(")", 60)
	for q, want := range map[string]string{
		"modle=S19":               `character 1: there is no field "modle"; did you mean "model"?`,
		"state=hashing and":       "character 18: something to look for is missing at the end",
		"hashrate<80 and or x":    `character 17: "or" joins two parts`,
		"(model=S19":              `character 1: the parenthesis is not closed`,
		"model=S19)":              `character 10: ")" without "("`,
		"()":                      `character 2: ")" where something`,
		"=3":                      `character 1: no field stands before "="`,
		"power=":                  "character 7: a value is missing after power=; write it like power>3kW",
		"power>3 kV":              "", // kV is a word that nothing has
		"power>3kV":               `character 7: "kV" is no unit of power; write it like power>3kW; units are W, kW, MW`,
		"power>lots":              `"lots" is no figure of power`,
		"uptime>3":                `character 8: "3" has no unit; write it like uptime>3d; units are s, m, min, h, d, w`,
		"uptime>3d-4h":            `is no unit of uptime`,
		"power~3":                 "power is a figure, and ~ compares texts",
		"model<3":                 "model is a text, and < compares figures; use =, != or ~",
		"address=10.0.4.0/99":     "is not a network",
		"alert=dead-bord":         `character 7: no alert is called "dead-bord"; did you mean "dead-board"?`,
		"state!=hashin":           `character 8: no state is called "hashin"; did you mean "hashing"?`,
		"state=x*":                `character 7: no state is called "x*"; it can be one of hashing, starting`,
		"alert~boot":              `no alert is called "boot"`,
		"maintenance=maybe":       "maintenance is yes or no; write maintenance=yes or maintenance=no",
		"maintenance<yes":         "maintenance is yes or no",
		`"open`:                   "character 1: the quotation mark is not closed",
		"a ! b":                   `character 3: "!" alone is no comparison; write "!="`,
		`""`:                      "an empty text is in every field",
		`model~""`:                "an empty text is in every field",
		deep:                      "more than 50 parentheses",
		strings.Repeat("a", 2001): "at most 2000 bytes",
		"a\xff":                   "not valid UTF-8",
		"ünï modle=3":             "character 5:", // characters, not bytes
		"power>1e3W":              `"e3W" is no unit`,
		"power>1.2.3W":            "is no figure",
	} {
		_, err := Parse(q)
		var e *Error
		switch {
		case want == "" && err == nil:
		case !errors.As(err, &e):
			t.Errorf("%.40s: %v, want an *Error with %q", q, err, want)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%.40s\n says %s\n want %s", q, err, want)
		}
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	q, err := Parse("(model=*s21* or mac~bbcc) and not (hashrate<80% or pool~thief) address=10.0.4.0/23 node=hall-* bitmain maintenance=no uptime>1d")
	if err != nil {
		t.Fatal(err)
	}
	all := rows()
	if n := testing.AllocsPerRun(100, func() {
		for i := range all {
			q.Match(&all[i])
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSorting(t *testing.T) {
	for by, want := range map[string]string{
		"":                 "m60s-9 m60s-010 s21-001 s21-002", // numbers by value
		"-device":          "s21-002 s21-001 m60s-010 m60s-9",
		"power":            "m60s-010 s21-002 s21-001 m60s-9", // unknown last
		"-power":           "s21-001 s21-002 m60s-010 m60s-9",
		"-temp":            "s21-002 s21-001 m60s-9 m60s-010",
		"rack":             "s21-001 m60s-9 m60s-010 s21-002",
		"-rack":            "s21-001 m60s-9 m60s-010 s21-002",
		"fans":             "s21-002 s21-001 m60s-9 m60s-010",
		"-maintenance":     "m60s-9 m60s-010 s21-001 s21-002",
		"alert":            "s21-002 m60s-9 m60s-010 s21-001",
		"pool":             "s21-001 s21-002 m60s-9 m60s-010",
		"ip":               "s21-001 s21-002 m60s-010 m60s-9",
		"hashrate_percent": "m60s-010 s21-002 s21-001 m60s-9",
	} {
		order, err := Order(by)
		if err != nil {
			t.Fatal(err)
		}
		all := rows()
		slices.SortFunc(all, func(a, b Row) int { return order(&a, &b) })
		var got []string
		for _, r := range all {
			got = append(got, r.Device)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("by %q: %s, want %s", by, s, want)
		}
	}
	if _, err := Order("powr"); err == nil || !strings.Contains(err.Error(), `did you mean "power"?`) {
		t.Errorf("a slip: %v", err)
	}
	if n := len(Fields()); n != len(fields) {
		t.Errorf("%d fields told, %d there", n, len(fields))
	}
}

func TestEveryFieldCanBeAskedAndSortedBy(t *testing.T) {
	for _, f := range Fields() {
		if _, err := Order(f.Name); err != nil {
			t.Error(err)
		}
		i := slices.IndexFunc(fields, func(x field) bool { return x.name == f.Name })
		if _, err := Parse(fields[i].example()); err != nil {
			t.Errorf("the example of %s is wrong itself: %v", f.Name, err)
		}
	}
}

// part makes a query of random parts, and says itself whether it matches.
func part(rt *rapid.T, depth int) (q string, match func(*Row) bool) {
	kind := rapid.IntRange(0, 5).Draw(rt, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		w := rapid.IntRange(0, 4000).Draw(rt, "W")
		return fmt.Sprintf("power<%d", w), func(r *Row) bool { return r.Power.OK && r.Power.V < float64(w) }
	case 1:
		state := rapid.SampledFrom([]string{"hashing", "sleeping", "fault"}).Draw(rt, "state")
		return "state=" + state, func(r *Row) bool { return r.State == state }
	case 2:
		g := rapid.SampledFrom([]string{"s21", "m60s", "no such"}).Draw(rt, "group")
		return `group!="` + g + `"`, func(r *Row) bool { return r.Group != g }
	case 3:
		a, x := part(rt, depth-1)
		return "not (" + a + ")", func(r *Row) bool { return !x(r) }
	}
	a, x := part(rt, depth-1)
	b, y := part(rt, depth-1)
	if kind == 4 {
		sep := rapid.SampledFrom([]string{" and ", " ", "  AND "}).Draw(rt, "and")
		return "(" + a + ")" + sep + "(" + b + ")", func(r *Row) bool { return x(r) && y(r) }
	}
	return "(" + a + " or " + b + ")", func(r *Row) bool { return x(r) || y(r) }
}

// TestQueriesMeanWhatTheySay builds queries with what they mean, and writes them out and
// reads them again.
func TestQueriesMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, match := part(rt, 3)
		q, err := Parse(text)
		if err != nil {
			if len(text) > MaxLength {
				return
			}
			rt.Fatalf("%s: %v", text, err)
		}
		again, err := Parse(q.String())
		if err != nil && len(q.String()) <= MaxLength {
			rt.Fatalf("%s, written as %s: %v", text, q, err)
		}
		for _, r := range rows() {
			if got := q.Match(&r); got != match(&r) {
				rt.Errorf("%s of %s: %v", text, r.Device, got)
			}
			if err == nil && again.Match(&r) != q.Match(&r) {
				rt.Errorf("%s is not %s", text, q)
			}
		}
	})
}

// TestGlobs holds the matcher against a slow one that is plainly right.
func TestGlobs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.StringMatching(`[abÄ*?]{0,8}`).Draw(rt, "pattern")
		s := rapid.StringMatching(`[abäA]{1,10}`).Draw(rt, "text")
		var word []letter
		for _, r := range p {
			word = append(word, letter{r: r})
		}
		g := newGlob(word, false, false)
		if got, want := g.match(s), slow([]rune(strings.ToLower(p)), []rune(strings.ToLower(s))); got != want {
			rt.Errorf("%q against %q: %v, want %v", p, s, got, want)
		}
	})
}

func slow(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slow(p[1:], s) || len(s) > 0 && slow(p, s[1:])
	}
	return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && slow(p[1:], s[1:])
}

// FuzzParse: whatever a person types, there is a query that can be written and read again,
// or a fault with its place.
func FuzzParse(f *testing.F) {
	for _, q := range []string{"model=S19* and hashrate<80%", "not (a or b) c", `device="\*"`, "uptime>1d12h fans=0", "address=10.0.0.0/8", "mac~aa:bb", "((", "power > 3 kW"} {
		f.Add(q)
	}
	all := rows()
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.At < 0 || e.At > len([]rune(s)) {
				t.Fatalf("%q: %#v", s, err)
			}
			return
		}
		again, err := Parse(q.String())
		if err != nil {
			if len(q.String()) > MaxLength || strings.Contains(err.Error(), "parentheses") {
				return
			}
			t.Fatalf("%q, written as %q: %v", s, q, err)
		}
		if diff := cmp.Diff(q.String(), again.String()); diff != "" {
			t.Fatalf("%q is not read back: %s", s, diff)
		}
		for i := range all {
			if q.Match(&all[i]) != again.Match(&all[i]) {
				t.Fatalf("%q and %q differ on %s", s, q, all[i].Device)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	q, err := Parse("model=*S21* and hashrate<80% and not maintenance=yes")
	if err != nil {
		b.Fatal(err)
	}
	all := rows()
	for b.Loop() {
		for i := range all {
			q.Match(&all[i])
		}
	}
}
