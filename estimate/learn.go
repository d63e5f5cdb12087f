package estimate

import (
	"math"
	"time"
)

const (
	meterNoise = 0.002            // of a meter's reading from one moment to the next
	meterStep  = 1.0              // W, of its last digit
	tooFar     = 16               // squared standard deviations beyond which a moment is not believed
	oddBefore  = 3                // moments in a row until they are, as a draw that no miner explains
	oddApart   = 90 * time.Second // between two of them
	sameAgain  = 2 * time.Minute  // between two moments of the same make-up
	newAgain   = 20 * time.Second // between two of any
)

// root is what one node's meter gives at a moment: itself the root of what it is the nearest to.
type root struct {
	at     int     // the nearest node at or above whose meter reads; -1: none
	lift   float64 // from power entering this node, or drawn at it, to power entering the root
	reads  bool    // at is this node
	spoilt bool    // something below draws that no meter tells
	watts  float64
	noise  float64 // W^2, of the reading
	metered,
	house float64 // of the meters next below, of the house load
}

// place finds for each node the root that measures it.
func (e *Estimator) place(reads func(node int) bool) {
	for i := range e.roots {
		n := e.tree.Node(i)
		r := root{at: -1, lift: 1, reads: reads(i)}
		if n.Loss > 0 && n.Loss < 1 {
			r.lift = 1 / (1 - float64(n.Loss))
		}
		if r.reads {
			r.at = i
		} else if n.Parent >= 0 {
			r.at = e.roots[n.Parent].at
			r.lift *= e.roots[n.Parent].lift
		}
		e.roots[i] = r
	}
}

// fill adds up what the meters read, each at its own root's moment and at that of the root
// above. reading gives a node's meter and how far it may be off, in watts.
func (e *Estimator) fill(in Input, reading func(node, root int) (watts, off float64)) {
	for i := range e.roots {
		r := &e.roots[i]
		var up *root
		if p := e.tree.Node(i).Parent; p >= 0 && e.roots[p].at >= 0 {
			up = &e.roots[p]
		}
		if r.reads {
			w, off := reading(i, i)
			r.watts = w
			r.noise += sq(off)
		}
		if r.reads && up != nil {
			w, off := reading(i, up.at)
			e.roots[up.at].metered += w * up.lift
			e.roots[up.at].noise += sq(off * up.lift)
		}
		if i >= len(in.Nodes) || r.at < 0 {
			continue
		}
		to, n := &e.roots[r.at], &in.Nodes[i]
		to.spoilt = to.spoilt || n.Tenant
		to.house += n.House.Watts() * r.lift
		to.noise += sq(n.HouseError.Watts() * r.lift)
	}
}

// learn takes up what the meters read a while ago, when all else is known of that moment.
func (e *Estimator) learn(in Input) {
	now := in.Now.UnixNano()
	then := now - int64(lag)
	type moment struct{ watts, off float64 }
	at := make([]moment, len(e.meters))
	e.place(func(i int) bool {
		w, differ, ok := e.meters[i].then(then)
		at[i] = moment{w, math.Hypot(meterNoise*w, differ)}
		return ok
	})
	e.fill(in, func(i, _ int) (float64, float64) { return at[i].watts, at[i].off })
	for i := range e.roots {
		if r := &e.roots[i]; r.reads && !r.spoilt {
			e.equation(i, now)
		}
	}
	for _, c := range e.cells {
		c.tie(now)
	}
}

// equation learns from one meter: what enters it is what its cells draw.
func (e *Estimator) equation(at int, now int64) {
	r, m := &e.roots[at], &e.meters[at]
	z := r.watts - r.metered - r.house
	var moved, loose, changed, all float64
	for _, c := range e.cells {
		up := &e.roots[c.key.node]
		if up.at != at {
			continue
		}
		moved += c.sums.moved * up.lift
		loose += c.sums.loose * sq(up.lift)
		z -= c.sums.known * up.lift
		for i, phi := range c.sums.phi {
			changed += math.Abs(phi*up.lift - c.used[i])
			all += math.Abs(phi * up.lift)
		}
	}
	gap := sameAgain
	if changed > 0.01*all {
		gap = newAgain
	}
	if all == 0 || now-m.usedAt < int64(gap) {
		return
	}
	noise := r.noise + loose + sq(moved) + 25
	if noise > sq(0.1*all+100) {
		return // too much is moving
	}
	if !e.update(at, z, noise, m, now) {
		return
	}
	m.usedAt = now
	for _, c := range e.cells {
		if up := &e.roots[c.key.node]; up.at == at {
			for i, phi := range c.sums.phi {
				c.used[i] = phi * up.lift
			}
			c.bound()
		}
	}
}

// update tells the filters of the blocks below a meter that they make z together, with a
// variance of noise; false where that is not to be believed.
func (e *Estimator) update(at int, z, noise float64, m *meter, now int64) bool {
	off, s := z, noise
	var below []*block
	for owner, b := range e.blocks {
		if b == nil || owner == 0 || e.roots[owner-1].at != at {
			continue
		}
		below = append(below, b)
		b.age(now)
		b.prepare(e.roots)
		v, value := b.project()
		off -= value
		s += v
	}
	if off*off > tooFar*s {
		if now-m.oddAt < int64(oddApart) {
			return false
		}
		m.odd++
		if m.oddAt = now; m.odd < oddBefore {
			return false
		}
		// It stays: most likely something draws here that is none of the miners, or they are
		// not what the file says.
		s = noise
		for _, b := range below {
			b.widen(sq(off) / float64(len(below)))
			v, _ := b.project()
			s += v
		}
	}
	m.odd = 0
	for _, b := range below {
		b.correct(off, s)
	}
	return true
}

// prepare writes the equation of the meter at hand.
func (b *block) prepare(roots []root) {
	clear(b.h)
	for _, c := range b.cells {
		up := &roots[c.key.node]
		b.h[0] = 1
		for i, phi := range c.sums.phi {
			b.h[c.at+i] = phi * up.lift
		}
	}
}

// widen forgets as much as would explain a miss of that variance: what no miner explains may be
// all of it, the nameplates and readings a quarter of themselves.
func (b *block) widen(missed float64) {
	b.set(0, 0, b.v(0, 0)+missed)
	for _, c := range b.cells {
		for _, i := range []int{stScale, stFull} {
			at := c.at + i
			b.set(at, at, max(b.v(at, at), min(sq(0.25), missed/(sq(b.h[at])+1))))
		}
	}
}
