package demo

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"text/template"
	"time"

	"switchyard/unit"
)

// Plan sizes the demonstration site.
type Plan struct {
	Miners    int           // in all; from 12
	Prices    string        // a price file; empty for a made-up day
	Hashprice float64       // $/PH/day
	Start     time.Time     // the first moment, site time
	Listen    string        // of the page
	Poll      time.Duration // of a miner
	DayAhead  string        // a file of day-ahead prices; empty: none
	Reserve   string        // a file of the evening reserve's prices; empty: no reserve
	VTN       string        // the utility's address, which sends grid emergencies; empty: none
	Webhook   string        // where the site listens for its notifications
	Ask       time.Duration // how often the site asks the utility
	GPUs      *gpuPlan      // the GPU cluster; nil: none
	Jump      bool          // the tenant goes from half to full draw within a minute, in the morning
	Seed      uint64
}

// The shares of the site's power. One miner stands for about 6.7 kW of site: 3.4 kW of its own
// and 3 kW of AI tenant, less what the connection cannot carry at once: the tenant's
// reservation and all miners together are more than the limit, as at a real site.
const (
	tenantPerMiner     = 3000 * unit.Watt
	connectionPerMiner = 5700 * unit.Watt
	reservePerMiner    = 250 * unit.Watt
)

func firmPower(miners int) unit.Power {
	return roundUp(unit.Power(miners)*tenantPerMiner, 10*unit.Kilowatt)
}

// rightPower is what the tenant's contract lets the site take back.
func rightPower(miners int) unit.Power { return roundUp(firmPower(miners).Scale(0.2), unit.Kilowatt) }

// emergencyPower is what a grid emergency leaves to the site: the tenant, its ramp and little
// else; with a GPU cluster as much of it as caps and a few pauses reach.
func emergencyPower(miners int, gpus bool) unit.Power {
	p := firmPower(miners).Scale(1.08)
	if gpus {
		p += clusterPower(miners).Scale(0.62)
	}
	return roundUp(p, 10*unit.Kilowatt)
}

// reserveDays is for how many evenings reserve is sold.
const reserveDays = 30

// evenings are the hours of each day's reserve, from the day of start on.
func evenings(start time.Time) (out []map[string]string) {
	for d := range reserveDays {
		midnight := start.UTC().Truncate(24*time.Hour).AddDate(0, 0, d)
		out = append(out, map[string]string{
			"From": midnight.Add(reserveFrom * time.Hour).Format(time.RFC3339), "To": midnight.Add(reserveTo * time.Hour).Format(time.RFC3339),
		})
	}
	return out
}

type hall struct {
	ID, Name, Model, Driver, Firmware string
	Share                             float64 // of the miners
	Nameplate                         unit.Power
	Hashrate                          unit.Hashrate
	Ports                             [][2]string // name and standard port
	Transformer                       string

	Count     int
	Addresses string
	PortLines []string
	Limit     unit.Power
	Inrush    unit.Power
	Meter     string
}

func halls() []hall {
	return []hall{
		{ID: "hall-a", Name: "Hall A, S21", Model: "Antminer S21", Driver: "antminer", Share: 0.40, Nameplate: 3500 * unit.Watt, Hashrate: 200 * unit.TeraHash, Ports: [][2]string{{"http", "80"}, {"rpc", "4028"}}, Transformer: "tx-1"},
		{ID: "hall-b", Name: "Hall B, M60S", Model: "Whatsminer M60S", Driver: "whatsminer", Share: 0.35, Nameplate: 3441 * unit.Watt, Hashrate: 186 * unit.TeraHash, Ports: [][2]string{{"rpc", "4028"}}, Transformer: "tx-2"},
		{ID: "hall-c", Name: "Hall C, Braiins OS", Model: "Antminer S19j Pro", Driver: "braiins", Share: 0.25, Nameplate: 3068 * unit.Watt, Hashrate: 104 * unit.TeraHash, Ports: [][2]string{{"http", "80"}}, Transformer: "tx-1"},
	}
}

// addressing says where emulated devices can listen on this machine.
type addressing struct {
	rows  bool // each miner has an address of its own (Linux); else one address and rows of ports
	shift int  // added to standard ports
	block int  // addresses are 127.block.x.y, so that two demonstrations fit one machine
}

// probe tries what this machine allows: its maker's own ports need a privilege, and some
// systems know only one loopback address.
func probe() addressing {
	a := addressing{rows: runtime.GOOS == "linux", block: 20}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:80")
	if err != nil && !strings.Contains(err.Error(), "in use") {
		a.shift = 10000
	}
	if err == nil {
		_ = l.Close()
	}
	for a.rows && a.block < 100 && !free(fmt.Sprintf("127.%d.0.1:%d", a.block, 502+a.shift)) {
		a.block++
	}
	return a
}

// free says whether an address can be listened on now.
func free(address string) bool {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// meter returns the i-th meter's address.
func (a addressing) meter(i int) string {
	if a.rows {
		return fmt.Sprintf("{address: 127.%d.0.%d, port: %d", a.block, i+1, 502+a.shift)
	}
	return fmt.Sprintf("{address: 127.0.0.1, port: %d", 19000+i)
}

// Render writes the demonstration's site file.
func Render(p Plan) ([]byte, error) {
	if p.Miners < 12 {
		return nil, fmt.Errorf("a demonstration needs at least 12 miners, not %d", p.Miners)
	}
	a := probe()
	hs := halls()
	left := p.Miners
	for i := range hs {
		h := &hs[i]
		h.Count = int(float64(p.Miners)*h.Share + 0.5)
		if i == len(hs)-1 {
			h.Count = left
		}
		left -= h.Count
		h.place(i, a)
		all := unit.Power(h.Count) * h.Nameplate
		h.Limit = roundUp(all.Scale(1.10), 5*unit.Kilowatt)
		h.Inrush = roundUp(max(all.Scale(0.12), 2*h.Nameplate), unit.Kilowatt)
		h.Meter = a.meter(3 + i)
	}
	firm := firmPower(p.Miners)
	limit, emergency := roundUp(unit.Power(p.Miners)*connectionPerMiner, 10*unit.Kilowatt), emergencyPower(p.Miners, p.GPUs != nil)
	if p.GPUs != nil {
		limit = roundUp(limit+clusterPower(p.Miners), 10*unit.Kilowatt)
	}
	data := map[string]any{
		"Plan": p, "Halls": hs, "Firm": firm, "Limit": limit, "Meters": []string{a.meter(0), a.meter(1), a.meter(2), a.meter(9)},
		"Tx1":       roundUp(hs[0].Limit+hs[2].Limit, 10*unit.Kilowatt),
		"Tx2":       roundUp(firm+(unit.Power(hs[1].Count)*hs[1].Nameplate).Scale(0.75), 10*unit.Kilowatt),
		"Emergency": emergency, "Reserve": roundUp(unit.Power(p.Miners)*reservePerMiner, 5*unit.Kilowatt), "Evenings": evenings(p.Start), "TenantLimit": firm.Scale(1.1), "Ramp": firm.Scale(0.5), "Right": rightPower(p.Miners),
		"GPUs": p.GPUs, "Cluster": clusterID,
		"Client": vtnClient, "Secret": vtnSecret, "Token": hookToken, "Lost": lostPolls * p.Ask,
		"Broken": fmt.Sprintf("%s-miners-%03d", hs[1].ID, 1),                   // for the lists of alerts and repairs
		"Liar":   fmt.Sprintf("%s-miners-%03d", hs[0].ID, min(7, hs[0].Count)), // the last one where there are fewer
	}
	var out strings.Builder
	if err := siteTemplate.Execute(&out, data); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

// place gives the hall's miners their addresses and ports.
func (h *hall) place(i int, a addressing) {
	if a.rows {
		first := net.IPv4(127, byte(a.block), byte(60*(i+1)), 1)
		last := net.IPv4(127, byte(a.block), byte(60*(i+1)+h.Count/256), byte(h.Count%256))
		h.Addresses = fmt.Sprintf("%s-%s", first, last)
	} else {
		h.Addresses = fmt.Sprintf("127.0.0.1*%d", h.Count)
	}
	for j, port := range h.Ports {
		switch {
		case !a.rows:
			h.PortLines = append(h.PortLines, fmt.Sprintf("%s: %d+", port[0], 20000+8000*i+4000*j))
		case a.shift != 0:
			var standard int
			_, _ = fmt.Sscan(port[1], &standard)
			h.PortLines = append(h.PortLines, fmt.Sprintf("%s: %d", port[0], standard+a.shift))
		}
	}
}

func roundUp(p, step unit.Power) unit.Power { return (p + step - 1) / step * step }

var siteTemplate = template.Must(template.New("site").Parse(`# A made-up site for the demonstration, sized for {{.Plan.Miners}} miners. Its devices are emulated.
site:
  name: Demonstration site
  timezone: UTC

connection:
  name: Grid connection
  limit: {{.Limit}}
  overload:
    - {ratio: 110 %, for: 30s, rest: 5m}
  loss: 0.2 %
  meter: {{index .Meters 0}}, profile: sunspec}

nodes:
  - id: tx-1
    name: Transformer 1
    limit: {{.Tx1}}
    meter: {{index .Meters 1}}, profile: schneider-pm5000}
  - id: tx-2
    name: Transformer 2
    limit: {{.Tx2}}
    overload:
      - {ratio: 120 %, for: 60s, rest: 10m}
    meter: {{index .Meters 2}}, profile: schneider-pm5000}
{{- range $h := .Halls}}
  - id: {{$h.ID}}
    name: "{{$h.Name}}"
    parent: {{$h.Transformer}}
    limit: {{$h.Limit}}
    inrush: {power: {{$h.Inrush}}, per: 30s}
    meter: {{$h.Meter}}, profile: generic}
{{- end}}
  - id: ai-hall
    name: AI hall
    parent: tx-2
    limit: {{.TenantLimit}}
    meter: {{index .Meters 3}}, profile: sunspec}
{{- with .GPUs}}
  - id: gpu-hall
    name: GPU hall
    limit: {{.Limit}}
    meter: {{.Meter}}, profile: generic}
{{- end}}

groups:
{{- range .Halls}}
  - id: {{.ID}}-miners
    name: "{{.Model}}"
    node: {{.ID}}
    driver: {{.Driver}}
    model: {{.Model}}
    addresses: ["{{.Addresses}}"]
{{- if .PortLines}}
    ports:
{{- range .PortLines}}
      {{.}}
{{- end}}
{{- end}}
    nameplate: {{.Nameplate}}
    hashrate: {{.Hashrate}}
    standby: 40 W
    pool_fee: 1 %
    restart_cost: 0.01 $
    min_rest: 3m
    min_run: 15m
    poll: {{$.Plan.Poll}}
{{- end}}

tenants:
  - id: ai
    name: AI tenant
    node: ai-hall
    firm: {{.Firm}}
    rate: 125 $/kW-month
    power: pass-through
    availability: 99.9 %
    penalty: 3000 $/MWh
    ramp: {{.Ramp}}
    curtail: {power: {{.Right}}, hours: 40h, notice: 30m, price: 250 $/MWh, call: ask}
{{- with .GPUs}}
    contract: contract-ai.yaml
{{- end}}
{{with .GPUs}}
clusters: # our own GPUs: an emulated Kubernetes with Kueue
  - id: {{$.Cluster}}
    name: GPU cloud
    node: gpu-hall
    kubernetes: {server: "{{.API}}", token: "file:{{.Token}}"}
    gpus:
      - {model: H100, idle: 70 W, full: {{.GPU}}, least: 200 W, labels: ["NVIDIA H100 80GB HBM3"]}
    machines:
      - {names: "gpu-[01-{{printf "%02d" .Nodes}}]", model: H100, gpus: 8, idle: {{.Idle}}, full: {{.Full}}, off: 40 W}
    agents:
      token: "file:{{.Token}}"
      poll: 30s
      hosts:
{{- range $node, $url := .Agents}}
        {{$node}}: "{{$url}}"
{{- end}}
    dcgm_exporter:
      poll: 30s
      hosts:
{{- range $node, $url := .Exporters}}
        {{$node}}: "{{$url}}"
{{- end}}
    bmc:
      user: admin
      password: "file:{{.Token}}"
      hosts:
{{- range $node, $url := .BMCs}}
        {{$node}}: "{{$url}}"
{{- end}}
    classes:
      - {name: serving, kind: firm, queues: [serving], value: 2.10 $, penalty: 20000 $/MWh}
      - name: training
        kind: pause
        queues: [training]
        value: 1.60 $
        slowdown: 25 %
        pause: 4h
        per: 24h
        checkpoint: 30s
        every: 20m
        min_run: 10m
        restart: 3m
    tenants:
      - {id: serve, name: Serving Co., contract: contract-serve.yaml, reserved: {H100: {{.Firm}}}}
      - {id: lab, name: Training Lab, contract: contract-lab.yaml}
    ramp: {{.Ramp}}
    restore: {{.Restore}}
{{end}}
market:
  price:
{{- if .Plan.Prices}}
    csv: {{.Plan.Prices}}
    stale: 75m
{{- else}}
    made_up: {{.Plan.Seed}}
{{- end}}
  bitcoin:
    hashprice: {{.Plan.Hashprice}} $/PH/day
  charges:
    demand:
      - {name: on-peak, rate: 1.50 $/kW-month, interval: 15m, daily: {from: "18:00", to: "21:00"}}
{{- if .Plan.DayAhead}}
  day_ahead: {csv: {{.Plan.DayAhead}}}
{{- end}}
{{if .Plan.Reserve}}
reserves: # what a trader sold for the evenings
  - name: ecrs
    response: 10m
    duration: 2h
    most: {{.Reserve}}
    price: {csv: {{.Plan.Reserve}}}
    short: 3000 $/MWh
    sold:
{{- range .Evenings}}
      - {power: {{$.Reserve}}, from: {{.From}}, to: {{.To}}}
{{- end}}
{{end}}{{if .Plan.VTN}}
signals:
  openadr:
    - name: utility
      url: {{.Plan.VTN}}
      client: {user: {{.Client}}, password: "file:{{.Secret}}"}
      levels: {3: {{.Emergency}}}
      poll: {{.Plan.Ask}}
      webhook: http://{{.Plan.Webhook}}/openadr
      webhook_listen: {{.Plan.Webhook}}
      webhook_token: "file:{{.Token}}"
      lost: {after: {{.Lost}}, then: keep}
{{end}}
lost: {meter: nameplate, price: hold, controller: keep}
control: {period: 5s, margin: 1 %}
store: {dir: .}
api: {listen: "{{.Plan.Listen}}"}

emulate:
  seed: {{.Plan.Seed}}
  tenants:
    ai:
      low: 50 %
      high: 100 %
      jump: 5h
      jump_time: 60s
{{- if .Plan.Jump}}
      at:
        - {at: "09:00", to: 50 %, for: 10m}
        - {at: "09:30", to: 100 %, for: 60s}
{{- end}}
  faults:
    - {kind: lying, devices: [{{.Liar}}]}
    - {kind: dead-board, devices: [{{.Broken}}]}
`))
