package discover

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/sitefile"
)

// FinderOptions set a Finder up. Registry, Placed, Scan.Detect, Scan.Ports, Apply and File are needed.
type FinderOptions struct {
	Registry *Registry
	// Placed gives where every device is taken to be now, and who of them is lost. It is called
	// from the Finder's goroutine and must not block for long.
	Placed func() []Placed
	// Search is where lost devices are looked for, in that order; see SearchList.
	Search []netip.Addr
	// Scan says how an address is asked who is there. Its Rate is addresses per second,
	// by default 5: a search is slow, so that nobody notices it.
	Scan Options
	// Others are asked, in this order, at addresses where the ports of Scan gave nobody: devices
	// of some groups may be spoken to on ports of their own.
	Others []PortSet
	// Listen hears the makers' broadcasts; nil: it does not listen.
	Listen *Listener
	// Apply takes moves, all together: after it no two devices have one address. Where it
	// returns an error nothing was moved, and the devices are looked for again later.
	Apply func([]Moved) error
	// File gives what the site file says of where a device is.
	File func(site.DeviceID) netip.Addr
	// Stranger is told of each stranger once, until it is another one; nil: nobody is.
	Stranger func(Stranger)
	// Warn is told what went wrong; nil: nobody is.
	Warn func(error)
	// Every is the pause before a search is repeated, machine time; it doubles with each search
	// that found nobody, up to an hour. Default 1 min.
	Every time.Duration
}

// PortSet is what stands for Options.Ports and Options.Replace in one look at an address.
type PortSet struct {
	Ports   []int
	Replace map[string]int
}

// Finder finds devices again whose address changed.
type Finder struct {
	o       FinderOptions
	kick    chan struct{}
	reports chan Report
	told    map[netip.Addr]site.Identity // strangers
	asked   map[netip.Addr]time.Time     // after reports
}

// The bounds of a Finder.
const (
	searchRate = 5 // addresses per second
	chunk      = 32
	longest    = time.Hour
	askAgain   = 10 * time.Second // between two reports from one address that are looked into
	maxTold    = 10_000
)

// NewFinder makes a Finder; it does nothing until Run.
func NewFinder(o FinderOptions) *Finder {
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.Scan.Rate <= 0 {
		o.Scan.Rate = searchRate
	}
	o.Scan.Parallel, o.Scan.Asking, o.Scan.Progress = 8, 2, nil
	return &Finder{
		o: o, kick: make(chan struct{}, 1), reports: make(chan Report, 64), told: map[netip.Addr]site.Identity{}, asked: map[netip.Addr]time.Time{},
	}
}

// Kick says that a device was lost, or that another answers at its address: a search begins
// soon. It does not block and may be called from anywhere.
func (f *Finder) Kick() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Run listens and searches until ctx ends. It blocks.
func (f *Finder) Run(ctx context.Context) error {
	if f.o.Listen != nil {
		heard := make(chan error, 1)
		go func() {
			heard <- f.o.Listen.Run(ctx, func(r Report) {
				select {
				case f.reports <- r:
				default: // a flood: the search finds them all the same
				}
			})
		}()
		defer func() { f.warn(<-heard) }()
	}
	pause := f.o.Every
	timer := time.NewTimer(pause)
	defer timer.Stop()
	var lost []site.DeviceID
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-f.reports:
			f.report(ctx, r)
			continue
		case <-f.kick:
			pause = f.o.Every
		case <-timer.C:
		}
		now := f.lost()
		if slices.ContainsFunc(now, func(id site.DeviceID) bool { return !slices.Contains(lost, id) }) {
			pause = f.o.Every
		}
		lost = now
		if len(lost) > 0 && f.search(ctx) == 0 {
			pause = min(2*pause, longest)
		} else {
			pause = f.o.Every
		}
		timer.Reset(pause)
	}
}

func (f *Finder) warn(err error) {
	if err != nil && f.o.Warn != nil {
		f.o.Warn(err)
	}
}

// lost returns the devices that are to be looked for: those whose marks are known.
func (f *Finder) lost() []site.DeviceID {
	var out []site.DeviceID
	for _, p := range f.o.Placed() {
		if k, ok := f.o.Registry.Get(p.Device); p.Lost && ok && (k.MAC != "" || k.Serial != "") {
			out = append(out, p.Device)
		}
	}
	return out
}

// report looks into a device's "I am here".
func (f *Finder) report(ctx context.Context, r Report) {
	addr := r.Said
	owner := f.o.Registry.Owner(site.Identity{MAC: r.MAC})
	for _, p := range f.o.Placed() {
		if p.Device == owner && p.Address.Unmap() == addr && !p.Lost {
			return // it is where it is taken to be
		}
	}
	if time.Since(f.asked[addr]) < askAgain {
		return
	}
	if len(f.asked) > maxTold {
		clear(f.asked)
	}
	f.asked[addr] = time.Now()
	// Anybody can send a datagram: who is there, the device itself must say. A swap shows only
	// when the address that it had is asked as well.
	ask := []netip.Addr{addr}
	for _, p := range f.o.Placed() {
		if p.Device == owner && p.Address.IsValid() && p.Address.Unmap() != addr {
			ask = append(ask, p.Address.Unmap())
		}
	}
	f.settle(f.ask(ctx, ask))
}

// search looks for the lost devices: first at each other's addresses, then at all others
// where no device of the site is well. It returns how many devices moved.
func (f *Finder) search(ctx context.Context) int {
	var first []netip.Addr
	taken := map[netip.Addr]bool{}
	for _, p := range f.o.Placed() {
		switch a := p.Address.Unmap(); {
		case !a.IsValid() || taken[a]:
		case p.Lost:
			first = append(first, a)
			fallthrough
		default:
			taken[a] = true
		}
	}
	rest := first
	for _, a := range f.o.Search {
		if a = a.Unmap(); !taken[a] {
			taken[a] = true
			rest = append(rest, a)
		}
	}
	found := 0
	for part := range slices.Chunk(rest, chunk) {
		if ctx.Err() != nil || len(f.lost()) == 0 {
			break
		}
		f.hear(ctx)
		found += f.settle(f.ask(ctx, part))
	}
	return found
}

// hear looks into reports that came while a search is under way.
func (f *Finder) hear(ctx context.Context) {
	for {
		select {
		case r := <-f.reports:
			f.report(ctx, r)
		default:
			return
		}
	}
}

func (f *Finder) ask(ctx context.Context, addrs []netip.Addr) []Sighting {
	var out []Sighting
	o := f.o.Scan
	for i := 0; ; i++ {
		list, _, err := Scan(ctx, addrs, o)
		if err != nil {
			return nil // the end is near
		}
		told := map[netip.Addr]bool{}
		for _, d := range list {
			if d.Err == nil {
				out = append(out, Sighting{Address: d.Address, Driver: d.Driver, Identity: d.Identity, At: time.Now()})
				told[d.Address] = true
			}
		}
		if i == len(f.o.Others) {
			return out
		}
		o.Ports, o.Replace = f.o.Others[i].Ports, f.o.Others[i].Replace
		addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return told[a] })
	}
}

// settle draws the conclusions and returns how many devices were found at another address.
func (f *Finder) settle(seen []Sighting) int {
	if len(seen) == 0 {
		return 0
	}
	moved, strangers := Resolve(f.o.Placed(), f.o.Registry.Owner, seen)
	found := 0
	if len(moved) > 0 {
		if err := f.o.Apply(moved); err != nil {
			f.warn(fmt.Errorf("move %d devices: %w", len(moved), err))
		} else {
			f.o.Registry.Place(moved, f.o.File)
			for _, m := range moved {
				if m.To.IsValid() {
					found++
				}
			}
		}
	}
	for _, s := range strangers {
		if was, ok := f.told[s.Address]; f.o.Stranger == nil || ok && was == s.Identity {
			continue
		}
		if len(f.told) > maxTold {
			clear(f.told)
		}
		f.told[s.Address] = s.Identity
		f.o.Stranger(s)
	}
	return found
}

// SearchList returns the addresses of groups and of networks, each once, the groups' first:
// where lost devices are looked for. Entries that are no addresses are left out; the site
// file's checks have named them.
func SearchList(groups []sitefile.Group, networks []string) []netip.Addr {
	seen := map[netip.Addr]bool{}
	var out []netip.Addr
	add := func(entry string) {
		list, err := sitefile.Hosts(entry)
		if err != nil {
			return
		}
		for _, a := range list {
			if a = a.Unmap(); !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
	}
	for _, g := range groups {
		for _, entry := range g.Addresses {
			add(entry)
		}
	}
	for _, entry := range networks {
		add(entry)
	}
	return out
}
