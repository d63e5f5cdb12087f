package modbus

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/simonvetter/modbus"

	"switchyard/signal"
	"switchyard/signal/signaltest"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	mw = unit.Megawatt
	kw = unit.Kilowatt
)

// meter is a site with 3 MW firm and 9 MW flexible that draws 11.5 MW.
func meter() signal.Meter {
	return signal.Meter{
		At: time.Now(), Power: site.Some(11500 * kw), Limit: site.Some(20 * mw),
		Firm: 3 * mw, Flexible: 9 * mw, ShedWithin: 20 * time.Second, Complies: true,
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve runs a face.
func serve(t *testing.T, cfg sitefile.Face, h *signaltest.Host) string {
	t.Helper()
	cfg.Listen = free(t)
	f, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	until(t, "the server", func() bool {
		c, err := net.Dial("tcp", cfg.Listen)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return cfg.Listen
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// python is the independent client.
type python struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startPython(t *testing.T, addr string) *python {
	t.Helper()
	const bin = "/usr/bin/python3"
	if _, err := os.Stat(bin); err != nil || exec.Command(bin, "-c", "import pymodbus.client").Run() != nil {
		t.Skip("python3-pymodbus is missing (Debian package python3-pymodbus)")
	}
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(bin, "testdata/client.py", host, port)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &python{t, in, bufio.NewScanner(out)}
}

// do sends a command and returns its answer: the value, or "exception 2".
func (p *python) do(c map[string]any) string {
	p.t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", raw); err != nil || !p.out.Scan() {
		p.t.Fatalf("the client is gone: %v", err)
	}
	var a struct {
		Value     string
		Exception int
		Error     string
	}
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		p.t.Fatal(err)
	}
	switch {
	case a.Error != "":
		return a.Error
	case a.Exception != 0:
		return fmt.Sprintf("exception %d", a.Exception)
	}
	return a.Value
}

func read(fn, at int, kind string) map[string]any {
	return map[string]any{"op": "read", "fn": fn, "at": at, "kind": kind}
}

func writing(fn, at int, values ...any) map[string]any {
	var list [][]any
	for i := 0; i < len(values); i += 2 {
		list = append(list, []any{values[i], values[i+1]})
	}
	return map[string]any{"op": "write", "fn": fn, "at": at, "values": list}
}

func standing(h *signaltest.Host) []unit.Power {
	out := []unit.Power{}
	for _, s := range h.Last().Signals {
		out = append(out, s.Power)
	}
	return out
}

func TestAgainstPymodbus(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("", meter())
	p := startPython(t, serve(t, sitefile.Face{}, h))
	for _, s := range []struct {
		c        map[string]any
		want     string
		standing []unit.Power // nil: not looked at
	}{
		{read(4, inVersion, "u16"), "1", nil},
		{read(4, inStatus, "u16"), fmt.Sprint(bitComplies | bitLimited | bitFresh), nil},
		{read(4, inPower, "s32"), "11500", nil},
		{read(4, inLimit, "u32"), "20000", nil},
		{read(4, inFlexible, "u32"), "9000", nil},
		{read(4, inShed, "u16"), "20", nil},
		{read(4, inFirm, "u32"), "3000", nil},
		{read(4, inOwn, "u32"), fmt.Sprint(uint32(noU32)), nil},
		{read(4, inFloat, "f32"), "11500.0", nil},
		{read(4, inFloat+12, "f32"), "nan", nil},
		{writing(16, regEnable, 1, "u16"), "exception 3", []unit.Power{}}, // no limit yet
		{writing(16, regEnable, 1, "u16", 5000, "u32", 600, "u32"), "written", []unit.Power{5 * mw}},
		{read(3, regLimit, "u32"), "5000", nil},
		{read(3, regFloat, "f32"), "5000.0", nil},
		{read(3, regCoarse, "u16"), "50", nil},
		{read(3, regDuration, "u32"), "600", nil},
		{read(4, inOwn, "u32"), "5000", nil},
		{read(4, inLeft, "u32"), "600", nil},
		{read(4, inStatus, "u16"), fmt.Sprint(bitComplies | bitLimited | bitOwn), nil},
		{writing(6, regCoarse, 42, "u16"), "written", []unit.Power{4200 * kw}},
		{writing(16, regFloat, 3900.5, "f32"), "written", []unit.Power{3900500 * unit.Watt}},
		{writing(6, regLimit, 1, "u16"), "exception 2", []unit.Power{3900500 * unit.Watt}},
		{writing(6, regLimit+1, 1, "u16"), "exception 2", nil},
		{writing(16, regLimit+1, 1, "u16", 5, "u32"), "exception 2", nil},
		{writing(16, regLimit, 4000, "u32", 604801, "u32"), "exception 3", []unit.Power{3900500 * unit.Watt}}, // none of it
		{writing(16, regLimit, 4000, "u32", 60, "u32", 0, "u16"), "exception 2", nil},
		{writing(16, regLimit, 10_000_001, "u32"), "exception 3", nil},
		{writing(16, regLimit, 0xFFFFFFFF, "u32"), "exception 3", nil},
		{writing(16, regFloat, -1.0, "f32"), "exception 3", nil},
		{writing(16, regFloat, 1e30, "f32"), "exception 3", nil},
		{writing(6, regEnable, 2, "u16"), "exception 3", nil},
		{writing(6, 7, 0, "u16"), "exception 2", nil},
		{writing(16, 40000, 5, "u32"), "exception 2", []unit.Power{3900500 * unit.Watt}},
		{read(3, holdingLength-1, "u32"), "exception 2", nil},
		{map[string]any{"op": "block", "fn": 3, "at": 0, "count": holdingLength}, fmt.Sprint(holdingLength), nil},
		{map[string]any{"op": "block", "fn": 4, "at": 0, "count": inputLength}, fmt.Sprint(inputLength), nil},
		{map[string]any{"op": "coils"}, "exception 1", nil},
		{map[string]any{"op": "read", "fn": 4, "at": 0, "kind": "u16", "unit": 9}, "exception 11", nil},
		{writing(16, regLimit, 0, "u32"), "written", []unit.Power{0}}, // below firm load: the book says so
		{writing(6, regEnable, 0, "u16"), "written", []unit.Power{}},
		{writing(6, regHeartbeat, 7, "u16"), "written", nil},
		{read(4, inEcho, "u16"), "7", nil},
	} {
		if got := p.do(s.c); got != s.want {
			t.Errorf("%v: %s, want %s", s.c, got, s.want)
		}
		if s.standing != nil {
			if diff := cmp.Diff(s.standing, standing(h)); diff != "" {
				t.Errorf("%v: %s", s.c, diff)
			}
		}
	}
	if e := h.LastHeard(); e.Err != nil || e.Source != Name {
		t.Errorf("%+v", e)
	}
	if p := h.Problems(); len(p) == 0 || !strings.Contains(p[0], "127.0.0.1") || !strings.Contains(p[0], "enable before any limit") {
		t.Errorf("problems %q", p)
	}
}

func TestLatency(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("", meter())
	p := startPython(t, serve(t, sitefile.Face{}, h))
	var took []time.Duration
	for i := range 50 {
		sent := time.Now()
		if got := p.do(writing(16, regEnable, 1, "u16", i+1, "u32")); got != "written" {
			t.Fatal(got)
		}
		if s := standing(h); len(s) != 1 || s[0] != unit.Power(i+1)*kw {
			t.Fatalf("write %d: %v", i, s)
		}
		took = append(took, h.Last().Came.Sub(sent))
	}
	signaltest.Typical(t, "from asking the client to write to Put", 250*time.Millisecond, took)
}

func TestOnlyTheAllowedWrite(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("", meter())
	f, err := New(sitefile.Face{Allow: []string{"10.1.0.0/24", "10.2.0.5", "2001:db8::1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.host = h
	for client, ok := range map[string]bool{
		"10.1.0.77:4000": true, "[::ffff:10.1.0.77]:4000": true, "10.2.0.5:1": true, "[2001:db8::1]:1": true,
		"10.1.1.1:1": false, "127.0.0.1:1": false, "10.2.0.6:1": false, "nonsense": false,
	} {
		_, err := f.HandleHoldingRegisters(&modbus.HoldingRegistersRequest{ClientAddr: client, UnitId: 1, Addr: regLimit, Quantity: 2, IsWrite: true, Args: []uint16{0, 5}})
		if ok != (err == nil) || !ok && !errors.Is(err, modbus.ErrIllegalFunction) {
			t.Errorf("%s: %v", client, err)
		}
		if _, err := f.HandleHoldingRegisters(&modbus.HoldingRegistersRequest{ClientAddr: client, UnitId: 1, Addr: 0, Quantity: 2}); err != nil {
			t.Errorf("%s reads: %v", client, err)
		}
	}
	for _, bad := range []sitefile.Face{{Allow: []string{"everybody"}}, {Allow: []string{"10.0.0.0/40"}}, {Listen: "1502"}, {Unit: 300}} {
		if _, err := New(bad, nil); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

// by hand, without a network.
func (f *Face) set(t *testing.T, at uint16, regs ...uint16) {
	t.Helper()
	if _, err := f.HandleHoldingRegisters(&modbus.HoldingRegistersRequest{ClientAddr: "127.0.0.1:9", UnitId: 1, Addr: at, Quantity: uint16(len(regs)), IsWrite: true, Args: regs}); err != nil {
		t.Fatal(err)
	}
}

func TestALimitEndsAndAHeartbeatIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &signaltest.Host{}
		h.Set("", meter())
		f, err := New(sitefile.Face{Node: "hall-1"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.host = h
		wait := func(d time.Duration) {
			for range d / time.Second {
				time.Sleep(time.Second)
				f.due()
			}
		}
		wait(5 * time.Minute)
		if e := h.LastHeard(); !e.At.IsZero() {
			t.Errorf("nobody was there, and somebody was heard: %+v", e)
		}
		f.set(t, regEnable, 1, 0, 5000, 0, 90)
		s := h.Last().Signals[0]
		if s.Node != "hall-1" || s.To.Sub(s.From) != 90*time.Second || s.ID != "limit" {
			t.Errorf("%+v", s)
		}
		wait(60 * time.Second)
		n := len(h.Updates())
		f.set(t, regLimit, 0, 5000)
		if to := time.Until(h.Last().Signals[0].To); to != 90*time.Second || !h.Last().Signals[0].From.Equal(s.From) {
			t.Errorf("said again, it lasts %s more: %+v", to, h.Last())
		}
		f.set(t, regDuration, 0, 0)
		f.set(t, regDuration, 0, 0)
		if got := len(h.Updates()) - n; got != 2 {
			t.Errorf("%d updates for what changed twice", got)
		}
		f.set(t, regDuration, 0, 30)
		wait(31 * time.Second)
		if len(h.Last().Signals) != 0 || f.now.holding()[regEnable] != 0 {
			t.Errorf("after its duration: %+v", h.Last())
		}
		if e := h.LastHeard(); e.Err != nil || time.Since(e.At) > time.Second {
			t.Errorf("one that writes no heartbeat is not missed: %+v", e)
		}
		f.set(t, regHeartbeat, 1)
		wait(59 * time.Second)
		if e := h.LastHeard(); e.Err != nil {
			t.Errorf("early: %+v", e)
		}
		f.set(t, regHeartbeat, 1) // it stands still
		wait(time.Second)
		if e := h.LastHeard(); e.Err == nil || !strings.Contains(e.Err.Error(), "no heartbeat for 1m0s") {
			t.Errorf("late: %+v", e)
		}
		if bits := f.now.input(view{now: h.Now(), lost: f.lost(h.Now())})[inStatus]; bits&bitLost == 0 {
			t.Errorf("status %b", bits)
		}
		f.set(t, regHeartbeat, 2)
		if e := h.LastHeard(); e.Err != nil {
			t.Errorf("back: %+v", e)
		}
	})
}

func TestWhatIsNotKnownIsNotZero(t *testing.T) {
	now := time.Now()
	old := meter()
	old.At = now.Add(-time.Minute)
	blind := meter()
	blind.At, blind.Power, blind.Limit = now, site.Opt[unit.Power]{}, site.Opt[unit.Power]{}
	for name, v := range map[string]view{
		"no reading yet": {now: now, known: true}, "no such node": {now: now, meter: meter()},
		"stale": {now: now, known: true, meter: old}, "a lost meter": {now: now, known: true, meter: blind},
	} {
		r := command{}.input(v)
		if u32(r[inPower:]) != noS32 || r[inStatus]&bitStale == 0 || r[inStatus]&bitComplies != 0 || !math.IsNaN(float64(math.Float32frombits(u32(r[inFloat:])))) {
			t.Errorf("%s: %v", name, r)
		}
		if name != "a lost meter" && (u32(r[inFlexible:]) != noU32 || r[inShed] != noU16) {
			t.Errorf("%s: flexible %d, shed %d", name, u32(r[inFlexible:]), r[inShed])
		}
	}
	exporting := meter()
	exporting.Power = site.Some(-1500 * kw)
	if r := (command{}).input(view{now: now, known: true, meter: exporting}); int32(u32(r[inPower:])) != -1500 {
		t.Errorf("export: %v", r)
	}
}

func TestResume(t *testing.T) {
	f, err := New(sitefile.Face{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &signaltest.Host{}
	f.host = h
	f.Resume([]signal.Signal{{ID: "limit", Kind: signal.Limit, Power: 5 * mw, From: time.Now().Add(-time.Hour), Note: "written by 10.0.0.7"}})
	f.set(t, regHeartbeat, 1)
	if len(h.Updates()) != 0 || f.now.holding()[regEnable] != 1 || f.now.holding()[regLimit+1] != 5000 {
		t.Errorf("%v, %v", h.Updates(), f.now.holding())
	}
	f.set(t, regDuration, 0, 60)
	if s := h.Last().Signals; len(s) != 1 || s[0].Power != 5*mw || s[0].Note != "written by 10.0.0.7" {
		t.Errorf("%+v", s)
	}
}

func TestASilentConnectionDoesNotHoldOthersUp(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("", meter())
	addr := serve(t, sitefile.Face{}, h)
	for range maxClients - 1 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte{0, 1, 0, 0}); err != nil { // the beginning of a frame
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	ask := func() error {
		c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: "tcp://" + addr, Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Open(); err != nil {
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.ReadRegister(inVersion, modbus.INPUT_REGISTER)
		return err
	}
	if err := ask(); err != nil {
		t.Errorf("the last place: %v", err)
	}
	if err := ask(); err == nil {
		t.Error("one more than there are places is served")
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(uint16(0), []byte{0, 1, 0, 1, 0, 0, 19, 136, 0, 0, 0, 60})
	f.Add(uint16(regFloat), []byte{0x7f, 0xc0, 0, 0})
	f.Fuzz(func(t *testing.T, at uint16, raw []byte) {
		var regs []uint16
		for i := 0; i+1 < len(raw) && len(regs) < 123; i += 2 {
			regs = append(regs, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		w, err := decode(at, regs)
		if err != nil {
			return
		}
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		c, _, err := command{}.apply(w, now, "x")
		if err != nil {
			return
		}
		for _, s := range c.signals("") {
			if s.Power < 0 || s.Power > mostKW*kw || !s.To.IsZero() && (!s.To.After(now) || s.To.Sub(now) > mostTime*time.Second) {
				t.Fatalf("%v at %d gave %+v", regs, at, s)
			}
		}
		c.input(view{now: now.Add(time.Hour)})
	})
}
