package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/simonvetter/modbus"

	"switchyard/emulate/broker"
	"switchyard/emulate/vtn"
	"switchyard/sitefile"
	"switchyard/unit"
)

// sender is somebody at the grid's end of a protocol.
type sender struct {
	name string // of the source in the site file
	// limit asks for no more than p at the connection (a little more or less, where the
	// protocol has steps), end takes that back, lose breaks the way to the site.
	limit func(p unit.Power)
	end   func()
	lose  func()
}

// freePort finds a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// byOpenADR sets a VTN up whose events the site polls for.
func byOpenADR(t *testing.T, f *sitefile.File, lost sitefile.LostSignal) func(*rig) sender {
	t.Helper()
	address := freePort(t)
	f.Signals.OpenADR = []sitefile.OpenADR{{Name: "utility", URL: "http://" + address + "/openadr3/3.1.0", Version: "3.1", Poll: 30 * time.Second, Lost: lost}}
	return func(r *rig) sender {
		v := vtn.New(vtn.Config{Clock: r.clk})
		if _, err := v.Program("demo", nil); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		served := v.Serve(l)
		t.Cleanup(func() { _ = served.Close(); _ = v.Close() })
		id := ""
		return sender{name: "utility", limit: func(p unit.Power) {
			var err error
			id, err = v.Push(vtn.Object{
				"intervalPeriod": vtn.Object{"start": r.clk.Now().UTC().Format(time.RFC3339Nano), "duration": "PT6H"},
				"intervals":      []any{vtn.Object{"id": 0, "payloads": []any{vtn.Object{"type": "IMPORT_CAPACITY_LIMIT", "values": []any{p.Watts() / 1e3}}}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}, end: func() {
			if err := v.Withdraw(id); err != nil {
				t.Fatal(err)
			}
		}, lose: func() { _ = served.Close() }}
	}
}

// byMQTT sets a broker up, and somebody who publishes targets there.
func byMQTT(t *testing.T, f *sitefile.File, lost sitefile.LostSignal) func(*rig) sender {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	lose := sync.OnceFunc(func() { _ = b.Close() })
	t.Cleanup(lose)
	f.Signals.MQTT = []sitefile.MQTT{{Name: "aggregator", Broker: "tcp://" + b.Addr(), Topic: "site/target", Status: "site/status", Lost: lost}}
	return func(r *rig) sender {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID("the-aggregator"))
		if done := c.Connect(); done.Wait() && done.Error() != nil {
			t.Fatal(done.Error())
		}
		t.Cleanup(func() { c.Disconnect(0) })
		say := func(target float64) {
			if done := c.Publish("site/target", 1, false, fmt.Sprintf(`{"target": %.3f, "timestamp": %q}`, target, r.clk.Now().UTC().Format(time.RFC3339Nano))); done.Wait() && done.Error() != nil {
				t.Fatal(done.Error())
			}
		}
		return sender{name: "aggregator", limit: func(p unit.Power) {
			var able unit.Power
			for _, g := range r.file.Groups {
				able += unit.Power(len(g.Targets())) * (g.Nameplate - g.Standby)
			}
			say(100 * float64(p-r.file.Tenants[0].Firm) / float64(able))
		}, end: func() { say(100) }, lose: lose}
	}
}

// byModbus has a plant controller write into the site's registers, with a heartbeat.
func byModbus(t *testing.T, f *sitefile.File, lost sitefile.LostSignal) func(*rig) sender {
	t.Helper()
	f.Signals.Modbus = &sitefile.Face{Listen: freePort(t), Unit: 1, Lost: lost}
	return func(r *rig) sender {
		c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: "tcp://" + f.Signals.Modbus.Listen, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		r.await("the Modbus server listens", time.Hour, func() bool { return c.Open() == nil })
		t.Cleanup(func() { _ = c.Close() })
		write := func(at uint16, regs ...uint16) {
			if err := c.WriteRegisters(at, regs); err != nil {
				t.Fatal(err)
			}
		}
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() { // its heartbeat
			defer close(stopped)
			for n := uint16(1); ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					_ = c.WriteRegister(0, n) // one that is lost is followed by the next
				}
			}
		}()
		lose := sync.OnceFunc(func() {
			close(stop)
			<-stopped
		})
		t.Cleanup(lose)
		return sender{name: "modbus", limit: func(p unit.Power) {
			kw := uint32(p / unit.Kilowatt)
			write(1, 1, uint16(kw>>16), uint16(kw))
		}, end: func() { write(1, 0) }, lose: lose}
	}
}

// TestSignalsShedAndTheirEndRestores: by each protocol a limit sheds, `why` names it, its end
// brings mining back, and the loss of the sender leads to the state that was chosen.
func TestSignalsShedAndTheirEndRestores(t *testing.T) {
	for name, c := range map[string]struct {
		by   func(*testing.T, *sitefile.File, sitefile.LostSignal) func(*rig) sender
		then string
	}{
		"OpenADR, lost: limit": {byOpenADR, "limit"},
		"OpenADR, lost: keep":  {byOpenADR, "keep"},
		"MQTT, lost: release":  {byMQTT, "release"},
		"Modbus, lost: keep":   {byModbus, "keep"},
		"Modbus, lost: limit":  {byModbus, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			lost := sitefile.LostSignal{After: 5 * time.Minute, Then: c.then}
			var start func(*rig) sender
			r := newRig(t, func(f *sitefile.File) {
				if c.then == "limit" {
					lost.Limit = f.Tenants[0].Firm.Scale(1.3)
				}
				start = c.by(t, f, lost)
			})
			s := start(r)
			r.settled()
			curtails(r, s)
			loses(r, s, lost)
			r.check()
		})
	}
}

// inState returns the miners that the controller sees in a state.
func (r *rig) inState(state string) map[string]bool {
	r.t.Helper()
	out := map[string]bool{}
	for _, g := range r.file.Groups {
		m, err := r.app.Map(g.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, c := range m.Cells {
			if c.State == state {
				out[c.Device] = true
			}
		}
	}
	return out
}

// curtails has a sender limit the connection and take that back.
func curtails(r *rig, s sender) {
	t := r.t
	before, ran := r.truth("connection"), r.inState("hashing")
	limit := r.file.Tenants[0].Firm.Scale(1.15)
	s.limit(limit)
	defer func() {
		if r.t.Failed() {
			r.t.Logf("signals %+v\nlog %s", r.app.Signals(), r.log)
		}
	}()
	r.await("power below the grid's limit", 4*time.Minute, func() bool { return r.truth("connection") <= limit+unit.Kilowatt })
	r.said(time.Minute, "signal", "signal:"+s.name, "received", "no more than")
	asleep := ""
	r.await("somebody who ran sleeps", 4*time.Minute, func() bool {
		for device := range r.inState("sleeping") {
			if ran[device] {
				asleep = device
			}
		}
		return asleep != ""
	})
	why, err := r.app.Why(context.Background(), asleep, r.clk.Now())
	if err != nil || !strings.Contains(why.Answer, "signal:"+s.name) {
		t.Errorf("why %s: %q, %v", asleep, why.Answer, err)
	}
	t.Logf("why: %s", why.Answer)
	s.end()
	r.await("mining again", 20*time.Minute, func() bool { return r.truth("connection") > limit+(before-limit)/2 })
}

// loses limits the connection anew, loses the sender, and sees what was chosen come about.
func loses(r *rig, s sender, lost sitefile.LostSignal) {
	t := r.t
	limit := r.file.Tenants[0].Firm.Scale(1.5)
	if lost.Then != "limit" {
		limit = r.file.Tenants[0].Firm.Scale(1.15)
	}
	s.limit(limit)
	r.await("power below the grid's limit", 4*time.Minute, func() bool { return r.truth("connection") <= limit+unit.Kilowatt })
	s.lose()
	r.said(20*time.Minute, "lost", "signal:"+s.name, "was not heard of for 5m")
	r.alert(time.Minute, "signal:"+s.name, "is not heard of since")
	switch lost.Then {
	case "keep":
		r.pass(5 * time.Minute)
		if p := r.truth("connection"); p > limit+unit.Kilowatt {
			t.Errorf("%s are drawn, and what was said last is %s", p, limit)
		}
	case "limit":
		r.await("power below the chosen limit", 4*time.Minute, func() bool { return r.truth("connection") <= lost.Limit })
	case "release":
		r.await("mining again", 20*time.Minute, func() bool { return r.truth("connection") > r.file.Tenants[0].Firm.Scale(1.5) })
	}
	var state string
	for _, x := range r.app.Signals().Sources {
		if x.Name == s.name {
			state = x.State
		}
	}
	if state != "lost" {
		t.Errorf("the source is shown as %q", state)
	}
}
