package gpus

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"switchyard/emulate/fault"
	"switchyard/unit"
)

// State is where a node stands.
type State uint8

// The states of a node.
const (
	On       State = iota
	Booting        // has power and no operating system yet
	Stopping       // its operating system goes down
	Off            // without power, by its controller
	Dark           // its feeder has no voltage
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"on", "booting", "stopping", "off", "dark"}[min(int(s), 4)]
}

// Times and shares of nodes and boards.
const (
	followTau  = 1.0  // s: power behind work and caps
	heatTau    = 40.0 // s: temperature
	ambient    = 27.0 // deg C of a GPU without power
	rise       = 42.0 // deg C above it at full power
	inrushTime = 2 * time.Second
	fansTime   = 45 * time.Second // at the start of a boot, fans at full speed
	stopTime   = 40 * time.Second // an orderly shutdown
)

type node struct {
	cfg   NodeConfig
	model *Model
	rng   wave
	gpus  []gpu

	state  State
	left   time.Duration // of booting or stopping
	since  time.Duration // since the power came
	again  bool          // to boot once it is off
	boots  int
	base   float64 // W beside the GPUs
	draw   unit.Power
	energy counter // at the power supplies, kept by the controller
	mean   float64 // activity of its GPUs
}

type gpu struct {
	uuid     string
	bus      string
	serial   string
	spread   float64 // of this very board's idle and full power
	limit    float64 // W
	power    float64 // W
	draw     unit.Power
	activity float64 // what the work asks for
	use      float64 // told
	want     float64 // W without a cap
	temp     float64
	energy   counter
	lost     bool
	xid      int
	run      *run
	busy     float64 // by an engine outside
	owner    Owner
}

// Owner is whose work is on a GPU, as the node's kubelet tells an exporter.
type Owner struct{ Namespace, Pod, Container, Job string }

func newNode(cfg NodeConfig, m *Model, seed uint64) *node {
	n := &node{cfg: cfg, model: m, rng: seedOf(seed, "node "+cfg.Name), base: cfg.Idle.Watts()}
	n.gpus = make([]gpu, cfg.GPUs)
	sum := n.base
	for i := range n.gpus {
		g := &n.gpus[i]
		var id [16]byte
		binary.BigEndian.PutUint64(id[:8], fault.Hash(seed, cfg.Name+" uuid"))
		binary.BigEndian.PutUint64(id[8:], fault.Hash(seed+uint64(i)+1, cfg.Name+" uuid of one"))
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		h := hex.EncodeToString(id[:])
		g.uuid = "GPU-" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
		g.bus = "00000000:" + hex.EncodeToString([]byte{byte(0x18 + 0x11*i)}) + ":00.0"
		g.serial = "16" + h[20:31]
		g.spread = 1 + 0.01*n.rng.signed()
		g.limit = m.Full.Watts()
		g.power = m.Idle.Watts() * g.spread
		g.temp = ambient + rise*g.power/m.Full.Watts()
		g.draw = unit.Watts(g.power)
		sum += g.power
	}
	n.draw = unit.Watts(sum)
	return n
}

// stepNode moves a node by dt; k and slow are the shares by which power and heat follow.
func (c *Cluster) stepNode(n *node, dt time.Duration, k, slow float64, live bool) unit.Power {
	c.moveNode(n, dt, live)
	sum := n.stepBase(k)
	total, full, idle := unit.Watts(sum), n.model.Full.Watts(), n.model.Idle.Watts()
	powered := n.state == On || n.state == Stopping || n.state == Booting && n.since > fansTime
	n.mean = 0
	for i := range n.gpus {
		g := &n.gpus[i]
		goal := 0.0
		if powered {
			goal = c.aim(n, g, idle, full)
		}
		g.power += (goal - g.power) * k
		if goal == 0 && g.power < 0.5 {
			g.power = 0
		}
		g.temp += (ambient + rise*g.power/full - g.temp) * slow
		g.draw = unit.Power(g.power*1000 + 0.5)
		if n.state == On {
			g.energy.add(g.draw, dt)
		}
		total += g.draw
		n.mean += g.activity
	}
	if len(n.gpus) > 0 {
		n.mean /= float64(len(n.gpus))
	}
	n.draw = total
	n.energy.add(total, dt)
	return total
}

// aim returns the power that a GPU goes to, in W.
func (c *Cluster) aim(n *node, g *gpu, idle, full float64) float64 {
	switch {
	case g.run != nil:
		g.activity, g.use = g.run.activity, g.run.use
	case n.state == On && g.busy > 0:
		g.activity, g.use = g.busy, g.busy
		if !c.steady {
			g.activity *= n.sway(c.now)
		}
	default:
		g.activity, g.use = 0, 0
	}
	if g.lost || n.state != On {
		g.activity, g.use = 0, 0
	}
	g.want = idle + (full-idle)*g.activity
	if c.steady {
		return min(g.want, g.limit)
	}
	g.want *= g.spread
	if g.want > g.limit { // the regulator hunts just below the cap
		return g.limit * (0.995 + 0.004*n.rng.signed())
	}
	return min(g.want*(1+0.004*n.rng.signed()), g.limit)
}

// sway is the wave of work of which nothing but its GPUs' load is known.
func (n *node) sway(now time.Time) float64 {
	phase := float64(now.UnixMilli()%17_000)/17_000 + float64(n.gpus[0].serial[3]&7)/8
	if _, f := math.Modf(phase); f > 0.82 {
		return dipShare
	}
	return 1
}

func (n *node) stepBase(k float64) float64 {
	idle, full := n.cfg.Idle.Watts(), n.cfg.Full.Watts()
	goal := idle
	switch n.state {
	case Off:
		n.base = n.cfg.Off.Watts()
		return n.base
	case Dark:
		n.base = 0
		return 0
	case Booting:
		switch {
		case n.since <= inrushTime:
			n.base = full
			return full
		case n.since <= fansTime:
			goal = idle + 0.4*(full-idle)
		}
	case On:
		goal = idle + (full-idle)*n.mean
	}
	n.base += (goal - n.base) * k
	return n.base
}

// moveNode changes a node's state.
func (c *Cluster) moveNode(n *node, dt time.Duration, live bool) {
	if !live {
		if n.state != Dark {
			n.again = n.state == On || n.state == Booting || n.again
			c.drop(n)
			n.state = Dark
		}
		return
	}
	n.since += dt
	switch n.state {
	case Dark: // the voltage is back: as it was before
		n.state = Off
		if n.again {
			c.startBoot(n)
		}
	case Booting:
		if n.left -= dt; n.left <= 0 {
			n.state = On
			c.caps++
			for i := range n.gpus {
				g := &n.gpus[i]
				g.energy, g.lost, g.xid = counter{}, false, 0
				g.limit = n.model.Full.Watts() // caps do not survive the driver
			}
		}
	case Stopping:
		if n.left -= dt; n.left <= 0 {
			n.state = Off
			if n.again {
				c.startBoot(n)
			}
		}
	}
}

func (c *Cluster) startBoot(n *node) {
	n.again = false
	n.boots++
	n.state, n.since = Booting, 0
	n.left = c.boot[0] + time.Duration(float64(c.boot[1]-c.boot[0])*n.rng.float())
}

// drop ends all work of a node at once.
func (c *Cluster) drop(n *node) {
	for i := range n.gpus {
		if r := n.gpus[i].run; r != nil {
			c.endRun(r, c.now, Failed)
		}
		n.gpus[i].busy = 0
		n.gpus[i].owner = Owner{}
	}
}
