package antminer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
)

// Site times.
const (
	// readyLife is how old what is laid out may be when it is posted.
	readyLife = 6 * time.Minute
	// readyRenew is the age at which Stage reads it anew: at a poll of 15 s the reading of
	// what moves slowly comes just before and brings it along.
	readyRenew = 5 * time.Minute
	// lighttpd takes a nonce for ten minutes. A reading of the configuration brings in a new
	// one where it has nonceRenew, and Stage makes such a reading at nonceLife.
	nonceRenew = 4 * time.Minute
	nonceLife  = 8 * time.Minute
	// again is the pause after a staging that failed.
	again = time.Minute
)

// staged is the configuration as it is to be posted. It is kept as bytes: a site has
// thousands of them.
type staged struct {
	body []byte         // nil: there is none
	to   mode           // that body sets
	now  site.Opt[mode] // that the device was in; unknown where it knows none
	at   time.Time
	none bool // the firmware has no such page, or one of 2019
}

// conf is what is laid out, with the mode that it sets.
func (r staged) conf() (conf, error) {
	var c conf
	if err := json.Unmarshal(r.body, &c); err != nil {
		return nil, fmt.Errorf("read what is laid out: %w: %w", err, driver.ErrUnreachable)
	}
	return c, nil
}

// fresh says whether there is something laid out that may be posted.
func (d *device) fresh() bool {
	return d.ready.body != nil && d.t.Now().Sub(d.ready.at) <= readyLife
}

// drop forgets what was laid out, unless it is what this driver posted a moment ago.
func (d *device) drop() {
	if !d.posted.OK {
		d.ready.body = nil
	}
}

// noticeRestart drops what was laid out where the miner's work began anew: somebody may have
// posted another configuration.
func (d *device) noticeRestart(s site.Sample) {
	if !s.Uptime.OK {
		return
	}
	if s.Uptime.V < d.uptime {
		d.drop()
	}
	d.uptime, d.upAt = s.Uptime.V, s.Asked
}

// Stage lays out what the next Apply posts, and a nonce to sign it with.
func (d *device) Stage(ctx context.Context) error {
	now := d.t.Now()
	if d.ready.none || d.slow.info.early() || now.Sub(d.failed) < again {
		return nil
	}
	if d.ready.body != nil && now.Sub(d.ready.at) < readyRenew && d.auth.Age() < nonceLife {
		return nil
	}
	if _, err := d.conf(ctx); err != nil {
		d.failed = now
		return fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	return nil
}

// conf reads the configuration, takes note of what it shows and lays out what is posted next.
func (d *device) conf(ctx context.Context) (site.Opt[mode], error) {
	if d.auth.Age() > nonceRenew {
		d.auth.Forget()
	}
	var c conf
	err := d.web.Get(ctx, "/cgi-bin/get_miner_conf.cgi", &c)
	if err == nil && len(c) == 0 {
		err = fmt.Errorf("the configuration is empty: %w", driver.ErrUnreachable)
	}
	d.ready.none = errors.Is(err, driver.ErrUnsupported) || err == nil && c.early()
	if err != nil {
		return site.Opt[mode]{}, err
	}
	now, pools := c.mode(), c.pools()
	d.saw(now, pools)
	if d.slow.pools == nil {
		d.slow.pools = pools
	}
	if d.posted.OK && d.ready.body != nil {
		return now, nil // it shows the old one still: what was posted is the base of the next post
	}
	return now, d.lay(c, now)
}

// saw takes note of what the configuration shows.
func (d *device) saw(m site.Opt[mode], pools []site.Pool) {
	if !m.OK {
		return
	}
	d.slow.mode = m
	if d.posted.OK && d.posted.V == m.V && (d.pools == nil || samePools(d.pools, pools)) {
		d.posted, d.pools = site.Opt[mode]{}, nil
	}
	if m.V != modeSleep && !d.posted.OK {
		d.awake = m.V
	}
	if int(m.V) < len(d.modes) {
		d.modes[m.V] = true
	}
}

// lay lays out c with the mode that is likely to be told next.
func (d *device) lay(c conf, now site.Opt[mode]) error {
	r := staged{now: now, at: d.t.Now(), none: d.ready.none}
	if r.to = modeSleep; now.V == modeSleep {
		r.to = d.awake
	}
	d.ready = r
	if r.none || !now.OK {
		return nil
	}
	var err error
	if d.ready.body, err = encode(c.with(r.to)); err != nil {
		return fmt.Errorf("lay out the configuration: %w: %w", err, driver.ErrUnreachable)
	}
	return nil
}

// post posts what is laid out with the mode and, if any are told, the pools.
func (d *device) post(ctx context.Context, to mode, pools []slot) error {
	body := d.ready.body
	if to != d.ready.to || pools != nil {
		c, err := d.ready.conf()
		if err != nil {
			return err
		}
		c = c.with(to)
		if pools != nil {
			if c[keyPool], err = encode(pools); err != nil {
				return fmt.Errorf("lay out the pools: %w: %w", err, driver.ErrUnsupported)
			}
		}
		if body, err = encode(c); err != nil {
			return fmt.Errorf("lay out the configuration: %w: %w", err, driver.ErrUnreachable)
		}
	}
	d.dirty = true
	err := d.send(ctx, body)
	if err == nil || errors.Is(err, driver.ErrUnreachable) { // it may have arrived
		d.posted, d.pending = site.Some(to), 0
	}
	if err != nil {
		d.ready.body = nil
		return err
	}
	if pools != nil {
		d.pools = make([]site.Pool, 0, slots)
		for _, p := range pools {
			if p.URL != "" {
				d.pools = append(d.pools, site.Pool{URL: p.URL, Worker: p.User})
			}
		}
	}
	// What was posted is the base of the next post: the pages show the old one for a moment.
	d.ready = staged{body: body, to: to, now: site.Some(to), at: d.t.Now()}
	return nil
}

func (d *device) send(ctx context.Context, body []byte) error {
	const path = "/cgi-bin/set_miner_conf.cgi"
	r, err := d.web.Do(ctx, http.MethodPost, path, httpx.Raw{Type: "application/json", Data: body})
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil {
		return err
	}
	return success(r, path, "post configuration")
}

// success reads the pages' word for whether something was done.
func success(r httpx.Reply, path, what string) error {
	var said struct{ Stats, Code, Msg string }
	if err := r.JSON(path, &said); err != nil {
		return err
	}
	if said.Stats == "" {
		return fmt.Errorf("%s: no word of success: %w", what, driver.ErrUnreachable)
	}
	if said.Stats != "success" {
		return fmt.Errorf("%s: %q, code %s, %q: %w", what, said.Stats, said.Code, said.Msg, driver.ErrRefused)
	}
	return nil
}
