package conform

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

func checkDriver(t *testing.T, k Kit) {
	d := k.Driver
	if d.Name == "" || d.Name != strings.ToLower(d.Name) || strings.ContainsAny(d.Name, " \t") {
		t.Errorf("Name %q is not one lower-case word", d.Name)
	}
	if d.About == "" || strings.Contains(d.About, "\n") {
		t.Errorf("About %q is not one line", d.About)
	}
	if d.Open == nil || len(d.Ports) == 0 {
		t.Error("Open and Ports are required")
	}
	b := start(t, k, k.Start)
	b.open()
	if _, made, _ := b.wire.counts(); made != 0 {
		t.Errorf("Open dialled %d times; it does no I/O", made)
	}
}

func checkInfo(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	c, err := b.open().Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	if c.Identity.Make == "" || c.Identity.Model == "" {
		t.Errorf("Identity %+v: make and model are wanted of a healthy device", c.Identity)
	}
	if c.Watts.OK && (c.Watts.V.Min <= 0 || c.Watts.V.Max < c.Watts.V.Min) {
		t.Errorf("Watts %v is no range", c.Watts.V)
	}
	if len(c.Levels) > 0 && (!c.Watts.OK || !slices.IsSorted(c.Levels) || c.Levels[0] < c.Watts.V.Min || c.Levels[len(c.Levels)-1] > c.Watts.V.Max) {
		t.Errorf("Levels %v do not ascend within Watts %v", c.Levels, c.Watts)
	}
	if c.Percent && (c.MinPercent < 1 || c.MinPercent > 100) {
		t.Errorf("MinPercent %d is not within 1 to 100", c.MinPercent)
	}
	if c.Nameplate.OK && c.Nameplate.V <= 0 {
		t.Errorf("Nameplate is known and %v", c.Nameplate.V)
	}
	if c.Standby < 0 || c.Nameplate.OK && c.Standby >= c.Nameplate.V {
		t.Errorf("Standby %v of nameplate %v", c.Standby, c.Nameplate)
	}
	if c.Sleep && (c.SleepTime <= 0 || c.WakeTime <= 0) {
		t.Errorf("it can sleep, so SleepTime %v and WakeTime %v must be above zero", c.SleepTime, c.WakeTime)
	}
}

func checkRead(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	var last site.Sample
	for i := range 3 {
		before := b.target.Now()
		s, err := d.Read(long(t))
		if err != nil {
			t.Fatalf("Read %d: %v", i+1, err)
		}
		after := b.target.Now()
		checkSample(t, b, s)
		if s.Asked.Before(before) || s.At.After(after) || s.At.Before(s.Asked) {
			t.Errorf("read %d: Asked %v, At %v, want them in order within %v and %v", i+1, s.Asked, s.At, before, after)
		}
		if s.State != site.StateHashing {
			t.Errorf("read %d: State %v, want hashing", i+1, s.State)
		}
		if !s.Hashrate.OK || s.Hashrate.V < unit.TeraHash/10 || s.Hashrate.V > 10*unit.PetaHash {
			t.Errorf("read %d: Hashrate %+v is not that of a miner: is the unit right?", i+1, s.Hashrate)
		}
		if k.Power && (!s.Power.OK || s.Power.V < 5*unit.Watt || s.Power.V > 50*unit.Kilowatt) {
			t.Errorf("read %d: Power %+v is not that of a miner: is the unit right?", i+1, s.Power)
		}
		if !k.Power && s.Power.OK {
			t.Errorf("read %d: Power is known, %v, of a device that tells none", i+1, s.Power.V)
		}
		last = s
	}
	if last.Identity.Make == "" || last.Identity.Model == "" {
		t.Errorf("Identity %+v: make and model are wanted of a healthy device", last.Identity)
	}
}

// checkSample checks what holds for any sample.
func checkSample(t *testing.T, b *bench, s site.Sample) {
	t.Helper()
	if s.Device != b.target.Device {
		t.Errorf("sample of device %q, want %q", s.Device, b.target.Device)
	}
	for name, o := range map[string]bool{
		"Power": !s.Power.OK && s.Power.V != 0, "Hashrate": !s.Hashrate.OK && s.Hashrate.V != 0,
		"Target": !s.Target.OK && s.Target.V != 0, "Energy": !s.Energy.OK && s.Energy.V != 0,
	} {
		if o {
			t.Errorf("%s holds a value and is not OK", name)
		}
	}
	floats := []site.Opt[float64]{s.Intake}
	for _, h := range s.Boards {
		floats = append(floats, h.ChipTemp, h.PCBTemp)
	}
	for _, f := range floats {
		if f.OK && (math.IsNaN(f.V) || f.V < -60 || f.V > 250) {
			t.Errorf("temperature of %v deg C", f.V)
		}
	}
	if slices.ContainsFunc(s.Fans, func(rpm int) bool { return rpm < 0 }) {
		t.Errorf("fans %v turn backwards", s.Fans)
	}
}

func checkBare(t *testing.T, k Kit) {
	if k.Bare == nil {
		t.Skip("the family cannot leave out power and hashrate")
	}
	b := start(t, k, k.Bare)
	s, err := b.open().Read(long(t))
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	checkSample(t, b, s)
	if s.Power.OK || s.Hashrate.OK {
		t.Errorf("Power %+v, Hashrate %+v: the device told neither", s.Power, s.Hashrate)
	}
}

func checkApply(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	c, err := d.Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	for _, want := range setpoints(c) {
		for _, again := range []string{"first", "again"} {
			if err := d.Apply(long(t), want); err != nil {
				t.Fatalf("Apply %v, %s: %v", want, again, err)
			}
			if b.fake.Obeys == nil {
				continue
			}
			got := b.fake.Obeys()
			if got.Mode != want.Mode || want.Mode == site.ModeRun && want.Power.OK && !near(got.Power, want.Power.V) {
				t.Errorf("after Apply %v, %s, the device obeys %v", want, again, got)
			}
		}
		confirm(t, b, d, want)
	}
}

// setpoints lists what a device with these capabilities must take, ending awake.
func setpoints(c site.Capabilities) []site.Setpoint {
	run := site.Setpoint{Mode: site.ModeRun}
	all := []site.Setpoint{run}
	if c.Sleep {
		all = append(all, site.Setpoint{Mode: site.ModeSleep}, run)
	}
	if c.Watts.OK {
		r := c.Watts.V
		targets := []unit.Power{r.Min, r.Min + (r.Max-r.Min)/2, r.Max}
		if len(c.Levels) > 0 {
			targets = c.Levels
		}
		for _, p := range targets {
			all = append(all, site.Setpoint{Mode: site.ModeRun, Power: site.Some(p)})
		}
		if len(c.Levels) > 0 {
			r.Min = c.Levels[0]
		}
		if c.Sleep { // straight from sleep to a target, as a restore does
			all = append(all, site.Setpoint{Mode: site.ModeSleep}, site.Setpoint{Mode: site.ModeRun, Power: site.Some(r.Min)})
		}
	}
	if c.Percent && c.Nameplate.OK {
		share := float64(c.MinPercent+100) / 200
		all = append(all, site.Setpoint{Mode: site.ModeRun, Power: site.Some(c.Nameplate.V.Scale(share))})
	}
	return append(all, run)
}

// near allows a device that takes whole watts or whole per cent its rounding.
func near(got site.Opt[unit.Power], want unit.Power) bool {
	return got.OK && math.Abs(float64(got.V-want)) <= 0.02*float64(want)+float64(unit.Watt)
}

// confirm reads until the reading says what was applied, as an actor does.
func confirm(t *testing.T, b *bench, d driver.Device, want site.Setpoint) {
	t.Helper()
	end := time.Now().Add(patience / 2)
	for {
		if b.fake.Settle != nil {
			b.fake.Settle()
		}
		s, err := d.Read(long(t))
		if err != nil {
			t.Fatalf("Read after Apply %v: %v", want, err)
		}
		checkSample(t, b, s)
		awake := s.State == site.StateHashing || s.State == site.StateStarting
		if want.Mode == site.ModeSleep && s.State == site.StateSleeping || want.Mode == site.ModeRun && awake {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after Apply %v the readings still say %v", want, s.State)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func checkUnsupported(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	c, err := d.Info(long(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	if !c.Sleep {
		b.wantErr("Apply sleep", d.Apply(long(t), site.Setpoint{Mode: site.ModeSleep}), driver.ErrUnsupported)
	}
	if !c.Watts.OK && !c.Percent {
		capped := site.Setpoint{Mode: site.ModeRun, Power: site.Some(1500 * unit.Watt)}
		b.wantErr("Apply watts", d.Apply(long(t), capped), driver.ErrUnsupported)
	}
}

func checkPassword(t *testing.T, k Kit) {
	if k.NoPassword {
		t.Skip("the family has no authentication")
	}
	b := start(t, k, k.Start)
	b.target.Password = wrongPassword
	d := b.open()
	b.wantErr("Apply", d.Apply(long(t), site.Setpoint{Mode: site.ModeSleep}), driver.ErrUnauthorized)
	b.wantErr("Apply again", d.Apply(long(t), site.Setpoint{Mode: site.ModeSleep}), driver.ErrUnauthorized)
	if b.fake.Obeys != nil && b.fake.Obeys().Mode != site.ModeRun {
		t.Error("the fake went to sleep with a wrong password: is it checking?")
	}
	_, err := d.Read(long(t))
	if k.ReadNeedsPassword {
		b.wantErr("Read", err, driver.ErrUnauthorized)
	} else if err != nil {
		t.Errorf("Read with a wrong password: %v, want none: reading needs no password", err)
	}
}

func checkDead(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	b.wire.set(func(w *wire) { w.err = errNobody })
	b.calls(patience, func(name string, err error) { b.wantErr(name, err, driver.ErrUnreachable) })
}

func checkSilent(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	b.wire.set(func(w *wire) { w.silent = true })
	b.calls(short, func(name string, err error) { b.wantErr(name, err, driver.ErrUnreachable) })
	if k.Driver.Probe != nil {
		ctx, cancel := context.WithTimeout(context.Background(), short)
		defer cancel()
		_, err := k.Driver.Probe(ctx, b.target)
		b.wantErr("Probe", err, driver.ErrUnreachable)
	}
}

func checkCancelled(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	b.wire.set(func(w *wire) { w.silent = true })
	d := b.open()
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(short/3, cancel)
	defer timer.Stop()
	begun := time.Now()
	_, err := d.Read(ctx)
	b.wantErr("Read", err, driver.ErrUnreachable)
	if took := time.Since(begun); took > short/3+slack {
		t.Errorf("Read returned %v after it was cancelled", took)
	}
}

func checkGarbage(t *testing.T, k Kit) {
	http := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	replies := map[string]string{
		"nothing":      "",
		"NULs":         "\x00\x00\x00\x00",
		"noise":        "\x16\x03\x01\xff\xfe\x80garbage\x00{\"\xc3\x28",
		"words":        "Socket connect failed: Connection refused\n",
		"page":         "<!DOCTYPE html><html><body>Login</body></html>",
		"HTTP page":    http("<!DOCTYPE html><html><body>Login</body></html>"),
		"HTTP empty":   http(""),
		"HTTP null":    http("null"),
		"HTTP {}":      http("{}"),
		"HTTP []":      http("[]"),
		"HTTP 500":     "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
		"HTTP forever": "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("[", 2<<20),
		"{}":           "{}",
		"deep":         strings.Repeat(`{"a":[`, 1000),
		"endless":      `{"a":"` + strings.Repeat("x", 3<<20),
		"frame":        "\xff\xff\xff\x7f{}",
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			b := start(t, k, k.Start)
			b.wire.set(func(w *wire) { w.canned, w.reply = true, []byte(reply) })
			b.calls(patience, func(call string, err error) {
				if call == "Read" && err == nil {
					t.Error("Read of garbage: no error")
				}
				if call == "Apply" && err == nil && name != "nothing" {
					t.Error("Apply answered with garbage: no error")
				}
				b.checkErr(call, err)
			})
			if k.Driver.Probe != nil {
				_, err := k.Driver.Probe(long(t), b.target)
				b.wantErr("Probe", err, driver.ErrUnsupported, driver.ErrUnreachable)
			}
		})
	}
}

// checkTruncated cuts every connection after so many bytes: Read errs, or what it does know
// is what the whole reply says.
func checkTruncated(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	whole, err := b.open().Read(long(t))
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	_, _, size := b.wire.counts()
	step := max(1, size/150)
	for cut := 0; cut < size; cut += step {
		b.wire.set(func(w *wire) { w.cutting, w.cut = true, cut })
		d := b.open()
		s, err := d.Read(long(t))
		_ = d.Close()
		if err != nil {
			b.checkErr(fmt.Sprintf("Read cut after %d bytes", cut), err)
			continue
		}
		checkSample(t, b, s)
		if bad := invented(whole, s); bad != "" {
			t.Fatalf("cut after %d of %d bytes: %s", cut, size, bad)
		}
	}
}

// invented says what part knows and whole does not.
func invented(whole, part site.Sample) string {
	switch {
	case part.Power.OK && part.Power != whole.Power:
		return fmt.Sprintf("Power %+v, not %+v", part.Power, whole.Power)
	case part.Hashrate.OK && part.Hashrate != whole.Hashrate:
		return fmt.Sprintf("Hashrate %+v, not %+v", part.Hashrate, whole.Hashrate)
	case part.Target.OK && part.Target != whole.Target:
		return fmt.Sprintf("Target %+v, not %+v", part.Target, whole.Target)
	case part.Intake.OK && part.Intake != whole.Intake:
		return fmt.Sprintf("Intake %+v, not %+v", part.Intake, whole.Intake)
	case part.State != site.StateUnknown && part.State != whole.State:
		return fmt.Sprintf("State %v, not %v", part.State, whole.State)
	case len(part.Boards) > len(whole.Boards) || len(part.Fans) > len(whole.Fans):
		return "more boards or fans than there are"
	}
	for i, h := range part.Boards {
		w := whole.Boards[i]
		if h.Hashrate.OK && h.Hashrate != w.Hashrate || h.ChipTemp.OK && h.ChipTemp != w.ChipTemp || h.PCBTemp.OK && h.PCBTemp != w.PCBTemp {
			return fmt.Sprintf("board %d: %+v, not %+v", i, h, w)
		}
	}
	for i, rpm := range part.Fans {
		if rpm != whole.Fans[i] {
			return fmt.Sprintf("fan %d: %d, not %d", i, rpm, whole.Fans[i])
		}
	}
	return ""
}

func checkSlow(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	b.wire.set(func(w *wire) { w.pause = 30 * time.Millisecond })
	if _, err := b.open().Read(long(t)); err != nil {
		t.Errorf("Read of a slow device: %v", err)
	}
	b.wire.set(func(w *wire) { w.pause = patience })
	b.calls(short, func(name string, err error) { b.wantErr(name, err, driver.ErrUnreachable) })
}

// checkReconnect loses the device between two reads, as a reboot does.
func checkReconnect(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	if _, err := d.Read(long(t)); err != nil {
		t.Fatalf("Read: %v", err)
	}
	b.wire.set(func(w *wire) { w.err = errNobody })
	b.wire.cutOff()
	_, err := d.Read(long(t))
	b.wantErr("Read of a lost device", err, driver.ErrUnreachable)
	b.wire.set(func(w *wire) { w.err = nil })
	if _, err := d.Read(long(t)); err != nil {
		t.Errorf("Read of a device that came back: %v", err)
	}
}

func checkClose(t *testing.T, k Kit) {
	b := start(t, k, k.Start)
	d := b.open()
	_, errInfo := d.Info(long(t))
	_, errRead := d.Read(long(t))
	errApply := d.Apply(long(t), site.Setpoint{Mode: site.ModeRun})
	if errInfo != nil || errRead != nil || errApply != nil {
		t.Fatalf("Info %v, Read %v, Apply %v", errInfo, errRead, errApply)
	}
	if _, made, _ := b.wire.counts(); made == 0 {
		t.Error("the driver does not dial through Target.Dial")
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	end := time.Now().Add(settle)
	for {
		open, made, _ := b.wire.counts()
		left := leftovers()
		if open == 0 && left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after Close %d of %d sockets are open; goroutines left:\n%s", open, made, left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leftovers returns the stacks of goroutines that serve a client's connection.
func leftovers() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		own := strings.Contains(g, "switchyard/driver/") && !strings.Contains(g, "driver/conform.") &&
			strings.Contains(g, "created by switchyard/driver/") && !strings.Contains(g, "_test.go")
		if own || strings.Contains(g, "net/http.(*persistConn)") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

func checkProbe(t *testing.T, k Kit) {
	if k.Driver.Probe == nil {
		t.Skip("the family cannot be told apart")
	}
	b := start(t, k, k.Start)
	id, err := k.Driver.Probe(long(t), b.target)
	if err != nil || id.Make == "" {
		t.Errorf("Probe: %+v, %v, want an identity", id, err)
	}
	if open, _, _ := b.wire.counts(); open != 0 {
		end := time.Now().Add(settle)
		for open != 0 && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
			open, _, _ = b.wire.counts()
		}
		if open != 0 {
			t.Errorf("Probe left %d sockets open", open)
		}
	}
	b.wire.set(func(w *wire) { w.err = errNobody })
	_, err = k.Driver.Probe(long(t), b.target)
	b.wantErr("Probe of nobody", err, driver.ErrUnreachable)
}
