package vnish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// Stage logs in and brings in the presets and the settings that a chosen preset is posted with.
func (d *device) Stage(ctx context.Context) error {
	if err := d.stage(ctx); err != nil {
		return fmt.Errorf("vnish %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) stage(ctx context.Context) error {
	if !d.token.Known() {
		if err := d.token.Fetch(ctx, d.web); err != nil {
			return err
		}
	}
	if d.presets == nil || d.t.Now().Sub(d.presetsAt) > presetsFor {
		if err := d.readPresets(ctx); err != nil {
			return err
		}
	}
	if d.overclock == nil {
		return d.readOverclock(ctx)
	}
	return nil
}

func (d *device) readPresets(ctx context.Context) error {
	const path = prefix + "autotune/presets"
	r, err := d.web.Do(ctx, http.MethodGet, path, nil)
	if err == nil {
		err = r.Check(http.MethodGet, path)
	}
	if errors.Is(err, driver.ErrUnsupported) { // a firmware without presets
		d.presets, d.presetsAt = []preset{}, d.t.Now()
		return nil
	}
	if err != nil {
		return err
	}
	all, err := parsePresets(r.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	d.presets, d.presetsAt = all, d.t.Now()
	return nil
}

// readOverclock reads the settings that belong to a preset.
func (d *device) readOverclock(ctx context.Context) error {
	var said struct {
		Miner struct {
			Overclock map[string]json.RawMessage `json:"overclock"`
		} `json:"miner"`
	}
	if err := d.web.Get(ctx, prefix+"settings", &said); err != nil {
		return err
	}
	d.overclock = said.Miner.Overclock
	if d.overclock == nil {
		d.overclock = map[string]json.RawMessage{}
	}
	return nil
}

// levels are the watts of the presets that can be chosen without a tuning cycle, ascending.
func (d *device) levels() []unit.Power {
	var all []unit.Power
	for _, p := range d.presets {
		if p.tuned && p.watts > 0 && (!p.modded || p.name == d.preset.V) && !slices.Contains(all, p.watts) {
			all = append(all, p.watts)
		}
	}
	slices.Sort(all)
	return all
}

// Apply stops the miner, or chooses its preset and starts it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	var err error
	if want.Mode == site.ModeSleep {
		err = d.mining(ctx, site.StateSleeping, "mining/stop", "mining/pause")
	} else {
		err = d.run(ctx, want.Power)
	}
	if err != nil {
		return fmt.Errorf("vnish %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) run(ctx context.Context, target site.Opt[unit.Power]) error {
	if d.presets == nil {
		if err := d.readPresets(ctx); err != nil {
			return err
		}
	}
	level, err := d.level(target)
	if err != nil {
		return err
	}
	for _, p := range d.presets {
		if level > 0 && p.tuned && p.watts == level && p.name != d.preset.V {
			if err := d.choose(ctx, p.name); err != nil {
				return err
			}
			break
		}
	}
	return d.mining(ctx, site.StateHashing, "mining/start", "mining/resume")
}

// level is the tuned preset for a target, or for full work; 0 leaves the miner as it is.
func (d *device) level(target site.Opt[unit.Power]) (unit.Power, error) {
	levels := d.levels()
	most := unit.Power(1 << 62)
	if p, ok := d.nameplate(); ok {
		most = p
	}
	if target.OK {
		most = target.V
	}
	var level unit.Power
	for _, l := range levels {
		if l <= most {
			level = l
		}
	}
	if target.OK {
		if level == 0 {
			return 0, fmt.Errorf("no tuned preset at or below %v: %w", target.V, driver.ErrUnsupported)
		}
		return level, nil
	}
	now := watts(d.preset.V, "")
	if d.preset.OK && (now == 0 || now >= level) {
		return 0, nil
	}
	return level, nil
}

// choose posts the preset with the settings that belong to it.
func (d *device) choose(ctx context.Context, name string) error {
	if d.overclock == nil {
		err := d.readOverclock(ctx)
		if err != nil && !errors.Is(err, driver.ErrUnauthorized) && !errors.Is(err, driver.ErrUnsupported) {
			return err // the page may want a key of its own: then the preset is posted alone
		}
	}
	over := maps.Clone(d.overclock)
	if over == nil {
		over = map[string]json.RawMessage{}
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return fmt.Errorf("encode preset: %w", err)
	}
	over["preset"] = quoted
	o, err := d.post(ctx, "settings", map[string]any{"miner": map[string]any{"overclock": over}})
	d.preset = site.Opt[string]{} // until a reading tells it
	if err != nil {
		return err
	}
	d.overclock = over
	d.preset = site.Some(name)
	if o.Bool("restart_required").Or(false) {
		_, err = d.post(ctx, "mining/restart", nil)
	}
	return err
}

// mining posts an order; the second one is for a miner that was stopped or paused by the
// other way. One that refuses because it is as wanted has done it.
func (d *device) mining(ctx context.Context, want site.State, order, other string) error {
	_, err := d.post(ctx, order, nil)
	if !errors.Is(err, driver.ErrRefused) && !errors.Is(err, driver.ErrUnsupported) {
		return err
	}
	if is, statusErr := d.get(ctx, "status"); statusErr == nil {
		now := state(is.Text("miner_state"), site.Opt[unit.Hashrate]{})
		if now == want || want == site.StateHashing && now == site.StateStarting {
			return nil
		}
	}
	if _, otherErr := d.post(ctx, other, nil); otherErr == nil {
		return nil
	}
	return err
}

// post sends body; an answer is empty or an object. The firmware refuses with 500 and words.
// An empty answer proves nothing of who gave it, a token does: it comes first.
func (d *device) post(ctx context.Context, name string, body any) (rpc.Object, error) {
	return d.send(ctx, d.web.Do, name, body)
}

// sender is the client's Do or Once.
type sender func(ctx context.Context, method, path string, body any) (httpx.Reply, error)

func (d *device) send(ctx context.Context, send sender, name string, body any) (rpc.Object, error) {
	if !d.token.Known() {
		if err := d.token.Fetch(ctx, d.web); err != nil {
			return nil, err
		}
	}
	r, err := send(ctx, http.MethodPost, prefix+name, body)
	if err != nil {
		return nil, err
	}
	if r.Status == http.StatusInternalServerError {
		if o, err := object(r, name); err == nil && o.Text("err") != "" {
			return nil, fmt.Errorf("POST %s: %q: %w", name, o.Text("err"), driver.ErrRefused)
		}
	}
	if err := r.Check(http.MethodPost, prefix+name); err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(r.Body)) == "" {
		return nil, nil
	}
	return object(r, name)
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	var err error
	switch a.Act {
	case site.ActReboot:
		err = d.reboot(ctx)
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		err = d.setLED(ctx, a.On)
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
		err = d.setProfile(ctx, a.Profile)
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("vnish %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

// reboot is acknowledged by a connection that breaks, too: the device went down at once.
func (d *device) reboot(ctx context.Context) error {
	_, err := d.send(ctx, d.web.Once, "system/reboot", nil)
	if errors.Is(err, httpx.ErrCut) {
		return nil
	}
	return err
}

// setPools posts all three places; the rest is emptied.
func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	const places = 3
	if len(pools) == 0 || len(pools) > places {
		return fmt.Errorf("%s pools, and it takes 1 to 3: %w", strconv.Itoa(len(pools)), driver.ErrUnsupported)
	}
	told := make([]map[string]string, places)
	for i := range told {
		told[i] = map[string]string{"url": "", "user": "", "pass": ""}
		if i < len(pools) {
			p := pools[i]
			told[i] = map[string]string{"url": strings.TrimPrefix(p.URL, tcp), "user": p.Worker, "pass": string(p.Password)}
		}
	}
	_, err := d.post(ctx, "settings", map[string]any{"miner": map[string]any{"pools": told}})
	return err
}

// setLED posts to the page that switches over, on old firmware whatever it is told: so it
// looks first, and posts again where the light went the wrong way.
func (d *device) setLED(ctx context.Context, on bool) error {
	is, err := d.get(ctx, "status")
	if err != nil {
		return err
	}
	if now := is.Bool("find_miner"); now.OK && now.V == on {
		return nil
	}
	for range 2 {
		o, err := d.post(ctx, "find-miner", map[string]bool{"on": on})
		if errors.Is(err, driver.ErrUnsupported) {
			o, err = d.post(ctx, "locate-miner", map[string]bool{"on": on})
		}
		if err != nil {
			return err
		}
		if now := o.Bool("on", "is_enabled"); !now.OK || now.V == on {
			return nil
		}
	}
	return fmt.Errorf("the light does not follow: %w", driver.ErrRefused)
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	body := map[string]any{"password": map[string]string{"current": string(d.t.Password), "pw": string(password)}}
	if _, err := d.post(ctx, "settings", body); err != nil {
		return err
	}
	d.t.Password = password
	return nil
}

func (d *device) setProfile(ctx context.Context, name string) error {
	if d.presets == nil {
		if err := d.readPresets(ctx); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(d.presets, func(p preset) bool { return p.name == name }) {
		return fmt.Errorf("it has no preset %q: %w", name, driver.ErrUnsupported)
	}
	d.presetsAt = d.presetsAt.Add(-presetsFor) // what is tuned may change with it
	return d.choose(ctx, name)
}

// probe asks for the page that tells the firmware's name, without credentials.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dd, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	defer dd.Close()
	r, err := dd.(*device).web.Plain(ctx, http.MethodGet, prefix+"info", nil)
	if err != nil && !errors.Is(err, driver.ErrUnauthorized) {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if o, parseErr := parsed(r); parseErr == nil && o.Text("fw_name") != "" && o.Object("system").Object("network_status") != nil {
		if w, err := parseInfo(o); err == nil {
			return w.identity, nil
		}
	}
	return site.Identity{}, fmt.Errorf("probe %s: not VNish: %w", t.Host, driver.ErrUnsupported)
}

func parsed(r httpx.Reply) (rpc.Object, error) {
	if r.Status != http.StatusOK {
		return nil, driver.ErrUnsupported
	}
	return object(r, "info")
}
