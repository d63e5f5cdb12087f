package antminer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
)

// profiles lists the modes to work in that the configuration was seen to have; one is no choice.
func (d *device) profiles() []site.Profile {
	var all []site.Profile
	for _, m := range []mode{modeLow, modeNormal, modeHigh} {
		if d.modes[m] || m == modeNormal {
			all = append(all, site.Profile{Name: m.profile()})
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}

// Do carries out one action over the web pages.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	var err error
	switch a.Act {
	case site.ActReboot:
		err = d.reboot(ctx)
	case site.ActLED:
		err = d.led(ctx, a.On)
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
		err = d.setProfile(ctx, a.Profile)
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("antminer %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) reboot(ctx context.Context) error {
	const path = "/cgi-bin/reboot.cgi"
	r, err := d.web.Once(ctx, http.MethodGet, path, nil)
	if err == nil {
		err = r.Check(http.MethodGet, path)
	}
	if err != nil && !errors.Is(err, httpx.ErrCut) { // it may be down before it has answered
		return err
	}
	d.web.Close()
	d.auth.Forget()
	d.dirty, d.ready.body = true, nil
	return nil
}

// generation says by the system page which pages the device has, asking where it is not
// known: those of 2019 take nothing that later ones take.
func (d *device) generation(ctx context.Context) (early bool, err error) {
	if d.slow.info.Type == "" {
		var info systemInfo
		if err := d.web.Get(ctx, "/cgi-bin/get_system_info.cgi", &info); err != nil {
			return false, err
		}
		d.slow.info = info
	}
	return d.slow.info.early(), nil
}

var errPages = fmt.Errorf("its pages are older than this: %w", driver.ErrUnsupported)

func (d *device) led(ctx context.Context, on bool) error {
	early, err := d.generation(ctx)
	if err != nil {
		return err
	}
	const path = "/cgi-bin/blink.cgi"
	var body any = map[string]bool{"blink": on}
	if early {
		action := map[bool]string{true: "startBlink", false: "stopBlink"}[on]
		body = httpx.Form(url.Values{"action": {action}})
	}
	r, err := d.web.Do(ctx, http.MethodPost, path, body)
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil || early { // which says nothing where the light blinks already
		return err
	}
	var said struct{ Code, Msg string }
	if err := r.JSON(path, &said); err != nil {
		return err
	}
	switch said.Code {
	case "B000", "B100": // on and off, and some firmwares know only the first
		return nil
	case "":
		return fmt.Errorf("no word of success: %w", driver.ErrUnreachable)
	}
	return fmt.Errorf("code %s, %q: %w", said.Code, said.Msg, driver.ErrRefused)
}

func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	if len(pools) == 0 || len(pools) > slots {
		return fmt.Errorf("it takes one to %d pools: %w", slots, driver.ErrUnsupported)
	}
	now, err := d.conf(ctx) // a person is at work here: nothing old is posted
	if err != nil {
		return err
	}
	if !now.OK {
		return errPages
	}
	want := slotsOf(pools)
	if c, err := d.ready.conf(); err != nil || c.holds(want) {
		return err
	}
	if err := d.post(ctx, d.posted.Or(now.V), want); err != nil {
		return err
	}
	d.slow.pools = d.pools
	return nil
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	if password == "" {
		return fmt.Errorf("an empty password: %w", driver.ErrUnsupported)
	}
	early, err := d.generation(ctx)
	if err != nil {
		return err
	}
	if early {
		return errPages
	}
	const path = "/cgi-bin/passwd.cgi"
	r, err := d.web.Do(ctx, http.MethodPost, path, map[string]string{
		"curPwd": string(d.t.Password), "newPwd": string(password), "confirmPwd": string(password),
	})
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err == nil {
		err = success(r, path, "change password")
	}
	if err != nil {
		return err
	}
	d.t.Password, d.auth.Password = password, password
	return nil
}

// setProfile sets the mode to work in; a sleeping miner would wake by it.
func (d *device) setProfile(ctx context.Context, name string) error {
	now, err := d.conf(ctx)
	if err != nil {
		return err
	}
	for m, known := range d.modes {
		m := mode(m)
		if name != m.profile() || !known && m != modeNormal || d.profiles() == nil {
			continue
		}
		switch d.posted.Or(now.V) {
		case m:
			return nil
		case modeSleep:
			return fmt.Errorf("it sleeps: wake it first: %w", driver.ErrRefused)
		}
		if err := d.post(ctx, m, nil); err != nil {
			return err
		}
		d.awake = m
		return nil
	}
	return fmt.Errorf("it knows no profile %q: %w", name, driver.ErrUnsupported)
}

var (
	_ driver.Operator = (*device)(nil)
	_ driver.Stager   = (*device)(nil)
)
