package month

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchyard/driver/all"
	"switchyard/sitefile"
)

// The site's names.
const (
	acme   = "acme"   // colocation, whose feeder is once without power
	boreal = "boreal" // colocation, who once gives power back as agreed
	cirrus = "cirrus" // colocation, who once gets less than it wants
	serve  = "serve"  // GPU cloud: reserved and on demand
	lab    = "lab"    // GPU cloud: interruptible, and storage
	gpuID  = "h100"   // the cluster
	minerN = 40
	nodeN  = 8
	gpuN   = 8 // of a node
)

// The losses that the site file names, and what really gets lost.
const (
	lossConnection = 0.006
	lossTx         = 0.010
)

const siteText = `# A made-up site for a simulated month. Nothing of it is ever connected to.
site: {name: North Creek, timezone: America/Chicago}
connection:
  limit: 6 MW
  loss: 0.6 %
  meter: {address: 192.0.2.1, profile: generic}
nodes:
  - {id: mining, limit: 400 kW, meter: {address: 192.0.2.2, profile: generic}}
  - {id: tx, limit: 5 MW, loss: 1.0 %, meter: {address: 192.0.2.3, profile: generic}}
  - {id: acme-feeder, parent: tx, limit: 1.5 MW, meter: {address: 192.0.2.4, profile: generic}}
  - {id: boreal-feeder, parent: tx, limit: 1 MW, meter: {address: 192.0.2.5, profile: generic}}
  - {id: cirrus-feeder, parent: tx, limit: 800 kW, meter: {address: 192.0.2.6, profile: generic}}
  - {id: gpu-hall, parent: tx, limit: 200 kW, meter: {address: 192.0.2.7, profile: generic}}
  - {id: cooling, parent: tx, limit: 900 kW, meter: {address: 192.0.2.8, profile: generic}}
groups:
  - id: s21
    node: mining
    driver: antminer
    model: S21
    addresses: [192.0.2.64*40]
    ports: {http: 20000+, rpc: 24000+}
    nameplate: 3500 W
    hashrate: 200 TH/s
    pool_fee: 1 %
tenants:
  - {id: acme, node: acme-feeder, firm: 1200 kW, rate: 125 $/kW-month, power: pass-through, penalty: 3000 $/MWh, contract: acme.yaml}
  - {id: boreal, node: boreal-feeder, firm: 800 kW, rate: 130 $/kW-month, power: pass-through, penalty: 3000 $/MWh, contract: boreal.yaml}
  - {id: cirrus, node: cirrus-feeder, firm: 600 kW, rate: 140 $/kW-month, power: pass-through, penalty: 3000 $/MWh, contract: cirrus.yaml}
clusters:
  - id: h100
    node: gpu-hall
    slurm: {rest: "http://192.0.2.9:6820", user: switchyard, token: env:SLURM_JWT}
    gpus:
      - {model: H100, idle: 70 W, full: 700 W, least: 200 W, labels: ["NVIDIA H100 80GB HBM3"]}
    machines:
      - {names: "gpu[1-8]", model: H100, gpus: 8, idle: 900 W, full: 2200 W, off: 40 W}
    dcgm_exporter: {url: "http://{node}:9400/metrics"}
    classes:
      - {name: serving, kind: firm, queues: [serving], value: 2.10 $, penalty: 20000 $/MWh}
      - {name: batch, kind: cap, queues: [batch], value: 2.80 $, slowdown: 20 %}
      - {name: spot, kind: spot, queues: [spot], value: 1.20 $}
    tenants:
      - {id: serve, contract: serve.yaml, reserved: {H100: 16}}
      - {id: lab, contract: lab.yaml}
market:
  price: {fixed: 40 $/MWh}
  bitcoin: {hashprice: 48 $/PH/day}
  charges:
    demand: [{name: delivery, rate: 4 $/kW-month, interval: 15m}]
`

const spaceText = `tenant: %s
contract: %s
timezone: America/Chicago
customer: {name: %s, address: [1 Example Street]}
seller: {name: North Creek Compute LLC, address: [1 Substation Road], pay: [Example Bank]}
versions:
  - from: 2024-10-01
    kind: colocation
    colocation:
      critical: %s
      rate: %s
      escalator: %s
      lease: modified
      power: {losses: true, adder: 2 $/MWh, demand_share: true}
      overage: 150 $/kW-month
    sla:
      availability: 99.95 %%
      credits: [{below: 99.95 %%, credit: 2 %%}, {below: 99.9 %%, credit: 5 %%}, {below: 99.5 %%, credit: 10 %%}]
      cap: 30 %%
    curtailment: {power: 300 kW, hours: 100h, notice: 30m, price: 150 $/MWh}
`

const cloudText = `tenant: %s
contract: %s
timezone: America/Chicago
customer: {name: %s, address: [2 Example Street]}
seller: {name: North Creek Compute LLC, address: [1 Substation Road], pay: [Example Bank]}
versions:
  - from: 2026-01-01
    kind: gpu-cloud
    gpu_cloud:
%s`

// writeSite writes the site file and the contracts into dir and reads them as a user's would be.
func writeSite(dir string) (*sitefile.File, error) {
	texts := map[string]string{
		"site.yaml":   siteText,
		"acme.yaml":   fmt.Sprintf(spaceText, acme, "MSA-1", "Acme AI Inc.", "1200 kW", "125 $/kW-month", "3 %"),
		"boreal.yaml": fmt.Sprintf(spaceText, boreal, "MSA-2", "Boreal Labs", "800 kW", "130 $/kW-month", "0 %"),
		"cirrus.yaml": fmt.Sprintf(spaceText, cirrus, "MSA-3", "Cirrus Ltd.", "600 kW", "140 $/kW-month", "0 %"),
		"serve.yaml": fmt.Sprintf(cloudText, serve, "GPU-1", "Serving Co.",
			"      reserved: [{model: H100, gpus: 16, rate: 2.10 $}]\n      on_demand: {H100: 2.80 $}\n"),
		"lab.yaml": fmt.Sprintf(cloudText, lab, "GPU-2", "Training Lab",
			"      interruptible: {H100: 1.20 $}\n      storage: {tb: 120, rate: 20 $}\n"),
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write the simulated site: %w", err)
		}
	}
	return sitefile.Load(filepath.Join(dir, "site.yaml"), sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
}

// span is a stretch of site time.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// plan is what happens in the month, and when.
type plan struct {
	zone       *time.Location
	month      span
	outage     span // acme's feeder has no power
	curtailed  span // boreal gives power back
	brownout   span // cirrus gets less than it wants
	away       span // the controller is down
	unpriced   span // no price is known
	pricedAt   time.Time
	lost       map[string]span // readings of a meter, or of the cluster, that do not come
	unheard    span            // the cluster's engine does not answer
	powerCycle time.Time       // of a node
}

func planOf(month string) (plan, error) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		return plan{}, fmt.Errorf("simulate a month: %w", err)
	}
	first, err := time.ParseInLocation("2006-01", month, zone)
	if err != nil {
		return plan{}, fmt.Errorf("simulate month %q: it must be like 2026-10: %w", month, err)
	}
	at := func(day, hour, minute, second int, d time.Duration) span {
		t := time.Date(first.Year(), first.Month(), day, hour, minute, second, 0, zone)
		return span{t, t.Add(d)}
	}
	return plan{
		zone: zone, month: span{first, first.AddDate(0, 1, 0)},
		outage:    at(12, 14, 7, 30, 37*time.Minute+30*time.Second),
		curtailed: at(14, 16, 0, 0, 2*time.Hour),
		brownout:  at(22, 3, 12, 0, 2*time.Hour+15*time.Minute),
		away:      at(17, 3, 35, 20, 7*time.Minute),
		unpriced:  at(20, 9, 0, 0, 2*time.Hour), pricedAt: at(20, 17, 2, 0, 0).from,
		lost: map[string]span{
			"acme-feeder": at(9, 10, 1, 0, time.Hour), gpuID: at(13, 20, 2, 30, time.Hour), "connection": at(18, 5, 3, 0, time.Hour),
			"gpu-hall": at(24, 11, 4, 0, time.Hour),
		},
		unheard:    at(26, 8, 1, 0, 20*time.Minute),
		powerCycle: at(28, 13, 0, 0, 0).from,
	}, nil
}
