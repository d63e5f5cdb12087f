package sitefile

import (
	"errors"
	"strings"
	"testing"

	"switchyard/strictyaml"
)

const careDoc = `
site: {name: Test}
connection: {limit: 1 MW, meter: {address: 10.9.0.1, profile: generic}}
nodes: [{id: hall-a, limit: 500 kW}]
groups:
  - id: s21
    node: hall-a
    driver: antminer
    addresses: [10.0.0.1-10.0.0.9]
    nameplate: 3500 W
    hashrate: 200 TH/s
    pools:
      - {url: "stratum+tcp://pool.example:3333", worker: "acme.{device}", password: env:POOL}
      - {url: "stratum+ssl://backup.example:443", worker: "acme.{ip}"}
market:
  price: {fixed: 40 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
health: {chip_temp: 95, low_hashrate: 80 %, stale: 3m, after: 1m, clear: 2m, off: [fan]}
notices:
  - {name: night, url: "env:SLACK", level: critical, every: 5m}
  - {name: log, url: "file:hook"}
`

func TestCareIsChecked(t *testing.T) {
	f, err := Parse("site.yaml", []byte(careDoc), known)
	if err != nil {
		t.Fatal(err)
	}
	if g := f.Groups[0]; len(g.Pools) != 2 || WorkerOf(g.Pools[0].Worker, "s21-001", "10.0.4.17") != "acme.s21-001" || WorkerOf(g.Pools[1].Worker, "s21-001", "10.0.4.17") != "acme.4x17" {
		t.Errorf("pools %+v", g.Pools)
	}
	for _, c := range []struct{ old, with, says string }{
		{"chip_temp: 95", "chip_temp: 20", "20 is out of range"},
		{"low_hashrate: 80 %", "low_hashrate: 180 %", "out of range"},
		{"stale: 3m", "stale: 3s", "3s is out of range"},
		{"low_hashrate: 80 %", "low_hashrate: 0 %", `no hashrate is below zero; to be told nothing of it write "off: [low-hashrate]"`},
		{"after: 1m", "after: 0s", "0s is out of range; it can be from 1s to 24h"},
		{"clear: 2m", "clear: 0s", "0s is out of range; it can be from 1s to 24h"},
		{"off: [fan]", "off: [fans]", `unknown health rule "fans"; did you mean "fan"?`},
		{"name: night, ", "", "name is missing"},
		{"name: log", "name: night", `the name "night" is taken by notices[0]`},
		{`url: "env:SLACK"`, `url: "slack://token@channel"`, "the address holds a secret"},
		{"level: critical", "level: high", `unknown level "high"`},
		{"every: 5m", "every: 5ms", "out of range"},
		{`"stratum+tcp://pool.example:3333"`, `"https://pool.example:3333"`, "pools speak stratum and not https"},
		{`"stratum+tcp://pool.example:3333"`, `"pool.example"`, "is not a pool's address"},
		{`"stratum+tcp://pool.example:3333"`, `"stratum+tcp://pool.example"`, "the pool's port is missing"},
		{`"stratum+tcp://pool.example:3333"`, `"stratum+tcp://a:b@pool.example:1"`, "the worker stands in its own key"},
		{`worker: "acme.{ip}"`, `worker: "acme.{mac}"`, "{mac} stands for nothing; it can be {device} or {ip}"},
		{`, worker: "acme.{ip}"`, ``, "worker is missing"},
		{"password: env:POOL", "password: secret", "a secret must not stand in the site file"},
	} {
		doc := strings.Replace(careDoc, c.old, c.with, 1)
		_, err := Parse("site.yaml", []byte(doc), known)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "token@channel\" ") {
			t.Errorf("%s: %v, want %q alone", c.with, err, c.says)
		}
	}
}

func TestWorkersTemplates(t *testing.T) {
	for _, c := range []struct{ template, host, want string }{
		{"acme.{device}", "", "acme.d-1"},
		{"plain", "10.0.0.1", "plain"},
		{"{ip}", "192.168.10.254", "10x254"},
		{"{ip}", "::ffff:10.0.4.17", "4x17"},
		{"{ip}", "fd00::1234:56", "1234x0056"},
		{"{ip}", "no address", "no address"},
	} {
		if got := WorkerOf(c.template, "d-1", c.host); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.template, c.host, got, c.want)
		}
	}
}

func TestPortsAreTheDrivers(t *testing.T) {
	k := known
	k.Ports = map[string][]string{"whatsminer": {"rpc"}, "antminer": {"http", "rpc"}, "auto": {"api", "http", "rpc"}}
	for _, c := range []struct{ with, says string }{
		{"driver: whatsminer, ports: {rpc: 4029}", ""},
		{"driver: whatsminer, ports: {api: 4029}", `groups[0].ports.api: the driver whatsminer has no port "api"; its port is called "rpc"`},
		{"driver: antminer, ports: {htp: 80, rpc: 4028}", `the driver antminer has no port "htp"; did you mean "http"?`},
		{"driver: auto, ports: {api: 4433}", ""},
		{"driver: auto, ports: {modbus: 502}", `the driver auto has no port "modbus"; `},
		{"driver: braiins, ports: {anything: 502}", ""}, // nothing is known of its ports
	} {
		doc := strings.Replace(careDoc, "    driver: antminer\n", "    "+strings.ReplaceAll(c.with, ", ports", "\n    ports")+"\n", 1)
		_, err := Parse("site.yaml", []byte(doc), k)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.with, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", c.with, err, c.says)
		}
	}
}
