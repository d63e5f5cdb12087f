package antminer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
)

// mode is the firmware's number for how it works.
type mode int

// The modes. High is called HEM on some models.
const (
	modeNormal mode = 0
	modeSleep  mode = 1
	modeHigh   mode = 2
	modeLow    mode = 3
)

// slow is what moves slowly, as last read.
type slow struct {
	info   systemInfo
	pools  []site.Pool
	faults []string
	mode   site.Opt[mode]
}

// identity joins what the web server and the miner say; the miner's model comes first.
func (s slow) identity(fast site.Identity) site.Identity {
	id := s.info.identity()
	if fast.Model != "" {
		id.Make, id.Model = fast.Make, fast.Model
	}
	if id.Firmware == "" {
		id.Firmware = fast.Firmware
	}
	return id
}

// refreshMode reads the mode; where it does not come the last one stays.
func (d *device) refreshMode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	conf, err := d.conf(ctx)
	if err != nil {
		return err
	}
	if m, ok := conf.mode(); ok {
		d.saw(m)
	}
	if d.slow.pools == nil {
		d.slow.pools = conf.pools()
	}
	return nil
}

// refresh reads all that moves slowly. What does not come keeps its last value; without a
// password that is accepted only the pools come. The error is that of the mode.
func (d *device) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "pools"})
	if err == nil && !r.Truncated {
		d.slow.pools = parsePools(r)
	}
	if err := d.refreshMode(ctx); err != nil {
		return err
	}
	if d.slow.info.Type == "" {
		var info systemInfo
		if d.web.Get(ctx, "/cgi-bin/get_system_info.cgi", &info) == nil {
			d.slow.info = info
		}
	}
	if r, err := d.web.Do(ctx, http.MethodGet, "/cgi-bin/summary.cgi", nil); err == nil && r.Status == http.StatusOK {
		d.slow.faults = parseFaults(r.Body)
	}
	return nil
}

// systemInfo is the reply of get_system_info.cgi.
type systemInfo struct {
	Type     string `json:"minertype"`
	MAC      string `json:"macaddr"`
	Serial   string `json:"serinum"`
	SerialNo string `json:"serial_no"`
	Firmware string `json:"system_filesystem_version"`
}

func (i systemInfo) identity() site.Identity {
	id := site.Identity{Firmware: strings.TrimSpace(i.Firmware), Serial: strings.TrimSpace(i.Serial), MAC: i.MAC}
	if id.Serial == "" {
		id.Serial = strings.TrimSpace(i.SerialNo)
	}
	id.Make, id.Model = driver.SplitBrand(i.Type)
	if id.Make == "" && id.Model != "" {
		id.Make = "Antminer"
	}
	return id
}

// conf is the whole configuration, each value as the device wrote it.
type conf map[string]json.RawMessage

func (d *device) conf(ctx context.Context) (conf, error) {
	var c conf
	err := d.web.Get(ctx, "/cgi-bin/get_miner_conf.cgi", &c)
	if err == nil && len(c) == 0 {
		err = fmt.Errorf("the configuration is empty: %w", driver.ErrUnreachable)
	}
	return c, err
}

const (
	keyWork = "bitmain-work-mode" // what the pages read
	keyMode = "miner-mode"        // what they post
)

// mode returns the mode; false means that the firmware has none or it cannot be read.
func (c conf) mode() (mode, bool) {
	for _, key := range []string{keyWork, keyMode} {
		raw := strings.Trim(string(c[key]), `" `)
		if n, err := strconv.Atoi(raw); err == nil && n >= 0 {
			return mode(n), true
		}
	}
	return 0, false
}

// pools returns the configured pools; which of them is active is not told here.
func (c conf) pools() []site.Pool {
	var raw []struct{ URL, User string }
	if json.Unmarshal(c["pools"], &raw) != nil {
		return nil
	}
	var all []site.Pool
	for _, p := range raw {
		if p.URL != "" {
			all = append(all, site.Pool{URL: p.URL, Worker: p.User})
		}
	}
	return all
}

// with returns the configuration with the mode under both its names, each in the type in
// which the device wrote it, else as a number. Some firmwares read the frequency level back
// under a name of its own and forget it otherwise.
func (c conf) with(m mode) conf {
	out := make(conf, len(c)+3)
	for k, v := range c {
		out[k] = v
	}
	for _, key := range []string{keyWork, keyMode} {
		if bytes.HasPrefix(c[key], []byte(`"`)) {
			out[key] = json.RawMessage(strconv.Quote(strconv.Itoa(int(m))))
		} else {
			out[key] = json.RawMessage(strconv.Itoa(int(m)))
		}
	}
	if level, ok := c["bitmain-freq-level"]; ok && c["freq-level"] == nil {
		out["freq-level"] = level
	}
	return out
}

func (d *device) post(ctx context.Context, c conf, m mode) error {
	const path = "/cgi-bin/set_miner_conf.cgi"
	r, err := d.web.Do(ctx, http.MethodPost, path, c.with(m))
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil {
		return err
	}
	var said struct{ Stats, Code, Msg string }
	if err := r.JSON(path, &said); err != nil {
		return err
	}
	if said.Stats == "" {
		return fmt.Errorf("post configuration: no word of success: %w", driver.ErrUnreachable)
	}
	if said.Stats != "success" {
		return fmt.Errorf("post configuration: %q, code %s, %q: %w", said.Stats, said.Code, said.Msg, driver.ErrRefused)
	}
	return nil
}

// probe asks the RPC port for its version, or the web server for its name.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if err == nil {
		v := r.Command("version").Objects("VERSION")
		if len(v) == 0 || !stock(v[0]) {
			return site.Identity{}, fmt.Errorf("probe %s: not Bitmain's firmware: %w", t.Host, driver.ErrUnsupported)
		}
		return header(v[0]), nil
	}
	if ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	return probeWeb(ctx, t)
}

// stock tells Bitmain's firmware from others that run on the same machines.
func stock(version rpc.Object) bool {
	for _, other := range []string{"LUXminer", "BOSminer", "BOSer", "BOSminer+", "VNish", "xminer", "ePIC", "Mara", "Hiveon"} {
		if _, ok := version.Get(other); ok {
			return false
		}
	}
	brand, _ := driver.SplitBrand(version.Text("Type"))
	return brand == "Antminer"
}

func probeWeb(ctx context.Context, t driver.Target) (site.Identity, error) {
	d, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	defer d.Close()
	r, err := d.(*device).web.Plain(ctx, http.MethodGet, "/", nil)
	if err != nil && !errors.Is(err, driver.ErrUnauthorized) {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if r.Status == http.StatusUnauthorized && strings.Contains(strings.ToLower(r.Header.Get("WWW-Authenticate")), "antminer") {
		return site.Identity{Make: "Antminer"}, nil
	}
	return site.Identity{}, fmt.Errorf("probe %s: no Antminer's web server: %w", t.Host, driver.ErrUnsupported)
}
