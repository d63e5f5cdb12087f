package cgminer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/cgminer"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	emulated "switchyard/emulate/cgminer"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/site"
)

// unit is the id of an emulated miner that grants writes, or does not.
func unit(t *testing.T, privileged bool) string {
	t.Helper()
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		r := rig.One(t, emulated.Make(), emulated.Serve, "S9", func(c *plant.MinerConfig) { c.ID = id })
		_, err := rpc.Call(limited(t), driver.Target{}.DialContext, net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["rpc"])), rpc.Request{Command: "privileged"})
		if (err == nil) == privileged {
			return id
		}
	}
	t.Fatal("no such unit")
	return ""
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		model      string
		privileged bool
	}{{"S9", true}, {"S9", false}, {"nameless", true}} {
		t.Run(c.model, func(t *testing.T) {
			id := unit(t, c.privileged)
			conform.Run(t, conform.Kit{
				Driver: cgminer.Driver(), NoPassword: true,
				Start: func(t *testing.T) conform.Fake {
					r := rig.One(t, emulated.Make(), emulated.Serve, c.model, func(m *plant.MinerConfig) { m.ID = id })
					return conform.Fake{
						Target: driver.Target{Host: r.Host, Ports: r.Ports},
						Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
					}
				},
				Bare: func(t *testing.T) conform.Fake {
					return conform.Fake{Target: canned(t, map[string]string{
						"version": `{"STATUS":[{"STATUS":"S","Code":22}],"VERSION":[{"CGMiner":"4.10.0"}],"id":1}`,
						"summary": `{"STATUS":[{"STATUS":"S","Code":11}],"SUMMARY":[{"Elapsed":5,"Total MH":3.5,"GHS 5s":""}],"id":1}`,
					})}
				},
			})
		})
	}
}

// canned answers single commands from a table.
func canned(t *testing.T, replies map[string]string) driver.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var r rpc.Request
				if json.NewDecoder(c).Decode(&r) != nil {
					return
				}
				reply, ok := replies[r.Command]
				if !ok {
					reply = `{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}],"id":1}`
				}
				_, _ = io.WriteString(c, reply+"\x00")
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return driver.Target{Device: "d", Host: "127.0.0.1", Ports: map[string]int{"rpc": n}, Now: time.Now}
}

func TestPools(t *testing.T) {
	open := func(privileged bool) driver.Device {
		id := unit(t, privileged)
		r := rig.One(t, emulated.Make(), emulated.Serve, "S9", func(c *plant.MinerConfig) { c.ID = id })
		d, err := cgminer.Driver().Open(driver.Target{Device: "d", Host: r.Host, Ports: r.Ports, Now: r.Now})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a := driver.Action{Act: site.ActPools, Pools: []driver.Pool{{URL: "stratum+tcp://a:1", Worker: `w,1\2`}, {URL: "stratum+tcp://b:2", Worker: "w"}}}
	d := open(true)
	for range 2 {
		if err := d.(driver.Operator).Do(limited(t), a); err != nil {
			t.Fatal(err)
		}
	}
	s, err := d.Read(limited(t))
	want := []site.Pool{{URL: "stratum+tcp://a:1", Worker: `w,1\2`, Active: true}, {URL: "stratum+tcp://b:2", Worker: "w"}}
	if err != nil || !slices.Equal(s.Pools, want) {
		t.Errorf("%+v, %v", s.Pools, err)
	}
	if err := open(false).(driver.Operator).Do(limited(t), a); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("without access: %v", err)
	}
}

// TestProbe: it takes anything that answers as cgminer, and nothing else.
func TestProbe(t *testing.T) {
	ok := `{"STATUS":[{"STATUS":"S","Code":22}],`
	for name, c := range map[string]struct {
		replies map[string]string
		want    error
	}{
		"version":      {map[string]string{"version": ok + `"VERSION":[{"API":"3.1"}]}`}, nil},
		"summary only": {map[string]string{"summary": ok + `"SUMMARY":[{"Elapsed":1}]}`}, nil},
		"neither":      {nil, driver.ErrUnsupported},
		"an empty one": {map[string]string{"version": ok + `"VERSION":[]}`}, driver.ErrUnsupported},
	} {
		id, err := cgminer.Driver().Probe(limited(t), canned(t, c.replies))
		if !errors.Is(err, c.want) || c.want == nil && id.Make == "" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}
