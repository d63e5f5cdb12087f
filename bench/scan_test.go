package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/discover"
	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/sitefile"
)

// scanPorts are where the miners of the scan's network listen, by name.
func scanPorts() map[string]int { return map[string]int{"http": 15380, "rpc": 15328} }

// scanSite writes a site whose miners stand in eight networks of 256 of a /16.
func scanSite(b *testing.B) files {
	b.Helper()
	var groups []string
	for i := range 8 {
		h := halls()[i%3]
		ports := fmt.Sprintf("http: %d", scanPorts()["http"])
		switch h.driver {
		case "antminer":
			ports += fmt.Sprintf(", rpc: %d", scanPorts()["rpc"])
		case "whatsminer":
			ports = fmt.Sprintf("rpc: %d", scanPorts()["rpc"])
		}
		groups = append(groups, fmt.Sprintf("  - {id: g%d, node: hall-0, driver: %s, model: %s, addresses: [127.40.%d.1-127.40.%d.250], ports: {%s}, nameplate: %s, hashrate: %s, standby: 40 W}\n",
			i, h.driver, h.model, 32*i, 32*i, ports, h.nameplate, h.hashrate))
	}
	nodes := []string{"  - {id: hall-0, limit: 60 MW}\n"}
	dir := b.TempDir()
	f := writeFile(b, dir, "scan.yaml", 15320, nodes, groups, nil)
	return files{site: f, parts: []string{dir + "/scan.yaml"}}
}

// BenchmarkScan65k scans a /16 with 2,000 miners in another process. The other addresses of
// the miners' networks refuse, as machines without a miner do; those of all other networks
// say nothing at all, as addresses do that nobody has. Its baseline asks the 2,000 who they
// are, as many at a time, without looking for them.
func BenchmarkScan65k(b *testing.B) {
	f := scanSite(b)
	startDevices(b, f, miners)
	hosts, err := sitefile.Hosts("127.40.0.0/16")
	if err != nil {
		b.Fatal(err)
	}
	var real net.Dialer
	var silent atomic.Int64
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		if at.Addr().As4()[2]%32 != 0 {
			silent.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return real.DialContext(ctx, network, address)
	}
	o := discover.Options{Detect: all.Detect, Ports: discover.Ports(all.Drivers(), scanPorts()), Replace: scanPorts(), Dial: dial}
	for b.Loop() {
		before := cpu()
		found, sum, err := discover.Scan(b.Context(), hosts, o)
		if err != nil {
			b.Fatal(err)
		}
		used := cpu() - before
		told := 0
		for _, d := range found {
			if id := d.Identity; d.Driver != "" && id.Model != "" && id.Firmware != "" && id.MAC != "" {
				told++
			}
		}
		bare := askOnly(b, f.site, o)
		b.ReportMetric(sum.Took.Seconds(), "scan_s")
		b.ReportMetric(bare.Seconds(), "ask_only_s")
		b.ReportMetric(used.Seconds(), "cpu_s")
		b.ReportMetric(float64(len(found)), "found")
		b.ReportMetric(float64(told), "identified")
		b.ReportMetric(float64(len(hosts))/sum.Took.Seconds(), "addresses/s")
		b.ReportMetric(float64(sum.Connects), "connects")
		b.ReportMetric(float64(sum.Most), "at_once")
	}
}

// askOnly asks the miners who they are, where they are.
func askOnly(b *testing.B, f *sitefile.File, o discover.Options) time.Duration {
	b.Helper()
	work := make(chan string)
	over := make(chan struct{})
	for range 128 {
		go func() {
			for host := range work {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, _, _ = all.Detect(ctx, driver.Target{Host: host, Ports: o.Replace, Now: time.Now})
				cancel()
			}
			over <- struct{}{}
		}()
	}
	began := time.Now()
	for _, g := range f.Groups {
		for _, t := range g.Targets() {
			work <- t.Host
		}
	}
	close(work)
	for range 128 {
		<-over
	}
	return time.Since(began)
}
