package antminer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
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
	_, err := d.conf(ctx)
	return err
}

// refresh reads all that moves slowly. What does not come keeps its last value; without a
// password that is accepted only the pools come. The error is that of the mode.
func (d *device) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "pools"})
	if err == nil && !r.Truncated {
		pools := parsePools(r)
		if d.slow.pools != nil && !samePools(pools, d.slow.pools) {
			d.drop() // whatever is laid out has the old ones
		}
		d.slow.pools = pools
	}
	if err := d.refreshMode(ctx); err != nil {
		return err
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
	Load     string `json:"loadaverage"`
}

// early says whether the pages are those of 2019 and before, which told the load and no
// serial number.
func (i systemInfo) early() bool { return i.Load != "" && i.Serial == "" && i.SerialNo == "" }

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

// probe asks the RPC port for its version, or the web server for its name.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if err == nil {
		v := r.Command("version").Objects("VERSION")
		if len(v) == 0 || !stock(v[0]) {
			return site.Identity{}, fmt.Errorf("probe %s: not Bitmain's firmware: %w", t.Host, driver.ErrUnsupported)
		}
		return header(v[0]).identity(), nil
	}
	if ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	return probeWeb(ctx, t)
}

// stock tells Bitmain's firmware of the machines that this driver can work from others that
// run on them. Some firmwares go by a key of their own, some only by a word in the values.
func stock(version rpc.Object) bool {
	for _, other := range []string{"LUXminer", "BOSminer", "BOSer", "BOSminer+", "VNish", "xminer", "ePIC", "Mara", "Hiveon"} {
		if _, ok := version.Get(other); ok {
			return false
		}
	}
	brand, model := driver.SplitBrand(version.Text("Type"))
	if brand != "Antminer" || older(model) {
		return false
	}
	said := strings.ToLower(version.Text("BMMiner", "CGMiner") + " " + version.Text("Miner") + " " + model)
	for _, other := range []string{"vnish", "hiveon", "mara", "kaonsu", "bos_", "braiins", "luxos", "epic"} {
		if strings.Contains(said, other) {
			return false
		}
	}
	return true
}

// older says whether it is a machine of before the 17 series: none of its firmwares has pages
// that this driver knows, and its RPC port is any cgminer's.
func older(model string) bool {
	m := strings.ToUpper(model)
	for _, name := range []string{"A3", "B3", "D3", "E3", "L3", "X3", "R4", "V9", "Z9", "Z11"} {
		rest, ok := strings.CutPrefix(m, name)
		if ok && (rest == "" || rest[0] < '0' || rest[0] > '9') {
			return true
		}
	}
	if m == "" || m[0] != 'S' && m[0] != 'T' {
		return false
	}
	digits := len(m) - len(strings.TrimLeft(m[1:], "0123456789")) - 1
	series, err := strconv.Atoi(m[1 : 1+digits])
	return err == nil && series < 17
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
