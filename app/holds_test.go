package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
	"switchyard/site"
)

func TestHoldsNameDevicesAndGroups(t *testing.T) {
	f := parse(t, siteDoc)
	t.Run("hold", func(t *testing.T) {
		a, _ := still(t, f, summer)
		n, err := a.Hold(t.Context(), "eva", api.HoldRequest{Devices: []string{"s21", "s19-002", "s21-003"}, Mode: "sleep", Note: "fans"})
		if err != nil || n != 5 {
			t.Errorf("%d devices held: %v", n, err)
		}
		for name, r := range map[string]api.HoldRequest{
			"an unknown name among good ones": {Devices: []string{"s19-001", "s99"}, Mode: "sleep"},
			"a meter":                         {Devices: []string{"meter:connection"}, Mode: "sleep"},
			"a tenant":                        {Devices: []string{"ai"}, Mode: "sleep"},
			"no mode":                         {Devices: []string{"s19"}},
		} {
			if _, err := a.Hold(t.Context(), "eva", r); !errors.Is(err, api.ErrNotFound) && !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(a.ctl.holds) != 5 {
			t.Errorf("half of a refused hold was kept: %v", a.ctl.holds)
		}
	})
	// What a person holds stays held, across restarts.
	a, clk := still(t, f, summer.Add(time.Hour))
	want := site.Hold{Device: "s19-002", Mode: site.ModeSleep, By: "eva", Note: "fans", At: summer}
	if diff := cmp.Diff(want, a.ctl.holds["s19-002"]); diff != "" || len(a.ctl.holds) != 5 {
		t.Errorf("%d holds after a restart (-want +got):\n%s", len(a.ctl.holds), diff)
	}
	clk.set(summer.Add(2 * time.Hour))
	if n, err := a.Hold(t.Context(), "max", api.HoldRequest{Devices: []string{"s19-002"}, Mode: "run"}); n != 1 || err != nil || a.ctl.holds["s19-002"].Mode != site.ModeRun {
		t.Errorf("the newest word counts: %v, %v", a.ctl.holds["s19-002"], err)
	}
	if n, err := a.Release(t.Context(), "eva", "s21"); n != 4 || err != nil {
		t.Errorf("%d of the group released: %v", n, err)
	}
	if n, err := a.ReleaseMany(t.Context(), "eva", []site.DeviceID{"s19-002", "s99-001"}); n != 0 || !errors.Is(err, api.ErrNotFound) || len(a.ctl.holds) != 1 {
		t.Errorf("an unknown name among good ones: %d, %v, %v", n, err, a.ctl.holds)
	}
	before := len(a.ctl.released)
	if _, err := a.Release(t.Context(), "eva", "s21-001"); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("released twice: %v", err)
	}
	if len(a.ctl.released) != before {
		t.Error("a release that was refused is carried out")
	}
	if _, err := a.Release(t.Context(), "eva", "s99"); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), "s21-001") {
		t.Errorf("an unknown name: %v", err)
	}
	if len(a.ctl.holds) != 1 {
		t.Errorf("left: %v", a.ctl.holds)
	}
	before = len(a.ctl.released)
	for i, want := range []int{1, 0} { // nobody holds the other, nor any the second time
		if n, err := a.ReleaseMany(t.Context(), "eva", []site.DeviceID{"s19-001", "s19-002"}); n != want || err != nil {
			t.Errorf("many, time %d: %d released, want %d: %v", i+1, n, want, err)
		}
	}
	if len(a.ctl.holds) != 0 || len(a.ctl.released) != before+1 {
		t.Errorf("left after many: %v; released %v", a.ctl.holds, a.ctl.released)
	}
}

func TestWhatCannotBeKeptIsNotDone(t *testing.T) {
	a, clk := still(t, parse(t, siteDoc), summer)
	if _, err := a.Hold(t.Context(), "eva", api.HoldRequest{Devices: []string{"s21-001"}, Mode: "sleep"}); err != nil {
		t.Fatal(err)
	}
	clk.torn = true
	if err := a.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Hold(t.Context(), "eva", api.HoldRequest{Devices: []string{"s19"}, Mode: "sleep"}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("hold: %v", err)
	}
	if _, err := a.Release(t.Context(), "eva", "s21-001"); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("release: %v", err)
	}
	if len(a.ctl.holds) != 1 || len(a.ctl.released) != 0 {
		t.Errorf("done though not kept: %v, %v", a.ctl.holds, a.ctl.released)
	}
	// A limit is a matter of safety: it holds, and says that it is not kept.
	v, err := a.SetLimit(t.Context(), "eva", api.LimitRequest{Node: "hall-a", PowerW: 1})
	if err != nil || !strings.Contains(v.Note, "not kept over a restart yet") || len(a.ctl.limits.Manual) != 1 {
		t.Errorf("limit: %v, %v, %+v", err, a.ctl.limits.Manual, v)
	}
	if err := a.ClearLimit(t.Context(), "eva", v.ID); !errors.Is(err, api.ErrUnavailable) || len(a.ctl.limits.Manual) != 1 {
		t.Errorf("a limit is lifted though that is not kept: %v", err)
	}
}

func TestAStoppingControllerSaysSo(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	b := &App{requests: make(chan func(*control)), ended: make(chan struct{}), plant: a.plant, clk: a.clk}
	close(b.ended)
	if _, err := b.SetLimit(t.Context(), "eva", api.LimitRequest{Node: "hall-a"}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
