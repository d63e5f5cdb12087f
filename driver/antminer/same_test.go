package antminer

import (
	"slices"
	"testing"

	"switchyard/site"
)

const (
	usual    = "02:00:00:00:00:01"
	stranger = "02:00:00:00:00:02"
	infoPage = "GET /cgi-bin/get_system_info.cgi"
)

// settled is a device that was read, with its turn to be asked all far away.
func settled(t *testing.T) (*fake, *device, func() site.Sample) {
	t.Helper()
	f, dev, ctx := opened(t)
	d := dev.(*device)
	d.phase = slowEvery - 1
	read := func() site.Sample { t.Helper(); return reading(t, ctx, d) }
	for range 3 {
		read()
	}
	if s := read(); s.Identity.MAC != usual {
		t.Fatalf("it is %+v", s.Identity)
	}
	f.took()
	return f, d, read
}

// Another machine at the address shows within the poll that first hears it, and nothing that was
// laid out for the old one is posted to it.
func TestAnotherMachineIsNoticedAtOnce(t *testing.T) {
	for name, differs := range map[string]func(*fake){
		"by its chips":        func(f *fake) { f.chips = 4 },
		"by a longer uptime":  func(f *fake) { f.uptime = 50_000 },
		"by a shorter uptime": func(f *fake) { f.uptime = -600 },
	} {
		t.Run(name, func(t *testing.T) {
			f, d, read := settled(t)
			d.awake = modeLow
			if err := d.Stage(t.Context()); err != nil || !d.fresh() {
				t.Fatal(err)
			}
			f.set(func(f *fake) { f.mac = stranger; differs(f) })
			f.took()
			if s := read(); s.Identity.MAC != stranger {
				t.Errorf("it passes for %+v", s.Identity)
			}
			if got := f.took(); !slices.Equal(got, []string{"rpc stats", infoPage}) {
				t.Errorf("exchanges %q", got)
			}
			if d.fresh() || d.awake != modeNormal || d.slow.pools != nil {
				t.Error("what was known of the old one is told of it")
			}
			if s := read(); s.Identity.MAC != stranger || len(s.Pools) != 1 {
				t.Errorf("then it is %+v with %d pools", s.Identity, len(s.Pools))
			}
		})
	}
	t.Run("after an error", func(t *testing.T) {
		f, d, read := settled(t)
		f.set(func(f *fake) { f.closed, f.gone = true, true })
		if _, err := d.Read(t.Context()); err == nil {
			t.Fatal("it answered")
		}
		f.set(func(f *fake) { f.closed, f.gone, f.mac = false, false, stranger })
		if s := read(); s.Identity.MAC != stranger {
			t.Errorf("it passes for %+v", s.Identity)
		}
	})
}

// Where it cannot be asked who it is, it has no MAC rather than the old one's.
func TestWhoCannotBeAskedIsNobody(t *testing.T) {
	f, _, read := settled(t)
	f.set(func(f *fake) { f.chips, f.password = 4, "another" })
	for range 6 {
		if s := read(); s.Identity.MAC != "" || s.Identity.Serial != "" || s.Identity.Model != "S19 Pro" {
			t.Fatalf("it is %+v", s.Identity)
		}
	}
	asked := 0
	for _, what := range f.took() {
		if what == infoPage {
			asked++
		}
	}
	if asked == 0 || asked > 2*mostVain {
		t.Errorf("asked %d times", asked)
	}
}

// A machine whose marks change by themselves is not asked with each poll.
func TestRestlessMarks(t *testing.T) {
	f, _, read := settled(t)
	for i := range 15 {
		f.set(func(f *fake) { f.chips = i % 2 })
		if s := read(); s.Identity.MAC != usual {
			t.Fatalf("it is %+v", s.Identity)
		}
	}
	asked := 0
	for _, what := range f.took() {
		if what != "rpc stats" {
			asked++
		}
	}
	if asked > mostVain {
		t.Errorf("%d exchanges more in 15 polls", asked)
	}
}
