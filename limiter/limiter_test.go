package limiter

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

const kW = unit.Kilowatt

var t0 = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func tree(t testing.TB, nodes ...site.Node) *site.Tree {
	t.Helper()
	tr, err := site.NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func reading(p unit.Power, at time.Time) Reading { return Reading{Power: site.Some(p), At: at} }

func miners(n, node int, value unit.Price) []Device {
	out := make([]Device, n)
	for i := range out {
		out[i] = Device{
			ID: site.DeviceID(fmt.Sprintf("n%d-%03d", node, i)), Node: node, Class: site.Flexible,
			Power: 10 * kW, Value: value + unit.Price(i), Sheddable: true, SleepTime: 8 * time.Second,
		}
	}
	return out
}

func ids(v Verdict) []site.DeviceID {
	var out []site.DeviceID
	for _, s := range v.Shed {
		out = append(out, s.Device)
	}
	return out
}

func TestShedsLeastValueFirstAndNoMoreThanNeeded(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1}, site.Node{ID: "a", Parent: 0}, site.Node{ID: "b", Parent: 0})
	in := Input{
		At: t0, Tree: tr, Limits: []unit.Power{1000 * kW, 500 * kW, -1}, Margin: 0.01,
		Meters:  []Reading{reading(1010*kW, t0), reading(480*kW, t0), reading(530*kW, t0)},
		Devices: append(miners(3, 1, 50), miners(3, 2, 40)...),
	}
	in.Devices = append(in.Devices, Device{ID: "ai", Node: 2, Power: 400 * kW, Value: -1000, Sheddable: true})
	var l Limiter
	v := l.Step(in)
	// 1010 to 990 is 20 kW: two miners of the lesser hall, and never the tenant.
	if d := cmp.Diff([]site.DeviceID{"n2-000", "n2-001"}, ids(v)); d != "" {
		t.Error(d)
	}
	want := site.Reason{Code: site.ReasonLimiter, Node: "connection", Text: "connection stands at 1.01 MW, above its limit of 1 MW"}
	if d := cmp.Diff(want, v.Shed[0].Reason); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]unit.Power{990 * kW, -1, -1}, v.Caps); d != "" {
		t.Error(d)
	}
	// The next reading shows half of the fall; the caller does not show the orders yet.
	in.At = t0.Add(4 * time.Second)
	in.Meters[0] = reading(1000*kW, in.At)
	if v = l.Step(in); len(v.Shed) != 0 {
		t.Errorf("what falls already was shed again: %v", ids(v))
	}
	// They did not obey: after their time others are shed instead.
	in.At = t0.Add(20 * time.Second)
	in.Meters[0] = reading(1010*kW, in.At)
	in.Devices[3].Sheddable, in.Devices[4].Sheddable = false, false
	if d := cmp.Diff([]site.DeviceID{"n2-002", "n1-000"}, ids(l.Step(in))); d != "" {
		t.Error(d)
	}
}

func TestStaleMeterCountsNameplate(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1})
	for _, m := range []Reading{{Power: site.Some(1 * kW), At: t0, Stale: true}, {At: t0}} {
		var l Limiter
		v := l.Step(Input{
			At: t0, Tree: tr, Limits: []unit.Power{100 * kW}, Nameplate: []unit.Power{120 * kW},
			Meters: []Reading{m}, Devices: miners(12, 0, 1), Margin: 0.01,
		})
		if len(v.Shed) != 3 || !v.Over[0].Counted || v.Over[0].Over != 20*kW {
			t.Errorf("%+v: shed %d, over %+v; want 3 shed for 21 kW", m, len(v.Shed), v.Over)
		}
	}
}

func TestSaysWhenNothingIsLeftToShed(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1})
	var l Limiter
	v := l.Step(Input{
		At: t0, Tree: tr, Limits: []unit.Power{0}, Meters: []Reading{reading(500*kW, t0)},
		Devices: append(miners(2, 0, 1), Device{ID: "ai", Power: 480 * kW, Sheddable: true}),
	})
	if len(v.Shed) != 2 || v.Over[0].Short != 480*kW {
		t.Fatalf("shed %v, over %+v", ids(v), v.Over)
	}
	want := "connection stands at 500 kW, above its limit of 0 W; no flexible load is left below it, 480 kW too much remains"
	if v.Over[0].Text != want {
		t.Errorf("got %q, want %q", v.Over[0].Text, want)
	}
}

func TestOverloadCurve(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1, Overload: []site.Overload{
		{Ratio: 1.1, For: 2 * time.Minute, Rest: 10 * time.Minute}, {Ratio: 1.3, For: time.Minute, Rest: 10 * time.Minute},
	}})
	// shedAfter returns how long the node is left at a power before something is shed.
	at := t0
	var l Limiter
	shedAfter := func(p unit.Power) time.Duration {
		for from := at; ; at = at.Add(5 * time.Second) {
			v := l.Step(Input{At: at, Tree: tr, Limits: []unit.Power{1000 * kW}, Meters: []Reading{reading(p, at)}, Devices: miners(1, 0, 1), Margin: 0.01})
			if len(v.Shed) > 0 || at.Sub(from) > time.Hour {
				return at.Sub(from)
			}
		}
	}
	rest := func(d time.Duration) {
		for end := at.Add(d); at.Before(end); at = at.Add(5 * time.Second) {
			l.Step(Input{At: at, Tree: tr, Limits: []unit.Power{1000 * kW}, Meters: []Reading{reading(900*kW, at)}, Margin: 0.01})
		}
	}
	if d := shedAfter(1090 * kW); d < 90*time.Second || d > 2*time.Minute-13*time.Second {
		t.Errorf("at 109 %% it acted after %v; the curve bears 2m, a shed takes 8s and a period", d)
	}
	rest(5 * time.Minute)
	if d := shedAfter(1090 * kW); d != 0 {
		t.Errorf("before its rest was over the node was left above its limit for %v", d)
	}
	rest(11 * time.Minute)
	if d := shedAfter(1200 * kW); d < 30*time.Second || d > time.Minute-13*time.Second {
		t.Errorf("at 120 %% it acted after %v; the curve bears 1m", d)
	}
	rest(11 * time.Minute)
	if d := shedAfter(1400 * kW); d != 0 {
		t.Errorf("beyond the curve it acted after %v", d)
	}
}

func TestCapIsKeptUntilCalmAndLongerEachTime(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1})
	var l Limiter
	at := t0
	step := func(p unit.Power) unit.Power {
		v := l.Step(Input{At: at, Tree: tr, Limits: []unit.Power{1000 * kW}, Meters: []Reading{reading(p, at)}, Margin: 0.01})
		at = at.Add(5 * time.Second)
		return v.Caps[0]
	}
	var kept []int
	for range 3 {
		if got := step(1001 * kW); got != 990*kW {
			t.Fatalf("cap %v while above the limit, want 990 kW", got)
		}
		n := 0
		for step(985*kW) >= 0 {
			n++
		}
		kept = append(kept, n)
	}
	if d := cmp.Diff([]int{3, 6, 12}, kept); d != "" {
		t.Errorf("periods for which the cap was kept: %s", d)
	}
}

func TestWhatTheMeterShowsBeyondBeliefIsTakenOffTheCap(t *testing.T) {
	tr := tree(t, site.Node{ID: "connection", Parent: -1})
	var l Limiter
	var v Verdict
	for i := range 100 {
		at := t0.Add(time.Duration(i) * 5 * time.Second)
		v = l.Step(Input{
			At: at, Tree: tr, Limits: []unit.Power{1000 * kW}, Meters: []Reading{reading(970*kW, at)},
			Believed: []unit.Power{940 * kW}, Margin: 0.01,
		})
	}
	if got := v.Caps[0]; got < 959*kW || got > 961*kW {
		t.Errorf("cap %v, want 990 kW less the 30 kW that nobody told of", got)
	}
}

// yard is a toy site: one hall with a tenant that rises and miners that take some seconds
// to fall, seen through a meter that is up to a period old.
type yard struct {
	limit, base unit.Power
	miners      []Device
	asleepAt    map[site.DeviceID]time.Time // zero while told nothing
	fall        time.Duration
}

func (y *yard) mining(at time.Time) unit.Power {
	sum := unit.Power(0)
	for _, m := range y.miners {
		share := 1.0
		if told := y.asleepAt[m.ID]; !told.IsZero() {
			share = 1 - min(1, max(0, float64(at.Sub(told))/float64(y.fall)))
		}
		sum += m.Power.Scale(share)
	}
	return sum
}

// TestTenantRampStaysInsideTwoPeriods is the promise of the demo, kept by the limiter alone:
// a tenant rises by half of the node's limit within a minute, miners need 8 s to fall.
func TestTenantRampStaysInsideTwoPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const period = 5 * time.Second
		age := time.Duration(rapid.IntRange(0, 2500).Draw(t, "meter's age, ms")) * time.Millisecond
		begin := t0.Add(20*time.Second + time.Duration(rapid.IntRange(0, 5000).Draw(t, "begin, ms"))*time.Millisecond)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		tr, err := site.NewTree([]site.Node{{ID: "hall", Parent: -1}, {ID: "tenant", Parent: 0}})
		if err != nil {
			t.Fatal(err)
		}
		y := &yard{limit: 4000 * kW, base: 1000 * kW, miners: miners(99, 0, 1), asleepAt: map[site.DeviceID]time.Time{}, fall: 8 * time.Second}
		for i := range y.miners {
			y.miners[i].Power = 30 * kW
		}
		tenant := func(at time.Time) unit.Power {
			return y.base + (y.limit / 2).Scale(min(1, max(0, at.Sub(begin).Minutes())))
		}
		noisy := func(p unit.Power) unit.Power { return p.Scale(1 + 0.001*rng.NormFloat64()) }
		var l Limiter
		over, worst := time.Duration(0), time.Duration(0)
		const tick = 250 * time.Millisecond
		for at := t0; at.Before(t0.Add(2 * time.Minute)); at = at.Add(tick) {
			if tenant(at)+y.mining(at) > y.limit {
				over += tick
			} else {
				over = 0
			}
			worst = max(worst, over)
			if at.Sub(t0)%period != 0 {
				continue
			}
			seen := at.Add(-age)
			in := Input{
				At: at, Tree: tr, Limits: []unit.Power{y.limit, -1}, Margin: 0.01,
				Meters:  []Reading{reading(noisy(tenant(seen)+y.mining(seen)), seen), reading(noisy(tenant(seen)), seen)},
				Devices: append([]Device(nil), y.miners...),
			}
			for i := range in.Devices {
				in.Devices[i].Sheddable = y.asleepAt[in.Devices[i].ID].IsZero()
			}
			in.Devices = append(in.Devices, Device{ID: "ai", Node: 1, Class: site.Firm, Power: noisy(tenant(seen)), At: seen, Max: 3000 * kW})
			for _, s := range l.Step(in).Shed {
				y.asleepAt[s.Device] = at
			}
		}
		if worst > 2*period {
			t.Fatalf("above the limit for %v, longer than two control periods", worst)
		}
		left := 0
		for _, m := range y.miners {
			if y.asleepAt[m.ID].IsZero() {
				left++
			}
		}
		// 4,000 kW less the margin and the tenant's 3,000 leave 32 miners.
		if left < 26 {
			t.Fatalf("only %d of 32 miners were left running", left)
		}
	})
}

// TestShedsEnoughAndNeverFirm: on random sites every node that is acted on is brought to its
// limit less the margin by what is ordered, or says what it is short of; no firm device and
// none that falls already is ordered.
func TestShedsEnoughAndNeverFirm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "nodes")
		nodes, in := make([]site.Node, n), Input{At: t0, Margin: 0.01}
		for i := range nodes {
			nodes[i] = site.Node{ID: site.NodeID(fmt.Sprint("n", i)), Parent: -1}
			if i > 0 {
				nodes[i].Parent = rapid.IntRange(0, i-1).Draw(t, "parent")
			}
			in.Limits = append(in.Limits, unit.Power(rapid.IntRange(-1, 120).Draw(t, "limit"))*kW)
			in.Nameplate = append(in.Nameplate, unit.Power(rapid.IntRange(0, 200).Draw(t, "nameplate"))*kW)
			r := reading(unit.Power(rapid.IntRange(0, 150).Draw(t, "power"))*kW, t0)
			r.Stale = rapid.IntRange(0, 4).Draw(t, "stale") == 0
			in.Meters = append(in.Meters, r)
		}
		tr, err := site.NewTree(nodes)
		if err != nil {
			t.Fatal(err)
		}
		in.Tree = tr
		for i := range rapid.IntRange(0, 20).Draw(t, "devices") {
			d := Device{
				ID: site.DeviceID(fmt.Sprint("d", i)), Node: rapid.IntRange(0, n-1).Draw(t, "node"), Power: unit.Power(rapid.IntRange(1, 9).Draw(t, "kW")) * kW,
				Class: site.Class(rapid.IntRange(0, 1).Draw(t, "class")), Sheddable: rapid.Bool().Draw(t, "sheddable"), Value: unit.Price(rapid.IntRange(0, 5).Draw(t, "value")),
			}
			if rapid.IntRange(0, 3).Draw(t, "falling") == 0 {
				d.Falling = d.Power
			}
			in.Devices = append(in.Devices, d)
		}
		var l Limiter
		checkVerdict(t, in, l.Step(in))
	})
}

func checkVerdict(t *rapid.T, in Input, v Verdict) {
	shed, falling, least := make([]unit.Power, in.Tree.Len()), make([]unit.Power, in.Tree.Len()), map[site.DeviceID]bool{}
	for _, s := range v.Shed {
		least[s.Device] = true
	}
	for _, d := range in.Devices {
		if least[d.ID] && (d.Class == site.Firm || !d.Sheddable || d.Falling > 0) {
			t.Fatalf("%+v was ordered to rest", d)
		}
		for n := d.Node; n >= 0; n = in.Tree.Node(n).Parent {
			falling[n] += d.Falling
			if least[d.ID] {
				shed[n] += d.Power
			}
		}
	}
	short := map[int]unit.Power{}
	for _, o := range v.Over {
		short[o.Node] = o.Short
	}
	for n, limit := range in.Limits {
		p := in.Meters[n].Power.V
		if in.Meters[n].Stale {
			p = in.Nameplate[n]
		}
		if limit >= 0 && p-falling[n] > limit && p-falling[n]-shed[n]-short[n] > limit.Scale(0.99)+1 {
			t.Fatalf("node %d keeps %v of %v with %v short", n, p-falling[n]-shed[n], limit, short[n])
		}
	}
}

func BenchmarkStep10k(b *testing.B) {
	nodes := make([]site.Node, 200)
	limits, meters := make([]unit.Power, 200), make([]Reading, 200)
	for i := range nodes {
		nodes[i] = site.Node{ID: site.NodeID(fmt.Sprint("n", i)), Parent: (i - 1) / 4}
		limits[i], meters[i] = 1e12, reading(1, t0)
	}
	nodes[0].Parent = -1
	in := Input{At: t0, Tree: tree(b, nodes...), Limits: limits, Meters: meters, Devices: miners(10_000, 199, 1), Margin: 0.01}
	b.Run("calm", func(b *testing.B) {
		var l Limiter
		for b.Loop() {
			l.Step(in)
		}
	})
	b.Run("limit-zero", func(b *testing.B) {
		in.Limits = append([]unit.Power{0}, limits[1:]...)
		in.Meters = append([]Reading{reading(1e12, t0)}, meters[1:]...)
		for b.Loop() {
			var l Limiter
			if v := l.Step(in); len(v.Shed) != 10_000 {
				b.Fatalf("%d shed", len(v.Shed))
			}
		}
	})
}
