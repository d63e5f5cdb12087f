package counting

import (
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

const all = telemetry.Length

func secs(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

// said makes a reading of gpu-1 with one GPU; negative figures are not told.
func said(at, watts, wattHours float64) compute.Reading {
	g := compute.GPU{UUID: "GPU-a", Model: "H100"}
	if watts >= 0 {
		g.Power = site.Some(unit.Watts(watts))
	}
	if wattHours >= 0 {
		g.Energy = site.Some(unit.WattHours(wattHours))
	}
	return compute.Reading{Node: "gpu-1", At: secs(at), GPUs: []compute.GPU{g}}
}

func gpuFigure(c *Counters, start time.Time) Figure {
	for _, m := range c.Close(start) {
		for _, g := range m.GPUs {
			return g.Energy
		}
	}
	return Figure{Quality: site.Missing}
}

// every returns readings each so many seconds over [from, to] of a GPU at 600 W whose counter
// stood at base at noon: 10 Wh a minute.
func every(step, from, to, base float64) []compute.Reading {
	var out []compute.Reading
	for s := from; s <= to; s += step {
		out = append(out, said(s, 600, base+s/6))
	}
	return out
}

func TestCountersByHand(t *testing.T) {
	tests := []struct {
		name     string
		readings []compute.Reading
		want     Figure
	}{
		{"a counter read every ten seconds", every(10, 0, 300, 1000), Figure{unit.WattHours(50), site.Measured}},
		{"readings that straddle the edges", every(7, -7, 308, 1000), Figure{unit.WattHours(50), site.Measured}},
		{"two readings, both on the edges", every(300, 0, 300, 5), Figure{unit.WattHours(50), site.Measured}},
		{"a long gap over the edge: the split is an estimate", append(every(10, 0, 200, 5), said(400, 600, 5+400.0/6)), Figure{unit.WattHours(50), site.Estimated}},
		// Reset at 150 s: the 10 s before the reading at 160 came to 1.667 Wh by power, and 1.0 of it was counted since.
		{"a counter that starts again", append(every(10, 0, 150, 1000), append([]compute.Reading{said(160, 600, 1)}, every(10, 170, 300, 1-160.0/6)...)...), Figure{unit.WattHours(50), site.Estimated}},
		{"a reset with no power known counts what was counted since", []compute.Reading{said(0, -1, 100), said(150, -1, 120), said(300, -1, 8)}, Figure{unit.WattHours(28), site.Estimated}},
		{"a leap is not believed", append(every(10, 0, 150, 10), append([]compute.Reading{said(160, 600, 90_000)}, every(10, 170, 300, 90_000-160.0/6)...)...), Figure{unit.WattHours(50), site.Estimated}},
		{"power alone is an estimate", []compute.Reading{said(0, 600, -1), said(60, 600, -1), said(120, 600, -1), said(180, 600, -1), said(240, 600, -1), said(300, 600, -1)}, Figure{unit.WattHours(50), site.Estimated}},
		{"a counter not told once", append(every(10, 0, 150, 10), append([]compute.Reading{said(160, 600, -1)}, every(10, 170, 300, 10)...)...), Figure{unit.WattHours(50), site.Estimated}},
		{"silent from the half on: the last power stands in", every(10, 0, 150, 10), Figure{unit.WattHours(50), site.Estimated}},
		{"nothing told", nil, Figure{Quality: site.Missing}},
		{"neither power nor counter", []compute.Reading{said(0, -1, -1), said(300, -1, -1)}, Figure{Quality: site.Missing}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Options{})
			for _, r := range tt.readings {
				c.Observe(r)
			}
			got := gpuFigure(c, noon)
			if d := got.Energy - tt.want.Energy; d < -5 || d > 5 || got.Quality != tt.want.Quality {
				t.Errorf("%s, %s; want %s, %s", got.Energy, got.Quality, tt.want.Energy, tt.want.Quality)
			}
		})
	}
}

func TestACounterSettlesWhatStoodInForIt(t *testing.T) {
	c := New(Options{})
	for _, r := range every(10, 0, 150, 10) {
		c.Observe(r)
	}
	first := gpuFigure(c, noon) // 25 counted and 25 bridged
	c.Observe(said(450, 600, 10+60))
	c.Observe(said(600, 600, 10+80))
	second := gpuFigure(c, secs(300))
	if sum := first.Energy + second.Energy; sum != unit.WattHours(80) {
		t.Errorf("%s and %s sum to %s; the counter rose by 80 Wh", first.Energy, second.Energy, sum)
	}
}

func TestAnotherGPUInItsPlaceBeginsAnew(t *testing.T) {
	c := New(Options{})
	for _, r := range every(10, 0, 150, 1000) {
		c.Observe(r)
	}
	for _, r := range every(10, 160, 300, 90_000) {
		r.GPUs[0].UUID = "GPU-b"
		c.Observe(r)
	}
	got := gpuFigure(c, noon)
	if want := unit.WattHours(25 + 140.0/6); got.Energy-want > 5 || want-got.Energy > 5 || got.Quality != site.Estimated {
		t.Errorf("%s, %s", got.Energy, got.Quality)
	}
}

// Whatever polls are lost, whenever it is killed and restored, the intervals sum to what the
// counter rose by, and no figure is negative; resets only ever add.
func TestIntervalsSumToTheCounter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := New(Options{Hold: 10 * time.Minute})
		at, truth, offset := 0.0, 0.0, 0.0
		resets := rapid.Bool().Draw(rt, "resets")
		exact := true
		c.Observe(said(0, 600, 0))
		var sum unit.Energy
		next := noon
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			step := rapid.Float64Range(1, 120).Draw(rt, "step")
			watts := rapid.Float64Range(0, 700).Draw(rt, "watts")
			at += step
			truth += watts * step / 3600
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1: // lost
			case 2:
				data, err := c.Checkpoint()
				if err != nil {
					rt.Fatal(err)
				}
				c = New(Options{Hold: 10 * time.Minute})
				if err := c.Restore(data); err != nil {
					rt.Fatal(err)
				}
			case 3:
				if resets {
					offset, exact = truth, false
				}
				fallthrough
			default:
				c.Observe(said(at, watts, truth-offset))
			}
			for !secs(at).Before(next.Add(all)) {
				f := gpuFigure(c, next)
				if f.Energy < 0 {
					rt.Fatalf("%s", f.Energy)
				}
				sum += f.Energy
				next = next.Add(all)
			}
		}
		if !exact {
			return
		}
		// It goes on at rest until all that stood in for it is settled.
		for range 200 {
			at += 60
			truth += 60 * 700.0 / 3600
			c.Observe(said(at, 700, truth))
			for !secs(at).Before(next.Add(all)) {
				sum += gpuFigure(c, next).Energy
				next = next.Add(all)
			}
		}
		open := c.nodes["gpu-1"].GPUs[0]
		for _, s := range open.Spans {
			sum += unit.Energy(s.Energy)
		}
		if d := float64(sum)/1000 - truth; d < -0.5 || d > 0.5 {
			rt.Fatalf("the intervals sum to %.3f Wh, the counter rose by %.3f", float64(sum)/1000, truth)
		}
	})
}

func FuzzRestoreCounters(f *testing.F) {
	c := New(Options{})
	for _, r := range every(10, 0, 290, 10) {
		c.Observe(r)
	}
	data, err := c.Checkpoint()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"nodes":{"a":{"gpus":[{"index":-1,"spans":[{"start":9223372036854775807}]}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(Options{})
		if c.Restore(data) != nil {
			return
		}
		c.Observe(said(300, 600, 70))
		for _, m := range c.Close(noon) {
			for _, g := range m.GPUs {
				if g.Energy.Energy < 0 {
					t.Errorf("%+v", g)
				}
			}
		}
		if _, err := c.Checkpoint(); err != nil {
			t.Error(err)
		}
	})
}
