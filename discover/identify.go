package discover

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// identify asks the device behind an address with open ports who it is.
func (s *sweep) identify(ctx context.Context, at int) {
	s.mu.Lock()
	ports := slices.Clone(s.open[at])
	s.mu.Unlock()
	slices.Sort(ports)
	var f *Found
	if ctx.Err() == nil {
		f = s.who(ctx, at, ports)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(at)
	if f != nil {
		s.results[at] = *f
		if f.Err == nil {
			s.found++
		}
	}
}

func (s *sweep) who(ctx context.Context, at int, ports []int) *Found {
	within, cancel := context.WithTimeout(ctx, s.o.Each)
	defer cancel()
	host := s.addrs[at].String()
	t := driver.Target{
		Device: site.DeviceID("scan:" + host), Host: host, Ports: s.o.Replace,
		User: s.o.User, Password: s.o.Password, Now: time.Now, Dial: only(s.o.Dial, ports),
	}
	d, id, err := s.o.Detect(within, t)
	f := &Found{Address: s.addrs[at], Ports: ports}
	switch {
	case err == nil:
		f.Driver, f.Identity = d.Name, s.fill(within, d, t, id)
	case ctx.Err() != nil:
		return nil
	default:
		f.Err = fmt.Errorf("%s open: %w", portList(ports), err)
	}
	return f
}

func portList(ports []int) string {
	var b strings.Builder
	for i, p := range ports {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, p)
	}
	if len(ports) == 1 {
		return "port " + b.String()
	}
	return "ports " + b.String()
}

// fill asks for what the probe did not tell, as far as the device tells it with the logins
// at hand. What cannot be had stays empty: that a device was found is what counts.
func (s *sweep) fill(ctx context.Context, d driver.Driver, t driver.Target, id site.Identity) site.Identity {
	const most = 4 // wrong passwords that a device is sent
	logins := []Login{{t.User, t.Password}}
	if s.o.Logins != nil {
		addr, _ := netip.ParseAddr(t.Host) // it was made from one
		logins = s.o.Logins(d.Name, addr)
	}
	for _, l := range logins[:min(len(logins), most)] {
		if d.Open == nil || whole(id) || ctx.Err() != nil {
			return id
		}
		t.User, t.Password = l.User, l.Password
		id = tell(ctx, d, t, id)
	}
	return id
}

// tell opens a device and adds what it tells of itself.
func tell(ctx context.Context, d driver.Driver, t driver.Target, id site.Identity) site.Identity {
	dev, err := d.Open(t)
	if err != nil {
		return id
	}
	defer dev.Close()
	if c, err := dev.Info(ctx); err == nil {
		id = merge(id, c.Identity)
	}
	if whole(id) {
		return id
	}
	if r, err := dev.Read(ctx); err == nil {
		id = merge(id, r.Identity)
	}
	return id
}

func whole(id site.Identity) bool {
	return id.Model != "" && id.Firmware != "" && id.MAC != "" && id.Serial != ""
}

// merge fills what is empty in id from more.
func merge(id, more site.Identity) site.Identity {
	for _, f := range []struct {
		to   *string
		from string
	}{{&id.Make, more.Make}, {&id.Model, more.Model}, {&id.Firmware, more.Firmware}, {&id.Serial, more.Serial}, {&id.MAC, more.MAC}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	return id
}
