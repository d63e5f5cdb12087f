package discover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
)

func ip(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(last / 250), byte(1 + last%250)})
}

// marks is the identity of machine n.
func marks(n int) site.Identity {
	return site.Identity{Make: "F", Model: "f", Firmware: "1", Serial: fmt.Sprintf("SER%04d", n), MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", n/256, n%256)}
}

var began = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func registry(t *testing.T, devices int) *Registry {
	t.Helper()
	r, err := OpenRegistry(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range devices {
		if v := r.Saw(dev(i), ip(i), marks(i), began.Add(-time.Hour)); v != Same {
			t.Fatalf("machine %d is %s", i, v)
		}
	}
	return r
}

func dev(i int) site.DeviceID { return site.DeviceID(fmt.Sprintf("s21-%03d", i)) }

func TestMAC(t *testing.T) {
	for text, want := range map[string]string{
		"0a:bb:cc:00:11:22": "0A:BB:CC:00:11:22", "0A-BB-CC-00-11-22": "0A:BB:CC:00:11:22", "0abb.cc00.1122": "0A:BB:CC:00:11:22", " 0abbcc001122\n": "0A:BB:CC:00:11:22",
		"": "", "00:00:00:00:00:00": "", "ff:ff:ff:ff:ff:ff": "", "01:00:5e:00:00:01": "", "0a:bb:cc:00:11": "", "0a:bb:cc:00:11:2g": "",
	} {
		if got, ok := MAC(text); got != want || ok != (want != "") {
			t.Errorf("MAC(%q) = %q, %v", text, got, ok)
		}
	}
	for text, want := range map[string]string{" SMTT1 ": "SMTT1", "0000000000": "", "None": "", "abc": "", "x\x00yz": ""} {
		if got := Serial(text); got != want {
			t.Errorf("Serial(%q) = %q", text, got)
		}
	}
}

// Who answers is the device, or another; parts may change one by one; what several have in
// common says nothing.
func TestRegistrySaw(t *testing.T) {
	r := registry(t, 3)
	say := func(what string, want Verdict, device site.DeviceID, id site.Identity) {
		t.Helper()
		if got := r.Saw(device, ip(9), id, began); got != want {
			t.Errorf("%s: %s", what, got)
		}
	}
	say("itself", Same, dev(0), marks(0))
	say("nothing told", Same, dev(0), site.Identity{Model: "x"})
	say("the MAC alone", Same, dev(0), site.Identity{MAC: marks(0).MAC})
	say("another's", Other, dev(0), marks(1))
	say("an unknown machine", Other, dev(0), marks(77))
	say("a new control board", Same, dev(0), site.Identity{MAC: marks(50).MAC, Serial: marks(0).Serial})
	say("which it now has", Same, dev(0), site.Identity{MAC: marks(50).MAC})
	say("no longer its own", Other, dev(0), site.Identity{MAC: marks(0).MAC})
	say("a new device with a known machine", Other, "new", marks(2))
	say("a new device with a new machine", Same, "new", marks(60))
	// Cloned firmware: two that answer within the same minutes have one MAC.
	clone := site.Identity{MAC: "02:11:11:11:11:11"}
	say("the first clone", Same, "c1", clone)
	say("the second clone", Same, "c2", clone)
	say("the first, told apart by nothing", Same, "c1", clone)
	if o := r.Owner(clone); o != "" {
		t.Errorf("a clone's MAC is %s's", o)
	}
	if o := r.Owner(marks(1)); o != dev(1) {
		t.Errorf("machine 1 is %q", o)
	}
	if o := r.Owner(site.Identity{Serial: marks(1).Serial}); o != dev(1) {
		t.Errorf("its serial number is %q's", o)
	}
	if o := r.Owner(site.Identity{MAC: marks(99).MAC, Serial: marks(1).Serial}); o != "" {
		t.Errorf("with another MAC it is %q", o)
	}
	r.Adopt(dev(1), ip(1), marks(80), began)
	say("the machine put in its place", Same, dev(1), marks(80))
	say("the old one", Other, dev(1), marks(1))
	r.Forget(dev(1))
	say("after it was forgotten", Same, dev(1), marks(1))
}

// A machine that was adopted where its predecessor had been found again stays there.
func TestAdoptKeepsThePlace(t *testing.T) {
	r, err := OpenRegistry(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Saw(dev(1), ip(1), marks(1), began)
	r.Place([]Moved{{Device: dev(1), From: ip(1), To: ip(40)}}, func(site.DeviceID) netip.Addr { return ip(1) })
	r.Adopt(dev(1), ip(40), marks(80), began)
	if at := r.Where(dev(1), ip(1)); at != ip(40) {
		t.Errorf("it is at %s", at)
	}
	r.Adopt(dev(1), ip(1), marks(81), began)
	if at := r.Where(dev(1), ip(1)); at != ip(1) {
		t.Errorf("adopted where the file has it, it is at %s", at)
	}
}

// The machine of a device that was taken out of the site file, or renamed in it, is nobody's.
func TestKeep(t *testing.T) {
	r, err := OpenRegistry(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r.Saw(dev(i), ip(i), marks(i), began)
	}
	if v := r.Saw("new", ip(1), marks(1), began.Add(time.Hour)); v != Other {
		t.Fatalf("while the old name is in the file: %v", v)
	}
	r.Keep(func(id site.DeviceID) bool { return id != dev(1) })
	if v := r.Saw("new", ip(1), marks(1), began.Add(time.Hour)); v != Same {
		t.Errorf("under its new name: %v", v)
	}
	if v := r.Saw(dev(0), ip(0), marks(7), began.Add(time.Hour)); v != Other {
		t.Errorf("another in place of one that was kept: %v", v)
	}
}

func TestRegistryIsOnDisk(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	open := func() *Registry {
		r, err := OpenRegistry(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	file := func(d site.DeviceID) netip.Addr {
		return map[site.DeviceID]netip.Addr{dev(0): ip(0), dev(1): ip(1), dev(2): ip(2)}[d]
	}
	for i := range 3 {
		r.Saw(dev(i), ip(i), marks(i), began)
	}
	r.Place([]Moved{{Device: dev(0), From: ip(0), To: ip(100)}, {Device: dev(1), From: ip(1)}}, file)
	r.Forget(dev(2))
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = open()
	if k, ok := r.Get(dev(0)); !ok || k.MAC != "02:00:00:00:00:00" || k.Serial != "SER0000" || k.Address != ip(100) || !k.Seen.Equal(began) {
		t.Errorf("%+v", k)
	}
	if _, ok := r.Get(dev(2)); ok {
		t.Error("it was forgotten")
	}
	for _, c := range []struct {
		device     site.DeviceID
		file, want netip.Addr
	}{{dev(0), ip(0), ip(100)}, {dev(0), ip(5), ip(5)}, {dev(1), ip(1), netip.Addr{}}, {dev(2), ip(2), ip(2)}, {"unknown", ip(3), ip(3)}} {
		if got := r.Where(c.device, c.file); got != c.want {
			t.Errorf("%s that the file has at %s is at %s, want %s", c.device, c.file, got, c.want)
		}
	}
	r.Place([]Moved{{Device: dev(0), From: ip(100), To: ip(0)}}, file)
	if got := r.Where(dev(0), ip(0)); got != ip(0) {
		t.Errorf("back home it is at %s", got)
	}
}

func TestResolve(t *testing.T) {
	r := registry(t, 4)
	at := func(where ...int) []Placed {
		var out []Placed
		for i, w := range where {
			p := Placed{Device: dev(i)}
			if w >= 0 {
				p.Address = ip(w)
			}
			out = append(out, p)
		}
		return out
	}
	saw := func(addr, machine int) Sighting {
		return Sighting{Address: ip(addr), Identity: marks(machine), At: began}
	}
	moved := func(device, from, to int) Moved {
		m := Moved{Device: dev(device), At: began}
		if from >= 0 {
			m.From = ip(from)
		}
		if to >= 0 {
			m.To, m.Identity = ip(to), marks(device)
		}
		return m
	}
	for name, c := range map[string]struct {
		placed    []Placed
		seen      []Sighting
		moved     []Moved
		strangers []Stranger
	}{
		"nothing new":           {at(0, 1), []Sighting{saw(0, 0), saw(1, 1)}, nil, nil},
		"to a free address":     {at(0, 1), []Sighting{saw(7, 0)}, []Moved{moved(0, 0, 7)}, nil},
		"swapped":               {at(0, 1), []Sighting{saw(0, 1), saw(1, 0)}, []Moved{moved(0, 0, 1), moved(1, 1, 0)}, nil},
		"round three":           {at(0, 1, 2), []Sighting{saw(0, 1), saw(1, 2), saw(2, 0)}, []Moved{moved(0, 0, 2), moved(1, 1, 0), moved(2, 2, 1)}, nil},
		"onto another's":        {at(0, 1), []Sighting{saw(1, 0)}, []Moved{moved(0, 0, 1), moved(1, 1, -1)}, nil},
		"found after that":      {at(1, -1), []Sighting{saw(0, 1)}, []Moved{moved(1, -1, 0)}, nil},
		"a stranger":            {at(0, 1), []Sighting{saw(0, 50)}, nil, []Stranger{{ip(0), dev(0), "", marks(50), began}}},
		"a stranger and a move": {at(0, 1), []Sighting{saw(0, 50), saw(9, 0)}, []Moved{moved(0, 0, 9)}, []Stranger{{ip(0), dev(0), "", marks(50), began}}},
		"nobody's address":      {at(0), []Sighting{saw(9, 50)}, nil, []Stranger{{ip(9), "", "", marks(50), began}}},
		"no marks":              {at(0), []Sighting{{Address: ip(0), Identity: site.Identity{Model: "f"}, At: began}}, nil, nil},
		"at two addresses":      {at(0), []Sighting{saw(0, 0), saw(9, 0)}, nil, nil},
		"at two new addresses":  {at(0), []Sighting{saw(8, 0), {Address: ip(9), Identity: marks(0), At: began.Add(-time.Second)}}, []Moved{moved(0, 0, 8)}, nil},
		"an old sighting":       {at(0, 1), []Sighting{{Address: ip(1), Identity: marks(0), At: began.Add(-time.Second)}, saw(1, 1)}, nil, nil},
		"one address by ports":  {at(0, 0, 2), []Sighting{saw(0, 1), saw(2, 0), saw(9, 1)}, nil, nil},
	} {
		m, s := Resolve(c.placed, r.Owner, c.seen)
		if diff := cmp.Diff(c.moved, m, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: moved (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.strangers, s, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: strangers (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever is seen: after the moves no two devices have one address, each is where it was
// seen, and the same sightings then say nothing new.
func TestResolveNeverPutsTwoInOnePlace(t *testing.T) {
	r := registry(t, 8)
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "addresses")
		placed := make([]Placed, 8)
		for i := range placed {
			placed[i] = Placed{Device: dev(i), Address: ip(free[i])}
			if rapid.Float64().Draw(t, "nowhere") < 0.1 {
				placed[i].Address = netip.Addr{}
			}
		}
		var seen []Sighting
		for range rapid.IntRange(0, 12).Draw(t, "sightings") {
			seen = append(seen, Sighting{
				Address: ip(rapid.IntRange(0, 11).Draw(t, "at")), Identity: marks(rapid.IntRange(0, 9).Draw(t, "who")),
				At: began.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "when")) * time.Second),
			})
		}
		moved, _ := Resolve(placed, r.Owner, seen)
		apply(t, placed, moved)
		again, _ := Resolve(placed, r.Owner, seen)
		if len(again) > 0 {
			t.Errorf("then they move again: %+v", again)
		}
		for _, m := range moved {
			if m.To.IsValid() && !slices.ContainsFunc(seen, func(s Sighting) bool { return s.Address == m.To && r.Owner(s.Identity) == m.Device }) {
				t.Errorf("%s was not seen at %s", m.Device, m.To)
			}
		}
	})
}

// fataler is what apply needs of a test.
type fataler interface {
	Fatalf(format string, args ...any)
}

func apply(t fataler, placed []Placed, moved []Moved) {
	for _, m := range moved {
		i := slices.IndexFunc(placed, func(p Placed) bool { return p.Device == m.Device })
		if i < 0 || placed[i].Address != m.From {
			t.Fatalf("%+v, and it was at %+v", m, placed)
		}
		placed[i].Address = m.To
	}
	used := map[netip.Addr]site.DeviceID{}
	for _, p := range placed {
		if other, twice := used[p.Address]; twice && p.Address.IsValid() {
			t.Fatalf("%s and %s are both at %s", other, p.Device, p.Address)
		}
		used[p.Address] = p.Device
	}
}

// yard is a made-up site: which machine is plugged in where, and what its controller thinks.
type yard struct {
	mu       sync.Mutex
	machines map[netip.Addr]int
	placed   []Placed
	strange  []Stranger
	asked    []netip.Addr
	ports    map[int]int // by machine; default 80
	others   []PortSet
	refuse   error
	warned   []error
	reg      *Registry
	file     map[site.DeviceID]netip.Addr
}

func newYard(t *testing.T, devices int) *yard {
	y := &yard{machines: map[netip.Addr]int{}, reg: registry(t, devices), file: map[site.DeviceID]netip.Addr{}}
	for i := range devices {
		y.machines[ip(i)] = i
		y.file[dev(i)] = ip(i)
		y.placed = append(y.placed, Placed{Device: dev(i), Address: ip(i)})
	}
	return y
}

// poll is what a controller's polls would find.
func (y *yard) poll() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for i, p := range y.placed {
		n, there := y.machines[p.Address]
		y.placed[i].Lost = !there || y.reg.Saw(p.Device, p.Address, marks(n), time.Now()) == Other
	}
}

func (y *yard) finder(t *testing.T, search []netip.Addr) *Finder {
	n := &network{does: func(a netip.Addr, port int) string {
		y.mu.Lock()
		defer y.mu.Unlock()
		m, ok := y.machines[a]
		switch {
		case !ok:
			return ""
		case y.ports[m] == 0 && port != 80, y.ports[m] != 0 && port != y.ports[m]:
			return "refused"
		}
		return "open"
	}}
	detect := func(_ context.Context, tg driver.Target) (driver.Driver, site.Identity, error) {
		y.mu.Lock()
		defer y.mu.Unlock()
		a := netip.MustParseAddr(tg.Host)
		y.asked = append(y.asked, a)
		return driver.Driver{Name: "fake"}, marks(y.machines[a]), nil
	}
	return NewFinder(FinderOptions{
		Registry: y.reg, Search: search, Scan: Options{Detect: detect, Ports: []int{80}, Dial: n.dial}, Others: y.others,
		Placed: func() []Placed { y.poll(); y.mu.Lock(); defer y.mu.Unlock(); return slices.Clone(y.placed) },
		Apply: func(moved []Moved) error {
			y.mu.Lock()
			defer y.mu.Unlock()
			if y.refuse != nil {
				return y.refuse
			}
			apply(t, y.placed, moved)
			return nil
		},
		File:     func(id site.DeviceID) netip.Addr { return y.file[id] },
		Warn:     func(err error) { y.mu.Lock(); y.warned = append(y.warned, err); y.mu.Unlock() },
		Stranger: func(s Stranger) { y.mu.Lock(); y.strange = append(y.strange, s); y.mu.Unlock() },
	})
}

func (y *yard) where(device int) netip.Addr {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.placed[device].Address
}

func (y *yard) unplug(from, to int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.machines[ip(to)] = y.machines[ip(from)]
	delete(y.machines, ip(from))
}

func run(t *testing.T, y *yard, search []netip.Addr, during func(*Finder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := y.finder(t, search)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- f.Run(ctx) }()
		during(f)
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}

// pass lets time pass, and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A device with a new address is found in the networks that are searched, slowly, and the
// register knows where it is after a restart; those that are well are not asked.
func TestFinderFinds(t *testing.T) {
	y := newYard(t, 5)
	var search []netip.Addr
	for i := range 200 {
		search = append(search, ip(i))
	}
	run(t, y, search, func(f *Finder) {
		y.unplug(2, 150)
		f.Kick()
		pass(20 * time.Second)
		if y.where(2) != ip(2) {
			t.Errorf("after 20 s it is at %s: that is no slow search", y.where(2))
		}
		pass(2 * time.Minute)
		if y.where(2) != ip(150) || y.reg.Where(dev(2), ip(2)) != ip(150) {
			t.Errorf("it is at %s, the register says %s", y.where(2), y.reg.Where(dev(2), ip(2)))
		}
		if slices.Contains(y.asked, ip(1)) {
			t.Error("a device that is well was asked")
		}
		n := len(y.asked)
		pass(3 * time.Hour)
		if len(y.asked) != n {
			t.Error("it searches with nobody lost")
		}
	})
}

// Two that swapped, and a third in a ring, are sorted out.
func TestFinderSortsOutSwaps(t *testing.T) {
	y := newYard(t, 6)
	run(t, y, nil, func(f *Finder) {
		y.mu.Lock()
		m := y.machines
		m[ip(0)], m[ip(1)] = m[ip(1)], m[ip(0)]
		m[ip(3)], m[ip(4)], m[ip(5)] = m[ip(4)], m[ip(5)], m[ip(3)]
		y.mu.Unlock()
		f.Kick()
		pass(10 * time.Second)
		for i, want := range []int{1, 0, 2, 5, 3, 4} {
			if y.where(i) != ip(want) {
				t.Errorf("device %d is at %s, want %s", i, y.where(i), ip(want))
			}
		}
		if len(y.strange) > 0 {
			t.Errorf("strangers: %+v", y.strange)
		}
	})
}

// A machine of nobody's is told once, and stays without a device until a person adopts it.
func TestFinderTellsStrangers(t *testing.T) {
	y := newYard(t, 3)
	run(t, y, nil, func(f *Finder) {
		y.mu.Lock()
		y.machines[ip(1)] = 77
		y.mu.Unlock()
		f.Kick()
		pass(30 * time.Minute)
		if len(y.strange) != 1 || y.strange[0].Address != ip(1) || y.strange[0].Device != dev(1) || y.strange[0].Identity != marks(77) {
			t.Errorf("%+v", y.strange)
		}
		y.reg.Adopt(dev(1), ip(1), marks(77), time.Now())
		if y.poll(); y.placed[1].Lost {
			t.Error("it was adopted, and counts as lost")
		}
	})
}

// Machines of groups with ports of their own are found on those.
func TestFinderKnowsEachGroupsPorts(t *testing.T) {
	y := newYard(t, 3)
	y.ports = map[int]int{1: 8080, 2: 9090}
	y.others = []PortSet{{Ports: []int{8080}}, {Ports: []int{9090}, Replace: map[string]int{"http": 9090}}}
	run(t, y, []netip.Addr{ip(8), ip(9), ip(10), ip(11)}, func(f *Finder) {
		for i := range 3 {
			y.unplug(i, 9+i)
		}
		f.Kick()
		pass(time.Minute)
		for i := range 3 {
			if y.where(i) != ip(9+i) {
				t.Errorf("machine %d is taken to be at %s", i, y.where(i))
			}
		}
	})
}

// A button press finds a device at once; a datagram alone moves nobody.
func TestFinderHearsReports(t *testing.T) {
	y := newYard(t, 3)
	run(t, y, nil, func(f *Finder) {
		pass(time.Second)
		mac, _ := MAC(marks(1).MAC)
		f.reports <- Report{Said: ip(99), MAC: mac} // a lie: nobody is there
		pass(5 * time.Second)
		if y.where(1) != ip(1) {
			t.Errorf("a datagram moved it to %s", y.where(1))
		}
		y.unplug(1, 120)
		f.reports <- Report{Said: ip(120), MAC: mac}
		pass(5 * time.Second)
		if y.where(1) != ip(120) {
			t.Errorf("it is at %s", y.where(1))
		}
	})
}

// A move that could not be applied is tried again, and the register does not run ahead.
func TestFinderTriesAgain(t *testing.T) {
	y := newYard(t, 2)
	y.refuse = errors.New("not now")
	run(t, y, []netip.Addr{ip(50)}, func(f *Finder) {
		y.unplug(0, 50)
		f.Kick()
		pass(30 * time.Second)
		if y.where(0) != ip(0) || y.reg.Where(dev(0), ip(0)) != ip(0) {
			t.Errorf("at %s", y.where(0))
		}
		y.mu.Lock()
		if len(y.warned) == 0 {
			t.Error("nobody was told")
		}
		y.refuse = nil
		y.mu.Unlock()
		pass(10 * time.Minute)
		if y.where(0) != ip(50) {
			t.Errorf("at %s", y.where(0))
		}
	})
}

func TestSearchList(t *testing.T) {
	got := SearchList([]sitefile.Group{{Addresses: []string{"10.0.0.3", "10.0.0.1-10.0.0.2"}}, {Addresses: []string{"10.0.0.2", "127.0.0.1*5"}}}, []string{"10.0.0.0/30", "no network"})
	want := []netip.Addr{netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.0.1")}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}
