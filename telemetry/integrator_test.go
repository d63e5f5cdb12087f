package telemetry

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reading makes a sample s seconds after noon; a negative register or power is not told.
func reading(id site.DeviceID, s, watts, wh float64) site.Sample {
	out := site.Sample{Device: id, At: noon.Add(time.Duration(s * float64(time.Second)))}
	if watts >= 0 {
		out.Power = site.Some(unit.Watts(watts))
	}
	if wh >= 0 {
		out.Energy = site.Some(unit.WattHours(wh))
	}
	return out
}

func mining(s site.Sample, th float64) site.Sample {
	s.Hashrate = site.Some(unit.Hashrate(th) * unit.TeraHash)
	return s
}

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func after(s float64) time.Time { return noon.Add(secs(s)) }

func TestIntervals(t *testing.T) {
	const kWh = 1000.0
	meter := Source{Device: "m", Subject: "m", Wraps: unit.WattHours(1000 * kWh), Max: 2 * unit.Megawatt}
	miner := Source{Device: "a", Subject: "g"}
	tests := []struct {
		name    string
		source  Source
		samples []site.Sample
		now     float64
		want    []Interval // Sources is filled in
	}{
		{
			"a register, samples on the edges", meter,
			[]site.Sample{reading("m", 0, 1.2e6, 0), reading("m", 60, 1.2e6, 20*kWh), reading("m", 300, 1.2e6, 100*kWh)},
			300,
			[]Interval{{Subject: "m", Start: noon, Energy: 100 * unit.KilowattHour, Measured: secs(60), Estimated: 0}},
		},
		{
			"a register is split at the edge by power", meter,
			[]site.Sample{reading("m", 0, 0, 0), reading("m", 270, 0, 0), reading("m", 330, 1e6, 9*kWh), reading("m", 600, 1e6, 84*kWh)},
			600,
			[]Interval{
				{Subject: "m", Start: noon, Energy: 2250 * unit.WattHour, Measured: secs(300)},
				{Subject: "m", Start: after(300), Energy: 81750 * unit.WattHour, Measured: secs(300)},
			},
		},
		{
			"a register that wraps", meter,
			[]site.Sample{reading("m", 0, 1.2e6, 990*kWh), reading("m", 60, 1.2e6, 10*kWh), reading("m", 300, 1.2e6, 90*kWh)},
			300,
			[]Interval{{Subject: "m", Start: noon, Energy: 100 * unit.KilowattHour, Measured: secs(300)}},
		},
		{
			"a register that was reset is bridged by power", meter,
			[]site.Sample{reading("m", 0, 1.2e6, 500*kWh), reading("m", 60, 1.2e6, 3*kWh), reading("m", 300, 1.2e6, 83*kWh)},
			300,
			[]Interval{{Subject: "m", Start: noon, Energy: 100 * unit.KilowattHour, Measured: secs(240), Estimated: secs(60)}},
		},
		{
			"a register that leaps", meter,
			[]site.Sample{reading("m", 0, 1.2e6, 5*kWh), reading("m", 60, 1.2e6, 905*kWh), reading("m", 300, 1.2e6, 985*kWh)},
			300,
			[]Interval{{Subject: "m", Start: noon, Energy: 100 * unit.KilowattHour, Measured: secs(240), Estimated: secs(60)}},
		},
		{
			"power without a register, and hashes", miner,
			[]site.Sample{mining(reading("a", 0, 3000, -1), 200), mining(reading("a", 60, 4000, -1), 100), mining(reading("a", 90, 4000, -1), 100)},
			300 + 600,
			[]Interval{{
				Subject: "g", Start: noon, Energy: unit.WattHours(3500.0/60 + 4000.0/120), Hashes: 0.15*60 + 0.1*30,
				Measured: secs(90), Missing: secs(210),
			}},
		},
		{
			"unknown power stays missing", miner,
			[]site.Sample{reading("a", 0, -1, -1), reading("a", 300, -1, -1)},
			300,
			[]Interval{{Subject: "g", Start: noon, Missing: secs(300)}},
		},
		{
			"a long gap is estimated", miner,
			[]site.Sample{reading("a", 0, 1000, -1), reading("a", 300, 3000, -1)},
			300,
			[]Interval{{Subject: "g", Start: noon, Energy: unit.WattHours(2000.0 / 12), Estimated: secs(300)}},
		},
		{
			"a sleeping miner hashes nothing while it does not tell", miner,
			[]site.Sample{
				mining(reading("a", 0, 3000, -1), 200),
				{Device: "a", At: after(30), Power: site.Some(50 * unit.Watt), State: site.StateSleeping},
				{Device: "a", At: after(60), Power: site.Some(50 * unit.Watt), State: site.StateUnknown},
				mining(reading("a", 300, 3000, -1), 200),
			},
			300,
			[]Interval{{
				Subject: "g", Start: noon, Energy: unit.WattHours(1525.0/120 + 50.0/120 + 1525.0/15), Hashes: 0.1 * 30,
				Measured: secs(60), Estimated: secs(240),
			}},
		},
		{
			"a register closes hours in one step, the split estimated", meter,
			[]site.Sample{reading("m", 0, 1e6, 0), reading("m", 900, 1e6, 250*kWh)},
			900,
			[]Interval{
				{Subject: "m", Start: noon, Energy: unit.Energy(83_333_333), Estimated: secs(300)},
				{Subject: "m", Start: after(300), Energy: unit.Energy(83_333_334), Estimated: secs(300)},
				{Subject: "m", Start: after(600), Energy: unit.Energy(83_333_333), Estimated: secs(300)},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := NewIntegrator(Options{}, tt.source)
			for _, s := range tt.samples {
				g.Observe(s)
			}
			got := g.Close(after(tt.now))
			for i := range tt.want {
				tt.want[i].Sources = 1
			}
			near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
			energy := cmp.Comparer(func(a, b unit.Energy) bool { return a-b >= -1 && a-b <= 1 })
			if tt.name == "a register, samples on the edges" {
				tt.want[0].Measured = secs(300) // the long pair lies in one interval: nothing was split
			}
			if diff := cmp.Diff(tt.want, got, near, energy); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnIntervalWaitsForItsSourcesAndNoLongerThanTheGrace(t *testing.T) {
	g := NewIntegrator(Options{Grace: time.Minute}, Source{Device: "a", Subject: "g"}, Source{Device: "b", Subject: "g"})
	for s := 0.0; s <= 310; s += 10 {
		g.Observe(reading("a", s, 1000, -1))
		if s <= 200 {
			g.Observe(reading("b", s, 1000, -1))
		}
	}
	if got := g.Close(after(359)); len(got) != 0 {
		t.Fatalf("closed before b was heard or the grace was over: %v", got)
	}
	got := g.Close(after(360))
	want := []Interval{{
		Subject: "g", Start: noon, Sources: 2, Energy: unit.WattHours(1000.0/12 + 1000.0/18),
		Measured: secs(500), Missing: secs(100),
	}}
	near := cmp.Comparer(func(a, b unit.Energy) bool { return a-b >= -1 && a-b <= 1 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Fatal(diff)
	}
	if q := got[0].Quality(); q != site.Estimated {
		t.Errorf("quality %s", q)
	}
	for s := 320.0; s <= 600; s += 10 {
		g.Observe(reading("a", s, 1000, -1))
	}
	if got := g.Close(after(600)); len(got) != 2 {
		t.Errorf("a silent source is waited for again: %d intervals", len(got))
	}
	g.Settled(noon)
	if got := g.Close(after(601)); len(got) != 1 || !got[0].Start.Equal(after(300)) {
		t.Errorf("after settling the first: %v", got)
	}
}

func TestAMeterThatWasSilentPaysBackWhatWasHeld(t *testing.T) {
	g := NewIntegrator(Options{Grace: time.Minute, Hold: 4 * time.Minute}, Source{Device: "m", Subject: "m"})
	g.Observe(reading("m", 0, 1e6, 0))
	g.Observe(reading("m", 60, 1e6, 16_000)) // then nothing until 700
	held := g.Close(after(360))
	if len(held) != 1 || held[0].Energy < unit.WattHours(82_600) || held[0].Energy > unit.WattHours(82_700) || held[0].Estimated != secs(240) {
		t.Fatalf("the interval closed without the meter: %+v", held)
	}
	g.Observe(reading("m", 700, 1e6, 200_000))
	g.Observe(reading("m", 900, 1e6, 250_000))
	var sum unit.Energy
	all := g.Close(after(900))
	for _, i := range all {
		sum += i.Energy
	}
	if len(all) != 3 || sum != unit.WattHours(250_000) {
		t.Errorf("%d intervals sum to %s, want 3 and the register's 250 kWh", len(all), sum)
	}
}

func TestAssumedFiguresAreEstimates(t *testing.T) {
	g := NewIntegrator(Options{}, Source{Device: "a", Subject: "g"})
	for s := 0.0; s <= 300; s += 30 {
		g.Assume(reading("a", s, 1000, -1))
	}
	if got := g.Close(after(300)); len(got) != 1 || got[0].Estimated != secs(300) || got[0].Measured != 0 {
		t.Errorf("%+v", got)
	}
}

func TestARestartWaitsForItsSourcesAgain(t *testing.T) {
	src := []Source{{Device: "m", Subject: "m"}, {Device: "a", Subject: "g"}}
	g := NewIntegrator(Options{}, src...)
	g.Observe(reading("m", 0, 1e6, 0))
	g.Observe(reading("a", 0, 1000, -1))
	data, err := g.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	g = NewIntegrator(Options{}, src...)
	if err := g.Restore(data, after(-3600)); !errors.Is(err, ErrFuture) {
		t.Errorf("Restore of a checkpoint from the future = %v", err)
	}
	if err := g.Restore(data, after(3600)); err != nil { // dead for an hour
		t.Fatal(err)
	}
	if got := g.Close(after(3601)); len(got) != 0 {
		t.Fatalf("closed %d intervals before anybody could speak", len(got))
	}
	g.Observe(reading("m", 3605, 1e6, 1_001_388))
	g.Observe(reading("a", 3605, 1000, -1))
	got := g.Close(after(3606))
	if len(got) != 24 {
		t.Fatalf("%d records for an hour of two subjects, want 24", len(got))
	}
	var meter, group unit.Energy
	for _, i := range got {
		if i.Missing != 0 || i.Quality() != site.Estimated {
			t.Errorf("%+v", i)
		}
		if i.Subject == "m" {
			meter += i.Energy
		} else {
			group += i.Energy
		}
	}
	if d := meter - unit.WattHours(1_000_000); d < -1000*1000 || d > 1000*1000 {
		t.Errorf("the meter's hour is %s, want about 1 MWh", meter)
	}
	if d := group - unit.WattHours(1000); d < -12 || d > 12 {
		t.Errorf("the group's hour is %s, want 1 kWh", group)
	}
}

func TestClockThatLeapsStartsAnew(t *testing.T) {
	g := NewIntegrator(Options{}, Source{Device: "a", Subject: "g"})
	g.Observe(reading("a", 0, 1000, -1))
	g.Observe(reading("a", 60*86400, 1000, -1))
	if got := len(g.Close(after(60 * 86400))); got != 0 {
		t.Errorf("%d intervals were made up for two months", got)
	}
}

func TestAnOldCheckpointIsNotBridged(t *testing.T) {
	g := NewIntegrator(Options{}, Source{Device: "a", Subject: "g"})
	for s := 0.0; s <= 300; s += 30 {
		g.Observe(reading("a", s, 1000, -1))
	}
	if len(g.Close(after(300))) != 1 {
		t.Fatal("nothing closed")
	}
	data, err := g.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	g = NewIntegrator(Options{}, Source{Device: "a", Subject: "g"})
	later := after(40 * 86400)
	if err := g.Restore(data, later); err != nil {
		t.Fatal(err)
	}
	if got := g.Close(later.Add(time.Hour)); len(got) != 1 || !got[0].Start.Equal(noon) {
		t.Errorf("after forty days %d intervals, want the one that was not settled", len(got))
	}
}

// Whatever is in the place of a checkpoint, restoring it gives an error or an integrator that works.
func FuzzRestore(f *testing.F) {
	g := NewIntegrator(Options{}, Source{Device: "a", Subject: "g"})
	g.Observe(reading("a", 0, 1000, 5))
	g.Observe(reading("a", 200, 1000, 50))
	data, err := g.Checkpoint()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"next":"2016-05-17T12:00:00Z","sources":[{"Device":"a","last":{"power":{"v":-9223372036854775808,"ok":true}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewIntegrator(Options{}, Source{Device: "a", Subject: "g", Wraps: 1000, Max: unit.Megawatt})
		if err := g.Restore(data, after(600)); err != nil {
			return
		}
		g.Observe(reading("a", 610, 1000, 90))
		g.Close(after(1500))
		if _, err := g.Checkpoint(); err != nil {
			t.Error(err)
		}
	})
}

// The law of the registers: however samples fall, wraps, crashes and restores happen, the
// intervals sum to what the register rose by, to the milliwatt-hour, each once, none lost.
func TestIntervalsSumToTheRegister(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		wraps := unit.Energy(rapid.Int64Range(int64(5*unit.MegawattHour), int64(20*unit.MegawattHour)).Draw(rt, "wraps"))
		src := Source{Device: "m", Subject: "m", Wraps: wraps, Max: 2 * unit.Megawatt}
		opts := Options{}
		if rapid.Bool().Draw(rt, "short grace") {
			opts.Grace = time.Second // so that intervals close without the meter
		}
		g := NewIntegrator(opts, src)
		total := unit.Energy(rapid.Int64Range(0, int64(wraps)-1).Draw(rt, "start"))
		first := total
		power := unit.Power(rapid.Int64Range(0, int64(2*unit.Megawatt)).Draw(rt, "power"))
		now := noon.Add(time.Duration(rapid.Int64Range(0, int64(Length)-1).Draw(rt, "offset")))
		seen := map[int64]unit.Energy{}
		settle := func() []byte {
			closed := g.Close(now)
			data, err := g.Checkpoint()
			if err != nil {
				rt.Fatal(err)
			}
			for _, i := range closed {
				if e, twice := seen[i.Start.Unix()]; twice && e != i.Energy {
					rt.Fatalf("%s closed twice, with %s and %s", i.Start, e, i.Energy)
				}
				seen[i.Start.Unix()] = i.Energy
			}
			if len(closed) > 0 && rapid.Bool().Draw(rt, "let go") {
				g.Settled(closed[len(closed)-1].Start)
			}
			return data
		}
		observe := func() {
			g.Observe(site.Sample{Device: "m", At: now, Power: site.Some(power), Energy: site.Some(total % wraps)})
		}
		observe()
		saved := settle()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			gap := secs(rapid.Float64Range(1, 60).Draw(rt, "gap"))
			if rapid.IntRange(0, 9).Draw(rt, "long") == 0 {
				gap = secs(rapid.Float64Range(60, 7200).Draw(rt, "long gap"))
			}
			next := unit.Power(rapid.Int64Range(0, int64(2*unit.Megawatt)).Draw(rt, "next power"))
			now = now.Add(gap)
			total += ((power + next) / 2).Over(gap)
			power = next
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0: // the poll is lost
			case 1: // killed and restored: what came since the checkpoint is gone
				g = NewIntegrator(opts, src)
				if err := g.Restore(saved, now); err != nil {
					rt.Fatal(err)
				}
			default:
				observe()
			}
			if rapid.Bool().Draw(rt, "settle") {
				saved = settle()
			}
		}
		// Two last readings, the second on an edge, so that nothing is left open.
		now = now.Add(time.Second)
		observe()
		end := Span(now).Add(2 * Length)
		total += power.Over(end.Sub(now))
		now = end
		observe()
		settle()
		var sum unit.Energy
		for _, e := range seen {
			sum += e
		}
		if owed := g.sources["m"].Owed; owed > 0 {
			sum -= unit.Energy(owed) // held ahead of the register and not yet paid back
		}
		if want := total - first; sum != want {
			rt.Fatalf("%d intervals sum to %d mWh, the register rose by %d", len(seen), sum, want)
		}
		for s := Span(noon); s.Before(now); s = s.Add(Length) {
			if _, ok := seen[s.Unix()]; !ok && len(seen) > 0 {
				rt.Fatalf("%s is lost of %d", s, len(seen))
			}
		}
	})
}

func BenchmarkObserve10000(b *testing.B) {
	var src []Source
	for i := range 10_000 {
		src = append(src, Source{Device: site.DeviceID(fmt.Sprint(i)), Subject: "g"})
	}
	g := NewIntegrator(Options{}, src...)
	n := 0
	for b.Loop() {
		n++
		for _, s := range src {
			g.Observe(mining(reading(s.Device, float64(n)*15, 3500, -1), 200))
		}
		g.Settled(g.Next())
		g.Close(after(float64(n) * 15))
	}
}
