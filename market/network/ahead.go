package network

import (
	"time"

	"switchyard/market"
	"switchyard/unit"
)

// feeBlocks is how many of the newest blocks fees are averaged over: a day's.
const feeBlocks = 144

// paceBlocks is how much the rule's ten minutes count beside the epoch's own blocks when the
// hashrate is not given: as much as so many blocks, for a few blocks alone tell little.
const paceBlocks = 144

// State is the network as it stands.
type State struct {
	Height int64     // of the newest block
	At     time.Time // when it was found
	Bits   Bits      // target of the running epoch
	// Began is the time of the epoch's first block.
	Began time.Time
	// Hashrate of the network; zero: by the pace of the epoch's blocks.
	Hashrate unit.Hashrate
	Fees     int64      // satoshi a block, mean of the newest: see MeanFees
	Price    unit.Money // of one bitcoin
}

// Of returns the network as a node told it; false where it did not tell when the epoch began.
func Of(c market.Chain) (State, bool) {
	if c.Began.IsZero() || c.Bits == 0 {
		return State{}, false
	}
	return State{Height: c.Height, At: c.At, Bits: Bits(c.Bits), Began: c.Began, Fees: c.Fees, Price: c.Price}, true
}

// MeanFees returns the mean fees, in satoshi a block, of the newest 144 blocks of those given,
// the newest last; zero for none.
func MeanFees(fees []int64) int64 {
	fees = fees[max(len(fees)-feeBlocks, 0):]
	if len(fees) == 0 {
		return 0
	}
	sum := int64(0)
	for _, f := range fees {
		sum += f
	}
	return sum / int64(len(fees))
}

// Stretch is a time in which the network's terms stay as they are.
type Stretch struct {
	From       time.Time
	Height     int64 // of its first block
	Bits       Bits
	Difficulty float64
	Subsidy    int64 // satoshi a block
	// Hashprice is what a PH/s is expected to earn in a day, before pool fees.
	Hashprice unit.Hashprice
}

// mined is how many blocks of the running epoch are found, the newest included.
func (s State) mined() int64 { return s.Height%Epoch + 1 }

// pace is the time that a block is expected to take until the retarget.
func (s State) pace() time.Duration {
	if s.Hashrate > 0 {
		return spacing(s.Bits, s.Hashrate)
	}
	n, taken := s.mined()-1, s.At.Sub(s.Began)
	if n <= 0 || taken <= 0 {
		return Spacing
	}
	return (taken + paceBlocks*Spacing) / time.Duration(n+paceBlocks)
}

// spacing is the mean time between blocks at a hashrate, from a second to a day.
func spacing(b Bits, h unit.Hashrate) time.Duration {
	seconds := b.Difficulty() * (1 << 32) / float64(h)
	return time.Duration(min(max(seconds, 1), 86_400) * float64(time.Second))
}

// hashrate is the network's, given or by its pace.
func (s State) hashrate() unit.Hashrate {
	if s.Hashrate > 0 {
		return s.Hashrate
	}
	return unit.Hashrate(s.Bits.Difficulty() * (1 << 32) / s.pace().Seconds())
}

// Retarget returns the height of the first block of the next epoch, when it is expected, and
// the target that it is expected to bring: the blocks found so far count as they came, the
// others by the hashrate, which is taken to stay.
func (s State) Retarget() (height int64, at time.Time, next Bits) {
	height = s.Height - s.Height%Epoch + Epoch
	last := s.At.Add(time.Duration(height-1-s.Height) * s.pace())
	return height, last.Add(s.pace()), NextWork(s.Bits, s.Began, last)
}

// NextHalving returns the height of the next block whose subsidy is half of that before it,
// and when it is expected.
func (s State) NextHalving() (height int64, at time.Time) {
	height = (s.Height/Halving + 1) * Halving
	at, now, pace := s.At, s, s.pace()
	for {
		next := now.Height - now.Height%Epoch + Epoch
		if next > height {
			return height, at.Add(time.Duration(height-now.Height) * pace)
		}
		at = at.Add(time.Duration(next-now.Height) * pace)
		now = now.after(next, at)
		pace = now.pace()
	}
}

// after is the network at the first block of the next epoch.
func (s State) after(height int64, at time.Time) State {
	_, _, bits := s.Retarget()
	return State{Height: height, At: at, Began: at, Bits: bits, Hashrate: s.hashrate(), Fees: s.Fees, Price: s.Price}
}

// Path returns the stretches of time from the newest block until to, in order: a new one
// begins with every retarget and every halving. Price, fees and hashrate hold on: a path says
// what the rules change, not what the world will.
func (s State) Path(to time.Time) []Stretch {
	out := []Stretch{s.stretch(s.At, s.Height+1)}
	for {
		height, at, _ := s.Retarget()
		if h, half := s.NextHalving(); h < height && half.Before(to) {
			out = append(out, s.stretch(half, h))
		}
		if !at.Before(to) {
			return out
		}
		s = s.after(height, at)
		out = append(out, s.stretch(at, height))
	}
}

func (s State) stretch(from time.Time, height int64) Stretch {
	d, subsidy := s.Bits.Difficulty(), market.Subsidy(height)
	perPH := market.BTCPerPHDay(d, float64(subsidy+s.Fees)/market.Satoshi)
	return Stretch{
		From: from, Height: height, Bits: s.Bits, Difficulty: d, Subsidy: subsidy,
		Hashprice: unit.DollarsPerPHDay(perPH * s.Price.Dollars()),
	}
}

// Hashprice returns the hashprice of the path at t: that of the first stretch before it begins.
func Hashprice(path []Stretch, t time.Time) unit.Hashprice {
	var h unit.Hashprice
	for i, p := range path {
		if i == 0 || !p.From.After(t) {
			h = p.Hashprice
		}
	}
	return h
}

// Mean returns the mean hashprice of the path over [from, to); that at from where the span is
// empty.
func Mean(path []Stretch, from, to time.Time) unit.Hashprice {
	total := to.Sub(from)
	if total <= 0 {
		return Hashprice(path, from)
	}
	sum := 0.0
	for at := from; at.Before(to); {
		end := to
		for _, p := range path {
			if p.From.After(at) && p.From.Before(end) {
				end = p.From
			}
		}
		sum += float64(Hashprice(path, at)) * float64(end.Sub(at))
		at = end
	}
	return unit.Hashprice(sum / float64(total))
}
