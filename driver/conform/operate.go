package conform

import (
	"context"
	"slices"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// checkStage: what was staged makes Apply no different, only quicker.
func checkStage(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	st, ok := d.(driver.Stager)
	if !ok {
		if k.Staged {
			t.Error("the kit says Staged, and the device is no driver.Stager")
		}
		t.Skip("nothing to stage")
	}
	c, err := d.Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	if _, err := d.Read(long(t)); err != nil {
		t.Fatalf("Read: %v", err)
	}
	for _, again := range []string{"first", "again"} {
		before := b.wire.requests()
		if err := st.Stage(long(t)); err != nil {
			t.Fatalf("Stage, %s: %v", again, err)
		}
		if n := b.wire.requests() - before; again == "again" && n > 0 {
			t.Errorf("Stage asked %d times although all was at hand", n)
		}
	}
	if c.Sleep {
		before := b.wire.requests()
		if err := d.Apply(long(t), site.Setpoint{Mode: site.ModeSleep}); err != nil {
			t.Fatalf("Apply after Stage: %v", err)
		}
		if n := b.wire.requests() - before; k.Staged && n != 1 {
			t.Errorf("Apply after Stage took %d requests, not one", n)
		}
		if b.fake.Obeys != nil && b.fake.Obeys().Mode != site.ModeSleep {
			t.Error("after Stage the device does not obey Apply")
		}
	}
	b.wire.set(func(w *wire) { w.silent = true })
	b.wire.cutOff()
	fresh, _ := b.open().(driver.Stager)
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	begun := time.Now()
	err = fresh.Stage(ctx)
	b.checkErr("Stage of a silent device", err)
	if took := time.Since(begun); took > short+slack {
		t.Errorf("Stage took %v with a deadline of %v", took, short)
	}
}

// checkActs tries each act the device says it takes, and one that it does not.
func checkActs(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	c, err := d.Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	op, ok := d.(driver.Operator)
	if !ok {
		if c.Acts != 0 {
			t.Errorf("it says that it takes %v, and is no driver.Operator", c.Acts.List())
		}
		t.Skip("it takes no acts")
	}
	// A reboot comes last: the device is away after it.
	for _, act := range []site.Act{site.ActLED, site.ActPools, site.ActProfile, site.ActPassword, site.ActReboot} {
		a := sample(act, c)
		if !c.Acts.Has(act) {
			b.wantErr("Do "+act.String(), op.Do(long(t), a), driver.ErrUnsupported)
			continue
		}
		if act == site.ActProfile && a.Profile == "" {
			t.Error("it takes profiles and names none")
			continue
		}
		if err := op.Do(long(t), a); err != nil {
			t.Errorf("Do %s: %v", act, err)
			continue
		}
		b.did(d, a)
	}
	b.wire.set(func(w *wire) { w.err = errNobody })
	b.wire.cutOff()
	for _, act := range c.Acts.List() {
		b.wantErr("Do "+act.String()+" with nobody there", op.Do(long(t), sample(act, c)), driver.ErrUnreachable)
	}
}

// sample is an action of the kind with values that any device takes.
func sample(act site.Act, c site.Capabilities) driver.Action {
	a := driver.Action{Act: act, On: true, Password: "n3w-pa55word-90b1"}
	a.Pools = []driver.Pool{
		{URL: "stratum+tcp://conform.example:3333", Worker: "account.conform-001", Password: "x"},
		{URL: "stratum+tcp://conform2.example:443", Worker: "account.conform-001", Password: "x"},
	}
	if len(c.Profiles) > 0 {
		a.Profile = c.Profiles[0].Name
	}
	return a
}

// did checks by the device and by a reading what became of an action.
func (b *bench) did(d driver.Device, a driver.Action) {
	b.t.Helper()
	if b.fake.Acts != nil && a.Act != site.ActProfile && !slices.Contains(b.fake.Acts(), a.Act.String()) {
		b.t.Errorf("after Do %s the device did %v", a.Act, b.fake.Acts())
	}
	if a.Act == site.ActReboot {
		return
	}
	if b.fake.Settle != nil {
		b.fake.Settle()
	}
	s, err := d.Read(long(b.t))
	if err != nil {
		b.t.Errorf("Read after Do %s: %v", a.Act, err)
		return
	}
	switch a.Act {
	case site.ActPools:
		told := func(p site.Pool) bool { return p.URL == a.Pools[0].URL && p.Worker == a.Pools[0].Worker }
		if len(s.Pools) > 0 && !slices.ContainsFunc(s.Pools, told) {
			b.t.Errorf("after Do pools the reading's pools are %+v", s.Pools)
		}
	case site.ActProfile:
		if s.Profile != "" && s.Profile != a.Profile {
			b.t.Errorf("after Do profile %q the reading says %q", a.Profile, s.Profile)
		}
	case site.ActPassword: // the device must go on with the new one, a new one fail with the old
		if err := d.Apply(long(b.t), site.Setpoint{Mode: site.ModeRun}); err != nil {
			b.t.Errorf("Apply after a new password: %v", err)
		}
	case site.ActLED, site.ActReboot:
	}
}

// checkAbilities: what the page of miners says of the family agrees with what a device says.
func checkAbilities(t *testing.T, k Kit) {
	a := k.Driver.Abilities
	if a.Devices == "" || a.Auth == "" || a.Checked == "" || a.Source == "" || !slices.Contains([]string{"all", "some", "none"}, a.Power) {
		t.Fatalf("Abilities %+v: Devices, Auth, Checked, Source and Power (all, some, none) are wanted", a)
	}
	b := start(t, k, k.Start)
	c, err := b.open().Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	for _, x := range []struct {
		what       string
		has, tells bool
	}{
		{"sleep", c.Sleep, a.Sleep},
		{"watts", c.Watts.OK && len(c.Levels) == 0, a.Watts},
		{"percent", c.Percent, a.Percent},
		{"profiles", len(c.Levels) > 0 || len(c.Profiles) > 0, a.Profiles},
		{"power", k.Power, a.Power != "none"},
	} {
		if x.has && !x.tells {
			t.Errorf("a device has %s and the driver's Abilities do not", x.what)
		}
	}
	if c.Acts&^a.Acts != 0 {
		t.Errorf("a device takes %v and the driver's Abilities only %v", c.Acts.List(), a.Acts.List())
	}
	if a.Sleep && a.Times == "" {
		t.Error("Abilities.Times is wanted of what can sleep")
	}
}
