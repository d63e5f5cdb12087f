package discover

import (
	"context"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// Found is what answered at an address.
type Found struct {
	Address  netip.Addr
	Driver   string
	Identity site.Identity
	// Ports are the open ones of those that were tried, ascending.
	Ports []int
	// Err is set when something answered that no driver could be asked further, such as
	// credentials that were not accepted.
	Err error
}

// Detect says which driver fits a target and who is there.
type Detect func(context.Context, driver.Target) (driver.Driver, site.Identity, error)

// Dial opens a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Login is a user and a password; both empty: the factory's.
type Login struct {
	User     string
	Password driver.Secret
}

// Options set a scan up. The zero Options scan nothing: Detect and Ports are needed.
type Options struct {
	Detect Detect
	// Ports are tried in the first stage, the likeliest first; see Ports.
	Ports []int
	// Replace replaces the drivers' standard ports by their names, as in driver.Target.
	Replace map[string]int
	// User and Password are for devices that say who they are only to those who log in; empty:
	// as the factory set them.
	User     string
	Password driver.Secret
	// Logins, if set, gives what to log in with in their place, by the driver that was detected:
	// a password goes only to a device that speaks the protocol it is meant for.
	Logins func(driver string, addr netip.Addr) []Login
	// Dial opens connections; nil: net.Dialer.
	Dial Dial
	// Each bounds what one device that answers may take to say who it is. Default 10 s.
	Each time.Duration
	// Parallel bounds the connections of the first stage at a time. Default: half of the files
	// that this process may open, at most 4,096.
	Parallel int
	// Asking is how many devices are asked who they are at a time. Default 128.
	Asking int
	// Rate bounds the addresses tried per second; 0: not bounded.
	Rate float64
	// Progress, if set, is called about four times a second from one goroutine, and once at the end.
	Progress func(Progress)
}

// Progress is how far a scan has come. Done and Found never fall.
type Progress struct {
	Done, Total int // addresses that nothing more will be tried on
	Living      int // of them: addresses that answered anything, be it a refusal
	Found       int // devices that a driver fits
	// Rate is addresses per second of late, Left what the rest will take at that rate; zero
	// until it can be told.
	Rate     float64
	Left     time.Duration
	Parallel int // connections that may be under way now
}

// Summary is what a whole scan was like.
type Summary struct {
	Asked, Living, Found int
	Unknown              int           // answered, and no driver could be asked further
	Connects             int           // connections tried in the first stage
	Again                int           // silent addresses that were tried a second time
	Unasked              int           // addresses that could not be tried: this machine had no more of something
	Most                 int           // connections that were under way at once
	Took                 time.Duration // machine time
}

// The bounds of a scan.
const (
	firstTimeout = time.Second            // of a connection, until round trips were measured
	leastTimeout = 300 * time.Millisecond // of a connection, however near the network
	tickEvery    = 250 * time.Millisecond
	againTime    = 10 * time.Second // what the second look may take
)

// Scan tries every address and returns what answered, in the order of addrs, each address
// once. It blocks until all were tried or ctx ends, and then returns what it has with the
// context's error. Silent addresses do not hold up the others.
func Scan(ctx context.Context, addrs []netip.Addr, o Options) ([]Found, Summary, error) {
	if o.Each <= 0 {
		o.Each = 10 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = usualParallel()
	}
	if o.Asking <= 0 {
		o.Asking = 128
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	began := time.Now()
	s := newSweep(slices.Clone(addrs), o)
	list := s.run(ctx)
	sum := s.summary()
	sum.Took = time.Since(began)
	return list, sum, ctx.Err()
}

// usualParallel is half of the open files that are left, within bounds: the other half is for
// the devices that are asked meanwhile.
func usualParallel() int {
	const most = 4096
	files := openFiles()
	if files <= 0 {
		return most
	}
	return max(16, min(most, (files-64)/2))
}

// Ports returns the TCP ports on which the drivers that can detect a device look for it, the
// commonest first. replace replaces standard ports by their names.
func Ports(drivers []driver.Driver, replace map[string]int) []int {
	count := map[int]int{}
	for _, d := range drivers {
		if d.Probe == nil {
			continue
		}
		for name, port := range d.Ports {
			if p, ok := replace[name]; ok {
				port = p
			}
			if port > 0 && port <= math.MaxUint16 {
				count[port]++
			}
		}
	}
	var out []int
	for p := range count {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b int) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return a - b
	})
	return out
}
