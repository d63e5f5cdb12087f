package signal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	kw = unit.Kilowatt
	mw = unit.Megawatt
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time {
	return noon.Add(time.Duration(minutes * float64(time.Minute)))
}

// desk is a book with a clock that the test sets.
type desk struct {
	*Book
	now   time.Time
	woken int
	drawn site.Opt[unit.Power]
}

func tree(t testing.TB) *site.Tree {
	t.Helper()
	out, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Limit: 10 * mw}, {ID: "hall-a", Parent: 0, Limit: 4 * mw}, {ID: "hall-b", Parent: 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newDesk(t testing.TB, terms ...Terms) *desk {
	t.Helper()
	d := &desk{now: noon}
	if len(terms) == 0 {
		terms = []Terms{{Name: "utility"}, {Name: "broker", Node: "hall-a"}}
	}
	d.Book = NewBook(Options{
		Tree: tree(t), Sources: terms, Now: func() time.Time { return d.now }, Wake: func() { d.woken++ },
		Firm:  func(n site.NodeID) unit.Power { return map[site.NodeID]unit.Power{"connection": 2 * mw}[n] },
		Drawn: func(site.NodeID) site.Opt[unit.Power] { return d.drawn },
	})
	return d
}

func (d *desk) says(source string, signals ...Signal) {
	d.Put(Update{Source: source, At: d.now, Signals: signals})
	d.Heard(source, d.now, nil)
}

// told returns what Turn tells at a minute, as "kind: text".
func (d *desk) told(minute float64) []string {
	d.now = at(minute)
	var out []string
	for _, e := range d.Turn(d.now) {
		out = append(out, string(e.Kind)+": "+e.Text)
	}
	return out
}

// bound is the lowest limit at a node now; negative for none.
func (d *desk) bound(node site.NodeID) unit.Power { return bound(d.At(d.now).Limits, node, d.now) }

func bound(ls []site.Limit, node site.NodeID, t time.Time) unit.Power {
	out := unit.Power(-1)
	for _, l := range ls {
		if l.Node == node && l.In(t) && (out < 0 || l.Power < out) {
			out = l.Power
		}
	}
	return out
}

func limit(id string, p unit.Power, from, to float64) Signal {
	s := Signal{ID: id, Kind: Limit, Power: p, From: at(from)}
	if to != 0 {
		s.To = at(to)
	}
	return s
}

func price(id string, dollars float64, from, to float64) Signal {
	return Signal{ID: id, Kind: Price, Price: unit.DollarsPerMWh(dollars), From: at(from), To: at(to)}
}

func prio(p int, s Signal) Signal        { s.Priority = p; return s }
func emergency(s Signal) Signal          { s.Emergency = true; return s }
func at2(n site.NodeID, s Signal) Signal { s.Node = n; return s }

func TestLimitsCombine(t *testing.T) {
	for _, c := range []struct {
		name             string
		utility, broker  []Signal
		connection, hall unit.Power
	}{
		{"none", nil, nil, -1, -1},
		{"one, at the connection", []Signal{limit("a", 5*mw, 0, 9)}, nil, 5 * mw, -1},
		{"one, at the source's node", nil, []Signal{limit("a", 3*mw, 0, 9)}, -1, 3 * mw},
		{"of two sources the lowest", []Signal{at2("hall-a", limit("a", 3*mw, 0, 9))}, []Signal{limit("a", 2*mw, 0, 9)}, -1, 2 * mw},
		{"of one source the highest priority", []Signal{prio(2, limit("a", 3*mw, 0, 9)), prio(1, limit("b", 5*mw, 0, 9))}, nil, 5 * mw, -1},
		{"of one priority the lowest", []Signal{prio(1, limit("a", 3*mw, 0, 9)), prio(1, limit("b", 5*mw, 0, 9))}, nil, 3 * mw, -1},
		{"an emergency yields to no priority", []Signal{emergency(prio(9, limit("a", 3*mw, 0, 9))), prio(0, limit("b", 5*mw, 0, 9))}, nil, 3 * mw, -1},
		{"and loosens nothing", []Signal{emergency(prio(0, limit("a", 5*mw, 0, 9))), prio(3, limit("b", 3*mw, 0, 9))}, nil, 3 * mw, -1},
		{"other nodes are other matters", []Signal{prio(2, at2("hall-a", limit("a", 3*mw, 0, 9))), prio(1, limit("b", 5*mw, 0, 9))}, nil, 5 * mw, 3 * mw},
		{"not yet", []Signal{limit("a", 5*mw, 2, 9)}, nil, -1, -1},
		{"over", []Signal{limit("a", 5*mw, -9, 1)}, nil, -1, -1},
		{"without an end", []Signal{limit("a", 5*mw, -9, 0)}, nil, 5 * mw, -1},
		{"without a beginning", []Signal{{ID: "a", Kind: Limit, Power: mw * 5, To: at(9)}}, nil, 5 * mw, -1},
	} {
		d := newDesk(t)
		d.says("utility", c.utility...)
		d.says("broker", c.broker...)
		d.now = at(1)
		if a, b := d.bound("connection"), d.bound("hall-a"); a != c.connection || b != c.hall {
			t.Errorf("%s: connection %s, hall %s", c.name, a, b)
		}
	}
}

func TestALowerPriorityHoldsWhereTheHigherOneDoesNot(t *testing.T) {
	d := newDesk(t)
	d.says("utility", prio(5, limit("long", 3*mw, 0, 60)), prio(1, limit("short", 6*mw, 20, 30)))
	want := []site.Limit{
		{ID: "signal:utility:long", Node: "connection", Power: 3 * mw, From: at(0), To: at(20), By: "signal:utility"},
		{ID: "signal:utility:short", Node: "connection", Power: 6 * mw, From: at(20), To: at(30), By: "signal:utility"},
		{ID: "signal:utility:long", Node: "connection", Power: 3 * mw, From: at(30), To: at(60), By: "signal:utility"},
	}
	if diff := cmp.Diff(want, d.At(noon).Limits); diff != "" {
		t.Error(diff)
	}
}

func TestPricesAndReservesCombine(t *testing.T) {
	d := newDesk(t)
	d.says("utility", prio(2, price("day", 40, 0, 60)), prio(2, price("noon", 90, 20, 30)), prio(1, price("peak", 300, 25, 40)))
	d.says("broker", prio(2, price("other", 50, 0, 70)), emergency(prio(9, price("alert", 5000, 65, 68))))
	var got []string
	for _, s := range d.At(noon).Prices {
		got = append(got, fmt.Sprintf("%s %s %v-%v %s", s.Source, s.ID, s.From.Sub(noon).Minutes(), s.To.Sub(noon).Minutes(), s.Price.Short()))
	}
	want := []string{"utility day 0-20 40.00", "utility noon 20-25 90.00", "utility peak 25-40 300.00", "utility day 40-60 40.00", "broker other 60-65 50.00", "broker alert 65-68 5000.00", "broker other 68-70 50.00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	d = newDesk(t)
	spin := func(id, name string, p unit.Power, from, to float64) Signal {
		return Signal{ID: id, Kind: Reserve, Name: name, Power: p, Price: unit.DollarsPerMWh(float64(p / mw)), Within: time.Minute, For: time.Duration(p/mw) * time.Hour, From: at(from), To: at(to)}
	}
	d.says("utility", spin("a", "spin", 2*mw, 0, 20), spin("b", "", 1*mw, 0, 20))
	d.says("broker", spin("a", "spin", 1*mw, 10, 30))
	wantHeld := []Held{
		{"spin", at(0), at(10), 2 * mw, unit.DollarsPerMWh(2), time.Minute, 2 * time.Hour, []string{"utility"}},
		{"spin", at(10), at(20), 3 * mw, unit.DollarsPerMWh(5.0 / 3), time.Minute, 2 * time.Hour, []string{"utility", "broker"}},
		{"spin", at(20), at(30), 1 * mw, unit.DollarsPerMWh(1), time.Minute, 1 * time.Hour, []string{"broker"}},
		{"utility", at(0), at(20), 1 * mw, unit.DollarsPerMWh(1), time.Minute, 1 * time.Hour, []string{"utility"}},
	}
	got2 := d.At(noon).Reserves
	for i := range got2 {
		if d := got2[i].Price - wantHeld[i].Price; d < 2 && d > -2 {
			got2[i].Price = wantHeld[i].Price
		}
	}
	if diff := cmp.Diff(wantHeld, got2); diff != "" {
		t.Error(diff)
	}
}

func TestWhatMakesNoSenseIsRefusedWithOneLine(t *testing.T) {
	old := noon.Add(-40 * 24 * time.Hour)
	for _, c := range []struct {
		name  string
		in    Signal
		line  string
		limit unit.Power // in force at the connection; negative: none
	}{
		{"no id", Signal{Kind: Limit, Power: mw}, "limit has no id", -1},
		{"end before start", limit("e1", 5*mw, 9, 3), "e1 ends at 2026-07-01 12:03:00Z, before it begins at 2026-07-01 12:09:00Z: it is not taken", -1},
		{"no length", limit("e1", 5*mw, 3, 3), "e1 ends", -1},
		{"long over", limit("e1", 5*mw, -90, -30), "e1 ended at 2026-07-01 11:30:00Z, before it came: it is not taken", -1},
		{"start long past", Signal{ID: "e1", Kind: Limit, Power: 5 * mw, From: old}, "e1 began at 2026-05-22 12:00:00Z, long past: it holds from now on", 5 * mw},
		{"below firm", limit("e1", mw, 0, 9), "e1 limits connection to 1 MW, below the 2 MW contracted there: all flexible load rests, and firm load is not shed", mw},
		{"below zero", limit("e1", -mw, 0, 9), "e1 limits connection to -1 MW, below the 2 MW contracted", 0},
		{"below zero where nothing is contracted", at2("hall-b", limit("e1", -mw, 0, 9)), "e1 limits hall-b to -1 MW: the site only takes power, and 0 W holds", -1},
		{"no such node", at2("hall-x", limit("e1", mw, 0, 9)), `e1 limits "hall-x", and no node is called that: it is not taken`, -1},
		{"years off", limit("e1", 5*mw, 3e6, 4e6), "e1 begins at 2032-03-14 20:00:00Z, years from now", -1},
		{"no kind", Signal{ID: "e1", Kind: "ramp", Power: mw}, `e1 is a "ramp", which is no price, limit or reserve`, -1},
		{"absurd price", price("e1", 9e6, 0, 9), "e1 has a price of 9000000.00 $/MWh, which no market has", -1},
		{"no reserve", Signal{ID: "e1", Kind: Reserve, Power: -1}, "e1 asks for a reserve", -1},
		{"line breaks in an id", Signal{ID: "a\nb", Kind: "x"}, "a b is a", -1},
	} {
		d := newDesk(t)
		d.says("utility", c.in)
		var lines []string
		for _, e := range d.Turn(noon) {
			if e.Kind == Refused {
				lines = append(lines, e.Text)
			}
		}
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "utility: "+c.line) {
			t.Errorf("%s: %q, want %q", c.name, lines, c.line)
		}
		if got := d.bound("connection"); got != c.limit {
			t.Errorf("%s: the bound is %s", c.name, got)
		}
		d.says("utility", c.in) // a sender that is polled says it again and again
		if again := d.told(0); len(again) != 0 {
			t.Errorf("%s: told again: %q", c.name, again)
		}
	}
}

func TestOneBadSignalDoesNotSpoilTheOthers(t *testing.T) {
	d := newDesk(t)
	d.Put(Update{Source: "utility", At: noon, Problems: []string{"event 9 is no JSON"}, Signals: []Signal{limit("bad", mw, 9, 3), limit("good", 5*mw, 0, 9)}})
	if got := d.bound("connection"); got != 5*mw {
		t.Errorf("the bound is %s", got)
	}
	want := []string{
		"refused: utility: event 9 is no JSON",
		"refused: utility: bad ends at 2026-07-01 12:03:00Z, before it begins at 2026-07-01 12:09:00Z: it is not taken",
		"received: utility: good received: no more than 5 MW at connection from 2026-07-01 12:00:00Z to 2026-07-01 12:09:00Z",
	}
	if diff := cmp.Diff(want, d.told(0)); diff != "" {
		t.Error(diff)
	}
	d.Put(Update{Source: "stranger", At: noon, Signals: []Signal{limit("x", 0, 0, 9)}})
	if got := d.told(0); len(got) != 1 || !strings.Contains(got[0], "stranger is no source of the site file") || d.bound("connection") != 5*mw {
		t.Errorf("%q", got)
	}
}

func TestSignalsLiveAndAreTold(t *testing.T) {
	d := newDesk(t)
	a := limit("a", 5*mw, -3, 9)
	later := limit("later", 4*mw, 5, 20)
	steps := []struct {
		minute float64
		say    []Signal
		want   []string
	}{
		{0, []Signal{a, later}, []string{
			"received: utility: a received: no more than 5 MW at connection from 2026-07-01 11:57:00Z to 2026-07-01 12:09:00Z; it began 3m0s before it came",
			"received: utility: later received: no more than 4 MW at connection from 2026-07-01 12:05:00Z to 2026-07-01 12:20:00Z",
		}},
		{1, []Signal{a, later}, nil},
		{6, nil, []string{"began: utility: later began: no more than 4 MW at connection from 2026-07-01 12:05:00Z to 2026-07-01 12:20:00Z"}},
		{7, []Signal{a, func() Signal { l := later; l.Power = 3 * mw; return l }()}, []string{"changed: utility: later changed: no more than 3 MW at connection from 2026-07-01 12:05:00Z to 2026-07-01 12:20:00Z"}},
		{9, nil, []string{"ended: utility: a ended: no more than 5 MW at connection from 2026-07-01 11:57:00Z to 2026-07-01 12:09:00Z"}},
		{10, []Signal{a}, []string{"taken back: utility: later taken back: no more than 3 MW at connection from 2026-07-01 12:05:00Z to 2026-07-01 12:20:00Z"}},
		{11, []Signal{a}, nil}, // its sender still names what is over
	}
	for _, s := range steps {
		d.now = at(s.minute)
		if s.say != nil {
			d.says("utility", s.say...)
		}
		if diff := cmp.Diff(s.want, d.told(s.minute)); diff != "" {
			t.Errorf("minute %v: %s", s.minute, diff)
		}
	}
	if d.woken != 3 {
		t.Errorf("woken %d times: for what is new, changed and taken back", d.woken)
	}
	many := make([]Signal, 0, 48)
	for i := range 48 {
		many = append(many, price(fmt.Sprintf("p%02d", i), float64(i), float64(20+5*i), float64(25+5*i)))
	}
	d.says("utility", many...)
	if got := d.told(12); len(got) != 1 || !strings.Contains(got[0], "48 prices received, the first a MWh costs 0.00 $ from 2026-07-01 12:20:00Z") {
		t.Errorf("%q", got)
	}
}

func TestTooManySignals(t *testing.T) {
	d := newDesk(t)
	var many []Signal
	for i := range Most + 5 {
		many = append(many, limit(fmt.Sprintf("s%04d", i), 5*mw, float64(i), float64(i)+1))
	}
	many = append(many, emergency(limit("last", 3*mw, 5000, 6000)))
	d.says("utility", many...)
	all := d.View(noon).Signals
	if len(all) != Most || all[len(all)-1].Signal.ID != "last" || all[0].Signal.ID != "s0000" {
		t.Errorf("%d are kept", len(all))
	}
	if got := d.told(0); len(got) != 2 || !strings.Contains(got[0], "more than 1000 signals at a time: the 6 that begin last are not taken") {
		t.Errorf("%q", got)
	}
}

func TestLostSources(t *testing.T) {
	limitTo := func(then string) sitefile.LostSignal {
		return sitefile.LostSignal{After: 5 * time.Minute, Then: then, Limit: 2500 * kw}
	}
	for _, c := range []struct {
		then         string
		during       unit.Power
		says, silent string
	}{
		{"keep", 5 * mw, "what it said last holds until it ends", ""},
		{"release", -1, "what it said holds no more", ""},
		{"limit", 2500 * kw, "the connection is limited to 2.5 MW", ""},
	} {
		d := newDesk(t, Terms{Name: "utility", Lost: limitTo(c.then)}, Terms{Name: "rtu", Silent: true, Lost: limitTo("limit")})
		d.says("utility", limit("a", 5*mw, 0, 60))
		d.told(0)
		d.now = at(3)
		d.Heard("utility", at(3), nil)
		d.now = at(4)
		d.Put(Update{Source: "utility", At: at(4), Signals: d.Said("utility")}) // no sign of life
		d.Heard("utility", at(4), errors.New("connection refused\n"))
		if got := d.told(7.9); got != nil || d.bound("connection") != 5*mw {
			t.Errorf("%s: told %q too soon", c.then, got)
		}
		want := "lost: utility was not heard of for 5m0s (connection refused ): " + c.says
		if got := d.told(8); len(got) != 1 || got[0] != want {
			t.Errorf("%s: told %q, want %q", c.then, got, want)
		}
		if got := d.told(30); got != nil {
			t.Errorf("%s: told again: %q", c.then, got)
		}
		if got := d.bound("connection"); got != c.during {
			t.Errorf("%s: the bound is %s", c.then, got)
		}
		if n := d.At(d.now).Notices; len(n) != 1 || n[0].Key != "signal lost utility" || !strings.Contains(n[0].Text, "not heard of since 2026-07-01 12:03:00Z: "+c.says+": connection refused") {
			t.Errorf("%s: %+v", c.then, n)
		}
		woken := d.woken
		d.Heard("utility", at(31), nil)
		d.now = at(31)
		d.Heard("utility", at(31), nil)
		if got := d.told(31); len(got) != 1 || got[0] != "back: utility is heard of again after 22m0s" && got[0] != "back: utility is heard of again after 23m0s" {
			t.Errorf("%s: %q", c.then, got)
		}
		if d.woken != woken+1 || d.bound("connection") != 5*mw || len(d.At(d.now).Notices) != 0 {
			t.Errorf("%s: woken %d times more, bound %s", c.then, d.woken-woken, d.bound("connection"))
		}
	}
}

func TestASourceThatNobodyMustUseIsNotMissed(t *testing.T) {
	d := newDesk(t, Terms{Name: "rtu", Silent: true, Lost: sitefile.LostSignal{After: time.Minute, Then: "limit", Limit: mw}}, Terms{Name: "utility", Lost: sitefile.LostSignal{After: time.Minute}})
	if got := d.told(10); len(got) != 1 || !strings.Contains(got[0], "utility was not heard of for 10m0s: what it said last holds until it ends") {
		t.Errorf("%q", got)
	}
	d.Heard("rtu", at(10), nil)
	if got := d.told(11); len(got) != 1 || !strings.Contains(got[0], "rtu was not heard of for 1m0s: the connection is limited to 1 MW") {
		t.Errorf("%q", got)
	}
}

func TestRamps(t *testing.T) {
	d := newDesk(t)
	d.drawn = site.Some(8 * mw)
	slow := limit("a", 5*mw, 0, 20)
	slow.Ramp = mw
	d.says("utility", slow)
	for _, c := range []struct {
		minute float64
		want   unit.Power
	}{{0, 8 * mw}, {1.5, 6500 * kw}, {3, 5 * mw}, {19, 5 * mw}, {20, 5 * mw}, {22, 7 * mw}, {24.9, 9900 * kw}, {25, -1}} {
		d.told(c.minute)
		if got := d.bound("connection"); got != c.want {
			t.Errorf("minute %v: %s, want %s", c.minute, got, c.want)
		}
	}
	d = newDesk(t)
	d.drawn = site.Some(8 * mw)
	d.says("utility", slow)
	d.told(2)
	slow.Power = 9 * mw
	d.says("utility", slow) // up again, from where it stood
	for _, c := range []struct {
		minute float64
		want   unit.Power
	}{{2, 6 * mw}, {4, 8 * mw}, {6, 9 * mw}} {
		d.told(c.minute)
		if got := d.bound("connection"); got != c.want {
			t.Errorf("up, minute %v: %s, want %s", c.minute, got, c.want)
		}
	}
	d = newDesk(t) // known ahead: nobody need be below its end before it begins
	ahead := limit("a", 5*mw, 5, 60)
	ahead.Ramp = mw
	d.says("utility", ahead)
	if l := d.At(noon).Limits; len(l) != 1 || !l[0].From.Equal(at(15)) {
		t.Errorf("%+v", l)
	}
}

func TestWhichPriceStoodIsRemembered(t *testing.T) {
	d := newDesk(t)
	d.says("utility", price("a", 100, 2, 7), price("b", 200, 7, 12))
	for m := 0.0; m <= 8; m++ {
		d.told(m)
	}
	d.says("utility") // taken back: what was, was
	for m := 9.0; m <= 20; m++ {
		d.told(m)
	}
	at1 := func(m float64) float64 {
		if s, ok := d.PriceAt(at(m)); ok {
			return s.Price.DollarsPerMWh()
		}
		return -1
	}
	for m, want := range map[float64]float64{0: -1, 1.9: -1, 2: 100, 6.9: 100, 7: 200, 7.9: 200, 8.1: -1, 15: -1, 30: -1} {
		if got := at1(m); got != want {
			t.Errorf("minute %v: %v, want %v", m, got, want)
		}
	}
	doc, err := d.Doc(true)
	if err != nil {
		t.Fatal(err)
	}
	again := newDesk(t)
	again.now = d.now
	if err := again.Restore(doc, again.now); err != nil {
		t.Fatal(err)
	}
	again.Turn(again.now)
	if s, ok := again.PriceAt(at(7.5)); !ok || s.Price != unit.DollarsPerMWh(200) {
		t.Errorf("after a restart: %+v", s)
	}
}

func TestABookSurvivesARestart(t *testing.T) {
	lost := sitefile.LostSignal{After: 5 * time.Minute, Then: "limit", Limit: 3 * mw}
	terms := []Terms{{Name: "utility", Lost: lost}, {Name: "broker", Lost: lost}}
	d := newDesk(t, terms...)
	d.says("utility", limit("gone", 5*mw, 0, 9), limit("stays", 6*mw, 0, 60), price("p", 99, 0, 60))
	d.told(0)
	d.Heard("broker", at(0), nil)
	for m := 1.0; m < 8; m++ {
		d.now = at(m)
		d.Heard("utility", at(m), nil)
		d.told(m)
	}
	doc, err := d.Doc(false)
	if err != nil || doc == nil {
		t.Fatalf("%s %v", doc, err)
	}
	if none, err := d.Doc(false); none != nil || err != nil {
		t.Errorf("nothing changed, and %s is to be written: %v", none, err)
	}
	if d.Unkept(); func() bool { doc, _ := d.Doc(false); return doc == nil }() {
		t.Error("what did not reach the disk is forgotten")
	}
	again := newDesk(t, terms...)
	again.now = at(30)
	if err := again.Restore(doc, again.now); err != nil {
		t.Fatal(err)
	}
	if got := again.told(30); got != nil {
		t.Errorf("told %q", got)
	}
	all := again.View(again.now).Signals
	if len(all) != 2 || again.bound("connection") != 3*mw {
		t.Errorf("%+v, bound %s", all, again.bound("connection"))
	}
	again.says("utility", limit("stays", 6*mw, 0, 60), price("p", 99, 0, 60)) // the same again is no news
	again.Heard("broker", at(30), nil)
	if got := again.told(30); len(got) != 1 || !strings.HasPrefix(got[0], "back: broker") || again.bound("connection") != 6*mw {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"{", "[]", `{"sources": 3}`, strings.Repeat(" ", mostDoc+1)} {
		if again.Restore([]byte(bad), again.now) == nil || again.bound("connection") != 6*mw {
			t.Errorf("%.20q was taken up", bad)
		}
	}
}

func TestViews(t *testing.T) {
	d := newDesk(t)
	d.says("broker", limit("h", 3*mw, 0, 60), at2("connection", limit("i", 3*mw, 0, 60)))
	d.Heard("utility", noon, nil)
	d.Put(Update{Source: "utility", At: noon, Problems: []string{"odd"}, Signals: []Signal{
		prio(1, limit("a", 5*mw, 0, 9)), prio(2, limit("b", 4*mw, 0, 9)), limit("c", 4*mw, 10, 19), emergency(price("d", 4, 0, 9)), price("e", 4, 0, 9),
		{ID: "f", Kind: Reserve, Power: mw, From: noon},
		limit("g", 4*mw, -9, 1), prio(1, at2("hall-b", limit("j", 3*mw, 0, 9))), prio(2, at2("hall-b", limit("k", 2*mw, 0, 9))),
	}})
	d.Heard("broker", noon, errors.New("no route"))
	d.told(2)
	v := d.View(d.now)
	states := map[string]string{}
	for _, s := range v.Signals {
		states[s.Signal.ID] = fmt.Sprintf("%v %v %s %s", s.InForce, s.Ended, s.By.ID, s.Why)
	}
	if diff := cmp.Diff(map[string]string{
		"a": "false false i stricter", "b": "false false i stricter", "c": "false false  ", "d": "true false  ", "e": "false false d emergency", "f": "true false  ",
		"g": "false true  ", "h": "true false  ", "i": "true false  ", "j": "true false  ", "k": "false false j higher priority",
	}, states); diff != "" {
		t.Error(diff)
	}
	u, b := v.Sources[0], v.Sources[1]
	if len(v.Sources) != 2 || u.Problem != "odd" || !u.ProblemAt.Equal(noon) || !u.Heard.Equal(noon) || b.Problem != "no route" || !b.Heard.Equal(noon) {
		t.Errorf("%+v", v.Sources)
	}
	if len(v.Refused) != 1 || v.Refused[0] != (Refusal{noon, "utility", "odd"}) {
		t.Errorf("%+v", v.Refused)
	}
	if n := d.At(d.now).Notices; len(n) != 1 || n[0].Severity != "critical" || !strings.HasPrefix(n[0].Text, "emergency by utility: a MWh costs 4.00 $") {
		t.Errorf("%+v", n)
	}
	if v := d.View(at(60 * 9)); len(v.Signals) != 1 || v.Signals[0].Signal.ID != "f" {
		t.Errorf("%+v", v.Signals)
	}
}

func TestAlikeProblemsAreOneLine(t *testing.T) {
	d := newDesk(t)
	var low []Signal
	for i := range 48 {
		low = append(low, limit(fmt.Sprintf("e/%d", i), mw, float64(i), float64(i+1)))
	}
	d.says("utility", low...)
	if got := d.told(0); len(got) != 2 || !strings.HasSuffix(got[0], "firm load is not shed (and 47 more like it)") {
		t.Errorf("%q", got)
	}
	d.Put(Update{Source: "utility", At: noon, Signals: low, Problems: []string{"e: 1 MW is below the firm load of 2 MW"}})
	if got := d.told(0); len(got) != 1 || got[0] != "refused: utility: e: 1 MW is below the firm load of 2 MW" {
		t.Errorf("%q", got)
	}
}
