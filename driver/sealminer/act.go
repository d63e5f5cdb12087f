package sealminer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
)

// session is the cookie that a login gives.
type session struct{ cookie string }

// Sign puts the cookie on, if there is one. The pages want to be asked as their own scripts
// ask them.
func (k *session) Sign(r *http.Request) error {
	r.Header["X-Requested-With"] = []string{"XMLHttpRequest"}
	if k.cookie != "" {
		r.Header["Cookie"] = []string{k.cookie}
	}
	return nil
}

// Renew leaves a refusal to page, which knows the other forms of it as well.
func (*session) Renew(context.Context, *httpx.Client, *http.Response) (bool, error) {
	return false, nil
}

// errSession is a page that wants a login first.
var errSession = fmt.Errorf("the session is not good: %w", driver.ErrUnauthorized)

// login posts the form that gives a session.
func (d *device) login(ctx context.Context) error {
	const path = "/cgi-bin/login.php"
	d.session.cookie = ""
	form := httpx.Form(url.Values{"username": {d.t.User}, "origin_pwd": {string(d.t.Password)}})
	r, err := d.web.Do(ctx, http.MethodPost, path, form)
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	o, err := rpc.Parse(r.Body)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	state := o.Int("state")
	if !state.OK {
		return fmt.Errorf("log in: no state: %w", driver.ErrUnreachable)
	}
	if state.V != 0 {
		return fmt.Errorf("log in: state %d: %w", state.V, driver.ErrUnauthorized)
	}
	cookie, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	if cookie == "" {
		return fmt.Errorf("log in: no cookie came: %w", driver.ErrUnreachable)
	}
	d.session.cookie = "username=" + url.QueryEscape(d.t.User) + "; " + cookie
	return nil
}

// page asks a page, after a login where there is no session or it is over.
func (d *device) page(ctx context.Context, method, name string, body any) (rpc.Reply, error) {
	return d.ask(ctx, d.web.Do, method, name, body)
}

// sender is the client's Do or Once.
type sender func(ctx context.Context, method, path string, body any) (httpx.Reply, error)

func (d *device) ask(ctx context.Context, send sender, method, name string, body any) (rpc.Reply, error) {
	for again := false; ; again = true {
		if d.session.cookie == "" {
			if err := d.login(ctx); err != nil {
				return rpc.Reply{}, fmt.Errorf("%s: %w", name, err)
			}
		}
		r, err := send(ctx, method, "/cgi-bin/"+name+".php", body)
		if err == nil || errors.Is(err, driver.ErrUnauthorized) {
			var o rpc.Reply
			if o, err = parsePage(r, name); !errors.Is(err, errSession) || again {
				return o, err
			}
			d.session.cookie = ""
			continue
		}
		return rpc.Reply{}, err
	}
}

// parsePage reads a page's object. Without a session the pages show the login page, or send
// the browser to it.
func parsePage(r httpx.Reply, name string) (rpc.Reply, error) {
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden, r.Status == http.StatusFound,
		r.Status == http.StatusOK && strings.HasPrefix(strings.TrimSpace(string(r.Body)), "<"):
		return rpc.Reply{}, fmt.Errorf("%s: %w", name, errSession)
	}
	if err := r.Check("ask", name); err != nil {
		return rpc.Reply{}, err
	}
	o, err := rpc.Parse(r.Body)
	if err == nil && o.Truncated {
		err = fmt.Errorf("cut short: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return rpc.Reply{}, fmt.Errorf("read %s: %w", name, err)
	}
	return o, nil
}

// order posts to a page whose answer says what became of it.
func (d *device) order(ctx context.Context, name string, body any) error {
	o, err := d.page(ctx, http.MethodPost, name, body)
	if err != nil {
		return err
	}
	return result(o, name)
}

// result reads "result": 0 or true is done. Pages that say nothing of it have no other word
// of failure.
func result(o rpc.Reply, name string) error {
	v, _ := o.Get("result")
	switch v := v.(type) {
	case bool:
		if !v {
			return fmt.Errorf("%s: not done: %w", name, driver.ErrRefused)
		}
	case rpc.Number, string:
		if f, ok := rpc.Float(v); !ok || f != 0 {
			return fmt.Errorf("%s: result %s: %w", name, o.Text("result"), driver.ErrRefused)
		}
	}
	return nil
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	var err error
	switch a.Act {
	case site.ActReboot:
		if _, err = d.ask(ctx, d.web.Once, http.MethodPost, "reboot", nil); errors.Is(err, httpx.ErrCut) {
			err = nil // it went down at once
		}
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		value := "off"
		if a.On {
			value = "on"
		}
		err = d.order(ctx, "led_conf", map[string]string{"key": "led", "value": value})
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
		err = d.setProfile(ctx, a.Profile)
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("sealminer %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	const places = 3
	if len(pools) == 0 || len(pools) > places {
		return fmt.Errorf("%d pools, and it takes 1 to %d: %w", len(pools), places, driver.ErrUnsupported)
	}
	told := map[string]string{}
	for i := range places {
		n := strconv.Itoa(i + 1)
		told["poolurl"+n], told["pooluser"+n], told["poolpwd"+n] = "", "", ""
		if i < len(pools) {
			told["poolurl"+n], told["pooluser"+n], told["poolpwd"+n] = pools[i].URL, pools[i].Worker, string(pools[i].Password)
		}
	}
	return d.order(ctx, "set_miner_poolconf", told)
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	body := map[string]string{
		"user_name": d.t.User, "origin_pwd": string(d.t.Password), "new_pwd": string(password), "confirm_pwd": string(password),
	}
	if err := d.order(ctx, "update_passwd", body); err != nil {
		return err
	}
	d.t.Password = password
	d.session.cookie = ""
	return nil
}

// setProfile posts the mode's number, which the firmware itself tells by the mode's name.
func (d *device) setProfile(ctx context.Context, name string) error {
	o, err := d.page(ctx, http.MethodGet, "get_system_info", nil)
	if err != nil {
		return err
	}
	number := o.Int(name)
	known := false
	for _, m := range modes() {
		known = known || m == name
	}
	if !known || !number.OK {
		return fmt.Errorf("it has no mode %q: %w", name, driver.ErrUnsupported)
	}
	return d.order(ctx, "set_mining_mode", map[string]int{"miningMode": number.V})
}

// probe asks the RPC port for its version, which names the maker's mining program.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	list := r.Objects("VERSION")
	if len(list) == 0 || list[0].Text("BDMiner") == "" {
		return site.Identity{}, fmt.Errorf("probe %s: not a SealMiner: %w", t.Host, driver.ErrUnsupported)
	}
	d := &device{t: t, rpcAddr: t.Addr("rpc", rpc.Port)}
	if st, err := d.stats(ctx); err == nil {
		return identity(st), nil
	}
	return site.Identity{Make: brand, Firmware: "bdminer " + list[0].Text("BDMiner")}, nil
}
