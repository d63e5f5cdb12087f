package bench

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

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

// halls are the demo's kinds of miners in the demo's shares.
func halls() []hall {
	return []hall{
		{"antminer", "Antminer S21", "3500 W", "200 TH/s", 0.40, []string{"http", "rpc"}},
		{"whatsminer", "Whatsminer M60S", "3441 W", "186 TH/s", 0.35, []string{"rpc"}},
		{"braiins", "Antminer S19j Pro", "3068 W", "104 TH/s", 0.25, []string{"http"}},
	}
}

const poll = "15s" // the site file's default

// writeSite writes a site of so many miners into a folder: no tenant, limits that nothing
// reaches, and a price at which every miner earns.
func writeSite(b *testing.B, miners int) (path string, f *sitefile.File) {
	b.Helper()
	var s strings.Builder
	s.WriteString("site: {name: Benchmark, timezone: UTC}\n" +
		"connection: {limit: 40 MW, meter: {address: 127.0.0.1, port: 15020, profile: sunspec}}\nnodes:\n")
	for i := range halls() {
		fmt.Fprintf(&s, "  - {id: hall-%d, limit: 10 MW, meter: {address: 127.0.0.1, port: %d, profile: generic}}\n", i, 15021+i)
	}
	s.WriteString("groups:\n")
	left := miners
	for i, h := range halls() {
		n := int(float64(miners)*h.share + 0.5)
		if i == len(halls())-1 {
			n = left
		}
		left -= n
		addresses, ports := place(i, n, h.ports)
		fmt.Fprintf(&s, "  - {id: %s-miners, node: hall-%d, driver: %s, model: %s, addresses: [%q], ports: {%s}, nameplate: %s, hashrate: %s, standby: 40 W, poll: %s}\n",
			h.driver, i, h.driver, h.model, addresses, ports, h.nameplate, h.hashrate, poll)
	}
	s.WriteString("market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 200 $/PH/day}}\n" +
		"api: {listen: \"127.0.0.1:0\"}\nemulate: {seed: 1}\n")
	path = filepath.Join(b.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := load(path)
	if err != nil {
		b.Fatal(err)
	}
	return path, f
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
	at := 10 * (i + 1)
	return fmt.Sprintf("%s-%s", net.IPv4(127, 30, byte(at), 1), net.IPv4(127, 30, byte(at+n/256), byte(n%256))), strings.Join(list, ", ")
}
