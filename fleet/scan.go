package fleet

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// Found is what answered at an address.
type Found struct {
	Address  netip.Addr
	Driver   string
	Identity site.Identity
	// Err is set when something answered that no driver could be asked further, such as
	// credentials that were not accepted.
	Err error
}

// Detect says which driver fits a target and who is there.
type Detect func(context.Context, driver.Target) (driver.Driver, site.Identity, error)

// ScanOptions bound a scan.
type ScanOptions struct {
	// Each bounds one address, machine time. Default 2 s.
	Each time.Duration
	// Parallel is how many addresses are asked at once. Default 256.
	Parallel int
	// Progress, if set, is called now and then from one goroutine at a time with how many are done.
	Progress func(done, found int)
	// Ports replace the drivers' standard ones.
	Ports map[string]int
}

// Scan asks every address and returns what answered, in the order of addrs. It blocks until
// all were asked or ctx ends, and then returns what it has with the context's error.
func Scan(ctx context.Context, addrs []netip.Addr, detect Detect, opt ScanOptions) ([]Found, error) {
	if opt.Each <= 0 {
		opt.Each = 2 * time.Second
	}
	if opt.Parallel <= 0 {
		opt.Parallel = 256
	}
	results := make([]*Found, len(addrs))
	var next, done, found atomic.Int64
	var tell sync.Mutex
	var wg sync.WaitGroup
	for range min(opt.Parallel, len(addrs)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(addrs) {
					return
				}
				if results[i] = probe(ctx, addrs[i], detect, opt); results[i] != nil {
					found.Add(1)
				}
				if n := done.Add(1); opt.Progress != nil && (n%64 == 0 || int(n) == len(addrs)) {
					tell.Lock() // counted again inside, so that what is told only grows
					opt.Progress(int(done.Load()), int(found.Load()))
					tell.Unlock()
				}
			}
		})
	}
	wg.Wait()
	var out []Found
	for _, r := range results {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out, ctx.Err()
}

func probe(ctx context.Context, addr netip.Addr, detect Detect, opt ScanOptions) *Found {
	ctx, cancel := context.WithTimeout(ctx, opt.Each)
	defer cancel()
	t := driver.Target{Device: site.DeviceID("scan:" + addr.String()), Host: addr.String(), Ports: opt.Ports, Now: time.Now}
	d, who, err := detect(ctx, t)
	switch {
	case err == nil:
		return &Found{Address: addr, Driver: d.Name, Identity: who}
	case errors.Is(err, driver.ErrUnreachable), ctx.Err() != nil:
		return nil
	}
	return &Found{Address: addr, Err: err}
}
