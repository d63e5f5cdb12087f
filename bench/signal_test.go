package bench

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/simonvetter/modbus"

	"switchyard/emulate/broker"
	"switchyard/emulate/vtn"
	"switchyard/sitefile"
)

// sendByOpenADR sets up a VTN that calls the site's webhook; polls are an hour apart, so that
// what comes sooner comes by it.
func sendByOpenADR(b *testing.B, f *sitefile.File) (send func()) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	v := vtn.New(vtn.Config{})
	if _, err := v.Program("demo", nil); err != nil {
		b.Fatal(err)
	}
	served := v.Serve(l)
	b.Cleanup(func() { _ = served.Close(); _ = v.Close() })
	hook := freeAddress(b)
	b.Setenv("SWITCHYARD_BENCH_HOOK", "a token of the benchmark's own, 32 bytes and more")
	f.Signals.OpenADR = []sitefile.OpenADR{{
		Name: "utility", URL: "http://" + l.Addr().String() + "/openadr3/3.1.0", Version: "3.1", Poll: time.Hour,
		Webhook: "http://" + hook + "/hook", WebhookListen: hook, WebhookToken: "env:SWITCHYARD_BENCH_HOOK",
		Lost: sitefile.LostSignal{After: 5 * time.Hour, Then: "keep"},
	}}
	return func() {
		if v.Calls("POST /subscriptions") == 0 {
			b.Fatal("the site has not asked to be called")
		}
		_, err := v.Push(vtn.Object{
			"intervalPeriod": vtn.Object{"start": time.Now().UTC().Format(time.RFC3339Nano), "duration": "PT1H"},
			"intervals":      []any{vtn.Object{"id": 0, "payloads": []any{vtn.Object{"type": "IMPORT_CAPACITY_LIMIT", "values": []any{0}}}}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// sendByMQTT sets up a broker and somebody who publishes a target there.
func sendByMQTT(b *testing.B, f *sitefile.File) (send func()) {
	b.Helper()
	s, err := broker.Start("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	f.Signals.MQTT = []sitefile.MQTT{{Name: "aggregator", Broker: "tcp://" + s.Addr(), Topic: "site/target", Lost: sitefile.LostSignal{After: time.Hour, Then: "keep"}}}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.Addr()).SetClientID("aggregator"))
	if done := c.Connect(); done.Wait() && done.Error() != nil {
		b.Fatal(done.Error())
	}
	b.Cleanup(func() { c.Disconnect(0) })
	return func() {
		c.Publish("site/target", 1, false, fmt.Sprintf(`{"target": 0, "timestamp": %q}`, time.Now().UTC().Format(time.RFC3339Nano)))
	}
}

// sendByModbus has a plant controller connected to the site's registers.
func sendByModbus(b *testing.B, f *sitefile.File) (send func()) {
	b.Helper()
	f.Signals.Modbus = &sitefile.Face{Listen: freeAddress(b), Unit: 1, Lost: sitefile.LostSignal{After: time.Hour, Then: "keep"}}
	return func() {
		c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: "tcp://" + f.Signals.Modbus.Listen, Timeout: 5 * time.Second})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Open(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if err := c.WriteRegisters(1, []uint16{1, 0, 0}); err != nil {
			b.Fatal(err)
		}
	}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// BenchmarkSignal2000 measures from a limit of zero that somebody at the grid's end sends, by
// each protocol, to the last command written to a miner's socket and to the last answer. It is
// BenchmarkShed2000 with the way of the limit before it. Figures are medians of the rounds.
func BenchmarkSignal2000(b *testing.B) {
	for _, p := range []struct {
		name string
		open func(*testing.B, *sitefile.File) func()
	}{{"OpenADR", sendByOpenADR}, {"MQTT", sendByMQTT}, {"Modbus", sendByModbus}} {
		b.Run(p.name, func(b *testing.B) {
			all := writeSite(b, miners)
			d := startDevices(b, all, miners)
			for b.Loop() {
				var ours []shed
				for range rounds {
					f := *all.site
					ours = append(ours, shedBySignal(b, &f, p.open(b, &f)))
					d.mustSleep(miners)
					d.renew()
				}
				reportOurs(b, ours)
				reportWorst(b, ours)
			}
		})
	}
}

// reportWorst reports the slowest round: what must be under a second is not a median.
func reportWorst(b *testing.B, ours []shed) {
	worst := slices.MaxFunc(ours, func(x, y shed) int { return int(last(x.written) - last(y.written)) })
	b.ReportMetric(float64(last(worst.written).Microseconds())/1e3, "worst_written_ms")
}

// shedBySignal runs a controller until it has read all miners, and sends the limit.
func shedBySignal(b *testing.B, f *sitefile.File, send func()) shed {
	b.Helper()
	w := newStopwatch()
	c := startController(b, f, w)
	defer c.stop()
	c.awake(miners)
	time.Sleep(2 * time.Second) // the start's burst of work is over
	before := cpu()
	w.arm()
	send()
	for end := time.Now().Add(patience); w.answered(nil) < miners; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "%+v\n", c.app.Signals())
			b.Fatalf("%d of %d miners answered within %v", w.answered(nil), miners, patience)
		}
	}
	s := shed{cpu: cpu() - before}
	s.written, s.answered = w.times(nil)
	return s
}
