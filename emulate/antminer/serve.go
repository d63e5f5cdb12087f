package antminer

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
)

// The limits of the small servers: connections of the RPC port and of the web server.
const maxConns = 32

// web is lighttpd as the firmware sets it up.
var web = face.Web{Idle: 5 * time.Second, Requests: 16}

// Serve answers as the miner's firmware on the listeners "http" and "rpc"; either may be
// missing. It does not block. Close ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	for name := range listeners {
		if name != "http" && name != "rpc" {
			return nil, fmt.Errorf("serve antminer: no port is called %q; there are http and rpc", name)
		}
	}
	d := newDevice(m)
	var all face.Closers
	if l := listeners["http"]; l != nil {
		all = append(all, web.HTTP(l, d))
	}
	if l := listeners["rpc"]; l != nil {
		all = append(all, face.TCP(l, maxConns, d.rpc))
	}
	return all, nil
}

// ending is what follows an RPC reply.
type ending string

// device is one miner's firmware.
type device struct {
	m    *plant.Miner
	seed uint64

	// Habits of the firmware, fixed for the device.
	modern     bool   // answers new_api, and then tells power while its sensor works
	missComma  bool   // "}{" between the two objects of stats
	rateString bool   // "GHS 5s" as a string
	modeNumber bool   // modes of the configuration as numbers
	abrupt     bool   // a reboot comes before its answer
	end        ending // of RPC replies

	mu       sync.Mutex
	conf     conf      // what pages show until reloadAt
	next     conf      // what was stored last
	reloadAt time.Time // device time; zero: nothing is pending
}

func newDevice(m *plant.Miner) *device {
	v := m.View()
	seed := fault.Hash(0x616e74, v.ID)
	d := &device{
		m: m, seed: seed, modern: v.Model.ReportsPower,
		modeNumber: seed>>8&1 == 1, abrupt: seed>>26&1 == 1,
		end: [...]ending{"\x00", "", "\n"}[seed>>16%3],
	}
	if !d.modern {
		d.missComma = seed>>24&1 == 1
		d.rateString = seed>>25&1 == 1
	}
	d.conf = factoryConf(v)
	return d
}

// view is what the firmware knows of itself, with the pools that it was set to.
func (d *device) view() (plant.View, conf) {
	v, c := d.m.View(), d.current()
	active := v.State == plant.Hashing
	v.Pools = v.Pools[:0]
	for _, p := range c.pools {
		v.Pools = append(v.Pools, plant.PoolView{URL: p.URL, Worker: p.User, Active: active && p.URL != ""})
		active = active && p.URL == "" // the first that is set
	}
	return v, c
}

// model is the name that the firmware tells, such as "Antminer S19 Pro".
func model(v plant.View) string {
	if strings.HasPrefix(v.Model.Name, v.Model.Make) {
		return v.Model.Name
	}
	return v.Model.Make + " " + v.Model.Name
}
