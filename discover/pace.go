package discover

import (
	"math"
	"time"
)

// pace decides how many connections are under way at once and how long one is waited for.
// It knows no clock: its sweep tells it what happened and when a quarter of a second is over.
type pace struct {
	limit, least, most float64
	known              float64 // at which it went wrong before; 0: never
	bad                bool    // something went wrong since the last tick
	deaf               int     // known addresses in a row that did not answer

	srtt, dev time.Duration // as TCP keeps them
	samples   int
	longer    time.Duration // at least this long, after a known address did not answer
}

func newPace(most int) *pace {
	p := &pace{least: math.Min(16, float64(most)), most: float64(most)}
	p.limit = math.Min(256, p.most)
	return p
}

// answered takes the time that a connection or a refusal took.
func (p *pace) answered(took time.Duration) {
	if p.samples++; p.samples == 1 {
		p.srtt, p.dev = took, took/2
		return
	}
	diff := took - p.srtt
	p.srtt += diff / 8
	p.dev += (max(diff, -diff) - p.dev) / 4
}

// timeout is how long a connection is waited for.
func (p *pace) timeout() time.Duration {
	if p.samples < 16 {
		return firstTimeout
	}
	return min(max(p.srtt+8*p.dev, leastTimeout, p.longer), firstTimeout)
}

// short says that this machine ran out of something.
func (p *pace) short() {
	if !p.bad {
		p.shrink(0.5)
	}
}

// checked takes whether an address that is known to live answered again.
func (p *pace) checked(ok bool) {
	if ok {
		p.deaf = 0
		p.longer = p.longer * 3 / 4
		return
	}
	p.deaf++
	p.longer = firstTimeout
	if p.deaf == 1 {
		p.shrink(0.8) // it may have gone away by itself
	} else {
		p.shrink(0.5)
	}
}

func (p *pace) shrink(by float64) {
	p.bad = true
	p.known = p.limit
	p.limit = math.Max(p.least, p.limit*by)
}

// careful keeps the limit below where it went wrong, from now on.
func (p *pace) careful() {
	if p.known > 0 {
		p.most = math.Max(p.least, math.Min(p.most, 0.7*p.known))
		p.limit = math.Min(p.limit, p.most)
	}
}

// tick lets the limit grow where nothing went wrong and the sweep would have used more:
// quickly up to where it went wrong before, then slowly.
func (p *pace) tick(wanted bool) {
	bad := p.bad
	if p.bad = false; bad || !wanted {
		return
	}
	by := 1.5
	if p.known > 0 && p.limit*by > 0.9*p.known {
		by = 1.03
	}
	p.limit = math.Min(p.most, p.limit*by)
}
