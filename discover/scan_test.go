package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchyard/driver"
	"switchyard/site"
)

func addresses(n int) []netip.Addr {
	out := make([]netip.Addr, n)
	for i := range out {
		out[i] = netip.AddrFrom4([4]byte{10, 9, byte(i / 250), byte(1 + i%250)})
	}
	return out
}

// network is a made-up network: what each address does on each port, and what this machine
// has room for.
type network struct {
	does func(addr netip.Addr, port int) string // "open", "refused", "away"; else silence
	room int                                    // connections at a time; 0: any number
	deaf int                                    // beyond so many at a time every packet is lost; 0: none

	mu           sync.Mutex
	flying, most int
	dials        map[string]int
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text)
	n.mu.Lock()
	if n.dials == nil {
		n.dials = map[string]int{}
	}
	n.dials[address]++
	if n.room > 0 && n.flying >= n.room {
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
	}
	n.flying++
	n.most = max(n.most, n.flying)
	lost := n.deaf > 0 && n.flying > n.deaf
	n.mu.Unlock()
	defer func() { n.mu.Lock(); n.flying--; n.mu.Unlock() }()
	does := n.does(netip.MustParseAddr(host), port)
	if lost {
		does = "lost"
	}
	switch does {
	case "open", "refused", "away":
		time.Sleep(2 * time.Millisecond)
	}
	switch does {
	case "open":
		a, b := net.Pipe()
		_ = b.Close()
		return a, nil
	case "refused":
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case "away":
		return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func last(a netip.Addr) int { b := a.As16(); return int(b[15]) }

// name is a Detect that finds a device named by its address.
func name(_ context.Context, t driver.Target) (driver.Driver, site.Identity, error) {
	return driver.Driver{Name: "fake"}, site.Identity{Make: "F", Model: t.Host, Firmware: "1", Serial: "s", MAC: "m"}, nil
}

// Every device is found, in order, with its open ports; silence holds up nobody.
func TestScanFindsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addrs := addresses(4000)
		n := &network{does: func(a netip.Addr, port int) string {
			switch {
			case last(a)%10 == 1 && port != 80:
				return "open"
			case last(a)%10 == 1, last(a)%10 == 2:
				return "refused"
			case last(a)%10 == 3 && port == 4433:
				return "open" // a device that lets nothing else through: its first ports say nothing
			case last(a)%10 == 4:
				return "away"
			}
			return ""
		}}
		var steps []Progress
		got, sum, err := Scan(t.Context(), addrs, Options{
			Detect: name, Ports: []int{80, 4028, 4433}, Dial: n.dial, Parallel: 1000, Progress: func(p Progress) { steps = append(steps, p) },
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []Found
		for _, a := range addrs {
			if last(a)%10 == 1 {
				want = append(want, Found{Address: a, Driver: "fake", Ports: []int{4028, 4433}, Identity: site.Identity{Make: "F", Model: a.String(), Firmware: "1", Serial: "s", MAC: "m"}})
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		if sum.Asked != 4000 || sum.Living != 800 || sum.Found != 400 || sum.Unasked != 0 || n.most > 1010 {
			t.Errorf("%+v, %d at once", sum, n.most)
		}
		// 2,800 silent addresses, two connections each of 0.3 s, a thousand at once, and a second look.
		if sum.Took > 12*time.Second {
			t.Errorf("it took %s: silent addresses hold it up", sum.Took)
		}
		end := steps[len(steps)-1]
		if end.Done != 4000 || end.Total != 4000 || end.Found != 400 || end.Living != 800 {
			t.Errorf("progress ended at %+v", end)
		}
		told := false
		for i := 1; i < len(steps); i++ {
			if steps[i].Done < steps[i-1].Done || steps[i].Found < steps[i-1].Found {
				t.Errorf("progress went back: %+v, %+v", steps[i-1], steps[i])
			}
			told = told || steps[i].Rate > 0 && steps[i].Left > 0
		}
		if !told {
			t.Error("it never said how long it would take")
		}
	})
}

// The more connections at once, the sooner it is over, up to the bound.
func TestScanGrows(t *testing.T) {
	took := func(parallel int) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{does: func(a netip.Addr, port int) string {
				if last(a) == 7 {
					return "open"
				}
				return ""
			}}
			_, sum, err := Scan(t.Context(), addresses(20000), Options{Detect: name, Ports: []int{80, 4028}, Dial: n.dial, Parallel: parallel})
			if err != nil || sum.Found != 80 {
				t.Errorf("%v, %+v", err, sum)
			}
			took = sum.Took
		})
		return took
	}
	if few, many := took(256), took(4096); many > few/3 || many > 30*time.Second {
		t.Errorf("%s with 256 at once, %s with 4,096", few, many)
	}
}

// A machine that runs out of files is given time, and no address is lost by it.
func TestScanBearsItsMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{room: 150, does: func(a netip.Addr, port int) string {
			if last(a)%25 == 0 {
				return "open"
			}
			return ""
		}}
		got, sum, err := Scan(t.Context(), addresses(2500), Options{Detect: name, Ports: []int{80, 4028, 4433}, Dial: n.dial, Parallel: 4000})
		if err != nil || len(got) != 100 || sum.Unasked != 0 {
			t.Errorf("%d of 100 found, %+v, %v", len(got), sum, err)
		}
		if n.most > 150 {
			t.Errorf("%d at once", n.most)
		}
	})
	synctest.Test(t, func(t *testing.T) { // no room at all
		n := &network{does: func(netip.Addr, int) string { return "" }}
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			_, _ = n.dial, ctx
			return nil, &net.OpError{Op: "dial", Err: syscall.ENOBUFS}
		}
		_, sum, err := Scan(t.Context(), addresses(50), Options{Detect: name, Ports: []int{80}, Dial: dial})
		if err != nil || sum.Unasked != 50 {
			t.Errorf("%+v, %v: it must say that they were not asked", sum, err)
		}
	})
}

// Where too many connections at once silence the whole network, the living are found all
// the same, but for one in a hundred: known addresses that fall silent give it away.
func TestScanBearsItsNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{deaf: 300, does: func(a netip.Addr, port int) string {
			if last(a)%10 == 0 {
				return "open"
			}
			return ""
		}}
		got, sum, err := Scan(t.Context(), addresses(5000), Options{Detect: name, Ports: []int{80, 4028}, Dial: n.dial, Parallel: 4000})
		if err != nil || len(got) < 495 {
			t.Errorf("%d of 500 found, %+v, %v", len(got), sum, err)
		}
	})
}

// A port of a living device that says nothing the first time, as a busy one may, is tried again.
func TestScanTriesSilentPortsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.does = func(a netip.Addr, port int) string {
			n.mu.Lock()
			defer n.mu.Unlock()
			switch times := n.dials[net.JoinHostPort(a.String(), strconv.Itoa(port))]; {
			case port == 80:
				return "refused"
			case times > 1:
				return "open"
			}
			return ""
		}
		got, _, err := Scan(t.Context(), addresses(20), Options{Detect: name, Ports: []int{80, 4028, 4433}, Dial: n.dial})
		if err != nil || len(got) != 20 || !cmp.Equal(got[0].Ports, []int{4028, 4433}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A device is asked only on open ports, who it is in full, and what failed is told.
func TestScanAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{does: func(a netip.Addr, port int) string {
			if port == 80 {
				return "open"
			}
			return "refused"
		}}
		detect := func(ctx context.Context, tg driver.Target) (driver.Driver, site.Identity, error) {
			for _, port := range []int{80, 4028, 9999} {
				c, err := tg.DialContext(ctx, net.JoinHostPort(tg.Host, strconv.Itoa(port)))
				if (err == nil) != (port == 80) {
					t.Errorf("port %d: %v", port, err)
				}
				if err == nil {
					_ = c.Close()
				}
			}
			switch last(netip.MustParseAddr(tg.Host)) {
			case 1:
				d := driver.Driver{Name: "fake", Open: func(driver.Target) (driver.Device, error) { return talker{}, nil }}
				return d, site.Identity{Make: "F", Model: "probed"}, nil
			case 2:
				return driver.Driver{}, site.Identity{}, driver.ErrUnauthorized
			}
			<-ctx.Done() // it accepts and says nothing
			return driver.Driver{}, site.Identity{}, fmt.Errorf("%w: %w", ctx.Err(), driver.ErrUnreachable)
		}
		got, sum, err := Scan(t.Context(), addresses(3), Options{Detect: detect, Ports: []int{80, 4028}, Dial: n.dial, Each: 3 * time.Second})
		if err != nil || len(got) != 3 {
			t.Fatalf("%+v, %v", got, err)
		}
		if sum.Found != 1 || sum.Unknown != 2 {
			t.Errorf("%+v", sum)
		}
		if want := (site.Identity{Make: "F", Model: "probed", Firmware: "from info", MAC: "from info", Serial: "from read"}); got[0].Identity != want || got[0].Err != nil {
			t.Errorf("%+v", got[0])
		}
		if !errors.Is(got[1].Err, driver.ErrUnauthorized) || !errors.Is(got[2].Err, driver.ErrUnreachable) {
			t.Errorf("%v, %v", got[1].Err, got[2].Err)
		}
		if n.dials["10.9.0.1:4028"] != 1 || n.dials["10.9.0.1:9999"] != 0 || sum.Took > 4*time.Second {
			t.Errorf("%v, %s", n.dials, sum.Took)
		}
	})
}

// talker tells a part at each call.
type talker struct{ driver.Device }

func (talker) Info(context.Context) (site.Capabilities, error) {
	return site.Capabilities{Identity: site.Identity{Model: "told", Firmware: "from info", MAC: "from info"}}, nil
}

func (talker) Read(context.Context) (site.Sample, error) {
	return site.Sample{Identity: site.Identity{MAC: "other", Serial: "from read"}}, nil
}
func (talker) Close() error { return nil }

func TestScanEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		n := &network{does: func(a netip.Addr, _ int) string {
			if last(a) == 1 {
				return "open"
			}
			return ""
		}}
		got, sum, err := Scan(ctx, addresses(2500), Options{Detect: name, Ports: []int{80}, Dial: n.dial, Parallel: 100})
		if !errors.Is(err, context.DeadlineExceeded) || len(got) == 0 || sum.Took > 3600*time.Millisecond {
			t.Errorf("%d found after %s, %v", len(got), sum.Took, err)
		}
	})
}

func TestScanKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{does: func(netip.Addr, int) string { return "refused" }}
		_, sum, err := Scan(t.Context(), addresses(100), Options{Detect: name, Ports: []int{80}, Dial: n.dial, Rate: 10})
		if err != nil || sum.Took < 9*time.Second || sum.Took > 12*time.Second || sum.Living != 100 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
}

func TestScanOfNothing(t *testing.T) {
	got, _, err := Scan(t.Context(), nil, Options{Detect: name, Ports: []int{80}})
	if len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPorts(t *testing.T) {
	probe := func(context.Context, driver.Target) (site.Identity, error) { return site.Identity{}, nil }
	list := []driver.Driver{
		{Ports: map[string]int{"http": 80, "rpc": 4028}, Probe: probe},
		{Ports: map[string]int{"rpc": 4028}, Probe: probe},
		{Ports: map[string]int{"api": 4433}, Probe: probe},
		{Ports: map[string]int{"modbus": 502}},
	}
	if got := Ports(list, map[string]int{"api": 8443, "modbus": 1502}); !cmp.Equal(got, []int{4028, 80, 8443}) {
		t.Errorf("%v", got)
	}
}

// Each address comes once, and the next is never its neighbour.
func TestStride(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 254, 1000, 65534} {
		step, seen := stride(n), make([]bool, n)
		for i := range n {
			at := i * step % n
			if seen[at] {
				t.Fatalf("%d of %d comes twice", at, n)
			}
			seen[at] = true
		}
		if n > 100 && (step < 10 || step > n-10) {
			t.Errorf("a step of %d through %d", step, n)
		}
	}
}
