package places

import (
	"context"
	"fmt"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/site"
)

// Adopt takes the stranger at a device's address for the device from now on, and returns who it
// was and who it is. It is ErrInvalid where nobody else answers there, or where the stranger is
// another device of the site, which is found again by itself. It blocks on the disk.
func (p *Places) Adopt(ctx context.Context, id site.DeviceID) (was, is site.Identity, err error) {
	j, ok := p.opt.Plant.Index(id)
	if !ok {
		return was, is, fmt.Errorf("device %q: %w", id, api.ErrNotFound)
	}
	s := &p.spots[j]
	who, now := s.stranger.Load(), s.now.Load()
	if who == nil || now == nil || who.at != *now {
		return was, is, fmt.Errorf("%w: no other device answers at the address of %s, so there is none to adopt", api.ErrInvalid, id)
	}
	if owner := p.reg.Owner(who.Identity); owner != "" && owner != id {
		return was, is, fmt.Errorf("%w: %s is %s, which stands at another address now and is found there by itself; if it is to be %s for good, take %s out of the site file first",
			api.ErrInvalid, who, owner, id, owner)
	}
	k, _ := p.reg.Get(id)
	was = site.Identity{Make: k.Make, Model: k.Model, MAC: k.MAC, Serial: k.Serial}
	p.reg.Adopt(id, *now, who.Identity, time.Now())
	s.stranger.CompareAndSwap(who, nil)
	if err := p.reg.Flush(ctx); err != nil { // the next minute's tries again; until then it holds all the same
		p.opt.Log.Warn("the register of devices is not on disk", "reason", err)
	}
	return was, who.Identity, nil
}

// cloned keeps an identity without the reply that it is a part of.
func cloned(id site.Identity) site.Identity {
	return site.Identity{
		Make: strings.Clone(id.Make), Model: strings.Clone(id.Model), Firmware: strings.Clone(id.Firmware),
		Serial: strings.Clone(id.Serial), MAC: strings.Clone(id.MAC),
	}
}
