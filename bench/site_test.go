package bench

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/driver/all"
	"switchyard/driver/modbus"
	"switchyard/sitefile"
)

// hall is one group of miners of the benchmarks' site.
type hall struct {
	driver, model, nameplate, hashrate string
	share                              float64
	ports                              []string
}

// plan is a site to be written.
type plan struct {
	miners int
	halls  []hall
	// faults start at that time; zero: none. Of each hundred miners three never answer, two
	// answer five seconds late and one says yes and does nothing.
	faults time.Time
	whole  bool // all devices in one process
}

// halls are the demo's kinds of miners in the demo's shares.
func halls() []hall {
	return []hall{
		{"antminer", "Antminer S21", "3500 W", "200 TH/s", 0.40, []string{"http", "rpc"}},
		{"whatsminer", "Whatsminer M60S", "3441 W", "186 TH/s", 0.35, []string{"rpc"}},
		{"braiins", "Antminer S19j Pro", "3068 W", "104 TH/s", 0.25, []string{"http"}},
	}
}

// mixed are the kinds of a site of many makes: modes, percent, watts and profiles, by HTTP
// with digest or a token, by encrypted commands and by commands in a session.
func mixed() []hall {
	return []hall{
		{"antminer", "Antminer S21", "3500 W", "200 TH/s", 0.20, []string{"http", "rpc"}},
		{"antminer", "Antminer S19 Pro", "3250 W", "110 TH/s", 0.15, []string{"http", "rpc"}},
		{"whatsminer", "Whatsminer M60S", "3441 W", "186 TH/s", 0.25, []string{"rpc"}},
		{"braiins", "Antminer S19j Pro", "3068 W", "104 TH/s", 0.15, []string{"http"}},
		{"luxos", "Antminer S19k Pro", "2760 W", "120 TH/s", 0.15, []string{"rpc"}},
		{"vnish", "Antminer S19 XP", "3010 W", "140 TH/s", 0.10, []string{"http"}},
	}
}

// The faults of plan.faults, by a miner's number in its group.
const (
	deadShare, slowShare, lyingShare = 3, 2, 1
	badShare                         = deadShare + slowShare + lyingShare
)

// fault returns which fault the i-th miner of a group has from plan.faults on.
func faultOf(i int) string {
	switch n := i * 37 % 100; {
	case n < deadShare:
		return "half-open"
	case n < deadShare+slowShare:
		return "late"
	case n < badShare:
		return "lying"
	}
	return ""
}

const poll = "15s" // the site file's default

// files is a site as it was written: the whole of it for the controller, and each part that a
// process of emulated devices takes.
type files struct {
	site  *sitefile.File
	parts []string
}

// writeSite writes a site of so many miners of the demo's kinds, all in one part.
func writeSite(b *testing.B, miners int) files {
	b.Helper()
	return plan{miners: miners, halls: halls(), whole: true}.write(b)
}

// write writes the site into a folder: no tenant, limits that nothing reaches, and a price at
// which every miner earns. A process may open only so many files, so every hall's devices
// may have one of their own; the connection's meter then sees the first hall only.
func (p plan) write(b *testing.B) files {
	b.Helper()
	var nodes, groups, bad []string
	left := p.miners
	for i, h := range p.halls {
		n := int(float64(p.miners)*h.share + 0.5)
		if i == len(p.halls)-1 {
			n = left
		}
		left -= n
		addresses, ports := place(i, n, h.ports)
		id := fmt.Sprintf("%s-%d", h.driver, i)
		nodes = append(nodes, fmt.Sprintf("  - {id: hall-%d, limit: 60 MW, meter: {address: 127.0.0.1, port: %d, profile: generic}}\n", i, 15021+i))
		groups = append(groups, fmt.Sprintf("  - {id: %s, node: hall-%d, driver: %s, model: %s, addresses: [%q], ports: {%s}, nameplate: %s, hashrate: %s, standby: 40 W, poll: %s, timeout: 8s}\n",
			id, i, h.driver, h.model, addresses, ports, h.nameplate, h.hashrate, poll))
		bad = append(bad, p.spoil(id, n))
	}
	dir := b.TempDir()
	all := files{site: writeFile(b, dir, "site.yaml", 15020, nodes, groups, nil)}
	if p.whole {
		writeFile(b, dir, "devices.yaml", 15020, nodes, groups, bad)
		all.parts = []string{filepath.Join(dir, "devices.yaml")}
		return all
	}
	for i := range groups {
		name := fmt.Sprintf("devices-%d.yaml", i)
		port := 15020
		if i > 0 {
			port = 15010 + i // a meter that nobody reads
		}
		writeFile(b, dir, name, port, nodes[i:i+1], groups[i:i+1], bad[i:i+1])
		all.parts = append(all.parts, filepath.Join(dir, name))
	}
	return all
}

func writeFile(b *testing.B, dir, name string, meter int, nodes, groups, bad []string) *sitefile.File {
	b.Helper()
	doc := fmt.Sprintf("site: {name: Benchmark, timezone: UTC}\n"+
		"connection: {limit: 200 MW, meter: {address: 127.0.0.1, port: %d, profile: sunspec}}\nnodes:\n%sgroups:\n%s"+
		"market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 200 $/PH/day}}\n"+
		"discovery: {off: true}\napi: {listen: \"127.0.0.1:0\"}\nemulate:\n  seed: 1\n",
		meter, strings.Join(nodes, ""), strings.Join(groups, ""))
	if faults := strings.Join(bad, ""); faults != "" {
		doc += "  faults:\n" + faults
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := load(path)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// spoil returns the faults of a group of n miners.
func (p plan) spoil(id string, n int) string {
	if p.faults.IsZero() {
		return ""
	}
	ids := map[string][]string{}
	width := max(3, len(strconv.Itoa(n)))
	for i := range n {
		if k := faultOf(i); k != "" {
			ids[k] = append(ids[k], fmt.Sprintf("%s-%0*d", id, width, i+1))
		}
	}
	var s strings.Builder
	for _, k := range [][2]string{{"half-open", ""}, {"late", ", delay: 5s"}, {"lying", ""}} {
		if len(ids[k[0]]) > 0 {
			fmt.Fprintf(&s, "    - {kind: %s, devices: [%s], from: %s%s}\n", k[0], strings.Join(ids[k[0]], ", "), p.faults.UTC().Format(time.RFC3339), k[1])
		}
	}
	return s.String()
}

func load(path string) (*sitefile.File, error) {
	return sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: modbus.Profiles()})
}

// place gives n miners of hall i an address each where the system has many loopback
// addresses, else rows of ports. Ports are high, so that nobody needs a privilege.
func place(i, n int, names []string) (addresses, ports string) {
	var list []string
	if runtime.GOOS != "linux" {
		for j, name := range names {
			list = append(list, fmt.Sprintf("%s: %d+", name, 20000+8000*i+4000*j))
		}
		return fmt.Sprintf("127.0.0.1*%d", n), strings.Join(list, ", ")
	}
	for j, name := range names {
		list = append(list, fmt.Sprintf("%s: %d", name, 15080+j))
	}
	return fmt.Sprintf("%s-%s", net.IPv4(127, byte(30+i), 0, 1), net.IPv4(127, byte(30+i), byte(n/256), byte(n%256))), strings.Join(list, ", ")
}
