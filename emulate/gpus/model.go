package gpus

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/sitefile/cluster"
	"switchyard/unit"
)

// Model is a GPU type.
type Model struct {
	Name    string
	Product string // as its driver names it: "NVIDIA H100 80GB HBM3"; empty: Name
	// Idle is drawn with no work on it, Full at full work uncapped; Least is the lowest cap.
	Idle, Full, Least unit.Power
	// Curve is throughput by cap, ascending; empty: DefaultCurve.
	Curve []cluster.Point
}

// DefaultCurve is the curve of a model that was not measured: 75 % of its full power leaves 95 %
// of the throughput and half of it 80 %, as measured on a fine-tune at 300 and 200 W of 400.
func DefaultCurve(full unit.Power) []cluster.Point {
	return []cluster.Point{
		{Power: full / 4, Throughput: 0.4},
		{Power: full / 2, Throughput: 0.8},
		{Power: full.Scale(0.75), Throughput: 0.95},
		{Power: full, Throughput: 1},
	}
}

// Figures of the boards that no two makers publish alike.
const (
	clockMax   = 1980.0 // MHz of the streaming multiprocessors, boosted
	clockIdle  = 345.0
	clockPower = 2.4 // dynamic power goes about with the clock to this power
)

// Throughput returns the share of full work done when held to a cap, by straight lines between
// the curve's points.
func (m *Model) Throughput(limit unit.Power) float64 {
	before := cluster.Point{}
	for _, p := range m.Curve {
		if limit < p.Power {
			span := float64(p.Power - before.Power)
			return float64(before.Throughput) + float64(p.Throughput-before.Throughput)*float64(limit-before.Power)/span
		}
		before = p
	}
	return 1
}

// clock returns the SM clock in MHz at power p (W) for work that would draw want.
func (m *Model) clock(p, want float64) float64 {
	idle := m.Idle.Watts()
	if want <= idle+1 {
		return clockIdle
	}
	share := min(1, max(0.02, (p-idle)/(want-idle)))
	return clockMax * math.Pow(share, 1/clockPower)
}

// NodeConfig is one machine.
type NodeConfig struct {
	Name  string
	Model Model
	GPUs  int
	// Idle and Full are drawn beside the GPUs, awake; Off with the power off.
	Idle, Full, Off unit.Power
}

// Config is a whole cluster.
type Config struct {
	ID    string
	Seed  uint64
	Nodes []NodeConfig
	// Steady takes the waves of work and the noise out, for tables.
	Steady bool
	// BootLeast and BootMost bound how long a node boots; default 5 and 15 minutes.
	BootLeast, BootMost time.Duration
	Faults              []Fault
}

// FromSite makes the configuration of a cluster of the site file. The error names the machine or
// model that cannot be emulated.
func FromSite(c cluster.Cluster, seed uint64) (Config, error) {
	models := map[string]Model{}
	for _, g := range c.GPUs {
		m := Model{Name: g.Model, Idle: g.Idle, Full: g.Full, Least: g.Least, Curve: slices.Clone(g.Curve)}
		for _, l := range g.Labels {
			if strings.Contains(l, " ") { // drivers write whole names, engines short ones
				m.Product = l
				break
			}
		}
		models[g.Model] = m
	}
	cfg := Config{ID: c.ID, Seed: seed}
	for _, row := range c.Machines {
		m, ok := models[row.Model]
		if !ok {
			return Config{}, fmt.Errorf("machines %s: there is no GPU model %q in gpus", row.Names, row.Model)
		}
		names, err := cluster.Names(row.Names)
		if err != nil {
			return Config{}, fmt.Errorf("machines %s: %w", row.Names, err)
		}
		for _, n := range names {
			cfg.Nodes = append(cfg.Nodes, NodeConfig{Name: n, Model: m, GPUs: row.GPUs, Idle: row.Idle, Full: row.Full, Off: row.Off})
		}
	}
	if len(cfg.Nodes) == 0 {
		return Config{}, fmt.Errorf("cluster %s has no machines", c.ID)
	}
	return cfg, nil
}

func (m *Model) complete() error {
	switch {
	case m.Full <= 0:
		return fmt.Errorf("GPU model %q has no full power", m.Name)
	case m.Idle < 0 || m.Idle > m.Full:
		return fmt.Errorf("GPU model %q: idle %s is not between 0 and full %s", m.Name, m.Idle, m.Full)
	}
	if m.Least <= 0 {
		m.Least = m.Full / 3
	}
	if m.Product == "" {
		m.Product = m.Name
	}
	if len(m.Curve) == 0 {
		m.Curve = DefaultCurve(m.Full)
	}
	return nil
}

func wattage(w float64) unit.Power { return unit.Power(w*1000 + 0.5) }
