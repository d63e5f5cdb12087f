// Package places owns where devices are: the register of who they are, finding a moved one
// again, the rack map, and who else answers at a device's address.
//
// It never commands a device, and what it knows as a stranger is not commanded by anybody.
//
// Concurrency: a Places is safe for concurrent use. Run blocks until its context ends.
package places

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/app/plant"
	"switchyard/care"
	"switchyard/discover"
	"switchyard/driver"
	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
)

// lostAfter is how many polls in a row without an answer make a device lost.
const lostAfter = 3

// Options are what a Places is made from.
type Options struct {
	Plant *plant.Plant
	DB    *store.DB
	Hub   *telemetry.Hub
	// Retarget has a device asked at another host from now on.
	Retarget func(site.DeviceID, string) bool
	// Tell is told, in a sentence, of what a person should know: moves and strangers.
	Tell func(id site.DeviceID, text string)
	Log  *slog.Logger
}

// Places knows where devices are.
type Places struct {
	opt    Options
	reg    *discover.Registry
	racks  *discover.Racks
	finder atomic.Pointer[discover.Finder] // nil while nothing is looked for
	spots  []spot                          // per miner
}

// spot is where one miner is.
type spot struct {
	file     netip.Addr
	now      atomic.Pointer[netip.Addr]
	stranger atomic.Pointer[stranger] // who else answers there; nil: nobody
	login    discover.Login
	driver   string
}

// stranger is another machine at a device's address, as it last said who it is.
type stranger struct {
	site.Identity
	at netip.Addr
}

func (s *stranger) String() string { return name(s.Identity) }

// errNowhere keeps a device from being spoken to whose address is another's.
var errNowhere = fmt.Errorf("another device has its address, and it has not been found elsewhere yet: %w", driver.ErrUnreachable)

// Open reads the register and the rack map and brings the targets of the plant's miners up to
// where they were last. It blocks on the disk.
func Open(ctx context.Context, o Options) (*Places, error) {
	p := &Places{opt: o, spots: make([]spot, len(o.Plant.Miners))}
	var err error
	if p.reg, err = discover.OpenRegistry(ctx, o.DB); err != nil {
		return nil, err
	}
	p.reg.Keep(func(id site.DeviceID) bool { _, ok := o.Plant.Index(id); return ok })
	if path := o.Plant.File.Racks; path != "" {
		if p.racks, err = readRacks(o.Plant.File.Path(path)); err != nil {
			return nil, err
		}
	}
	for i := range o.Plant.Specs {
		t := &o.Plant.Specs[i].Target
		if j, ok := o.Plant.Index(t.Device); ok {
			p.place(j, t, o.Plant.Specs[i].Driver.Name)
		}
	}
	return p, nil
}

func readRacks(path string) (*discover.Racks, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read rack map: %w", err)
	}
	defer in.Close()
	return discover.ReadRacks(path, in)
}

// place sets where the j-th miner is asked.
func (p *Places) place(j int, t *driver.Target, drv string) {
	s := &p.spots[j]
	s.driver, s.login = drv, discover.Login{User: t.User, Password: t.Password}
	file, err := netip.ParseAddr(t.Host)
	if err != nil { // a name: whoever answers to it is the device
		return
	}
	s.file = file
	now := file
	if !p.opt.Plant.File.Discovery.Off {
		now = p.reg.Where(t.Device, file)
		t.Dial = s.dial(t.Dial)
	}
	s.now.Store(&now)
	if now.IsValid() {
		t.Host = now.String()
	}
}

// dial keeps a device without an address from being spoken to.
func (s *spot) dial(next func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if now := s.now.Load(); now != nil && !now.IsValid() {
			return nil, errNowhere
		}
		if next != nil {
			return next(ctx, network, address)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// Saw takes a reading and says whether it is the device's own: another machine may stand at
// its address by now. It does not block on the disk.
func (p *Places) Saw(s site.Sample) error {
	j, ok := p.opt.Plant.Index(s.Device)
	if !ok || p.opt.Plant.File.Discovery.Off {
		return nil
	}
	spot := &p.spots[j]
	now := spot.now.Load()
	if now == nil {
		return nil
	}
	old := spot.stranger.Load()
	if old != nil && old.at == *now && s.Identity.MAC == "" && s.Identity.Serial == "" {
		return fmt.Errorf("%s answers at its address %s: %w", old, now, driver.ErrUnreachable) // until it says otherwise
	}
	if p.reg.Saw(s.Device, *now, s.Identity, time.Now()) != discover.Other {
		spot.stranger.Store(nil)
		return nil
	}
	who := name(s.Identity)
	if old := spot.stranger.Swap(&stranger{cloned(s.Identity), *now}); old == nil || old.String() != who {
		p.opt.Tell(s.Device, "another device answers at "+now.String()+": "+who+"; it is not commanded, and "+string(s.Device)+" is looked for")
		if f := p.finder.Load(); f != nil {
			f.Kick()
		}
	}
	return fmt.Errorf("%s answers at its address %s: %w", who, now, driver.ErrUnreachable)
}

func name(id site.Identity) string {
	who := id.Make + " " + id.Model
	switch {
	case id.MAC != "":
		who += ", MAC " + id.MAC
	case id.Serial != "":
		who += ", serial number " + id.Serial
	}
	return who
}

// Mine returns an error where another device answers at the device's address: it must not be
// told anything.
func (p *Places) Mine(id site.DeviceID) error {
	j, ok := p.opt.Plant.Index(id)
	if !ok {
		return nil
	}
	if who := p.spots[j].stranger.Load(); who != nil {
		return fmt.Errorf("%s answers at the address of %s: %w", who, id, driver.ErrUnreachable)
	}
	return nil
}

// Place returns where a device is and who it is known to be.
func (p *Places) Place(id site.DeviceID) care.Place {
	j, ok := p.opt.Plant.Index(id)
	if !ok {
		return care.Place{}
	}
	s := &p.spots[j]
	var out care.Place
	k, known := p.reg.Get(id)
	if known {
		out.Known = site.Identity{Make: k.Make, Model: k.Model, MAC: k.MAC, Serial: k.Serial}
	}
	if now := s.now.Load(); now != nil {
		if *now != s.file && now.IsValid() {
			out.Address = now.String()
		}
		if r, ok := p.racks.Find(id, *now, out.Known); ok {
			out.Rack, out.Position = r.Rack, r.Position
			for i, c := range r.Cords() {
				if i > 0 {
					out.Outlet += " + "
				}
				out.Outlet += c.String()
			}
		}
	}
	if who := s.stranger.Load(); who != nil {
		out.Stranger = who.String()
	}
	return out
}

// Outlets returns what the rack map says a device is plugged into; nil where it does not.
func (p *Places) Outlets(id site.DeviceID) []discover.Cord {
	j, ok := p.opt.Plant.Index(id)
	if !ok || p.racks == nil {
		return nil
	}
	var addr netip.Addr
	if now := p.spots[j].now.Load(); now != nil {
		addr = *now
	}
	k, _ := p.reg.Get(id)
	r, _ := p.racks.Find(id, addr, site.Identity{MAC: k.MAC, Serial: k.Serial})
	return r.Cords()
}

// placed lists where every miner is taken to be.
func (p *Places) placed() []discover.Placed {
	snap := p.opt.Hub.Snapshot()
	out := make([]discover.Placed, 0, len(p.spots))
	for j := range p.spots {
		s := &p.spots[j]
		now := s.now.Load()
		if now == nil {
			continue
		}
		id := p.opt.Plant.Miners[j].ID
		r, _ := snap.Get(id)
		out = append(out, discover.Placed{Device: id, Address: *now, Lost: !now.IsValid() || r.Failures >= lostAfter || s.stranger.Load() != nil})
	}
	return out
}

// apply has moved devices asked where they are now.
func (p *Places) apply(moves []discover.Moved) error {
	for _, m := range moves {
		j, ok := p.opt.Plant.Index(m.Device)
		if !ok {
			continue
		}
		s, to := &p.spots[j], m.To
		s.stranger.Store(nil)
		s.now.Store(&to)
		if !to.IsValid() {
			p.opt.Tell(m.Device, "another device has its address "+m.From.String()+", and it has not been found elsewhere yet")
			continue
		}
		p.opt.Retarget(m.Device, to.String())
		p.opt.Tell(m.Device, "found again at "+to.String()+", before at "+m.From.String())
	}
	return nil
}

// Run finds moved devices and keeps the register until ctx ends. It blocks.
func (p *Places) Run(ctx context.Context) {
	var wg sync.WaitGroup
	if !p.opt.Plant.File.Discovery.Off {
		wg.Go(func() {
			if err := p.find(ctx); err != nil {
				p.opt.Log.Warn("moved devices are not looked for", "reason", err)
			}
		})
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		if err := p.reg.Flush(flush); err != nil {
			p.opt.Log.Warn("the register of devices is not on disk", "reason", err)
		}
		cancel()
	}
	wg.Wait()
}
