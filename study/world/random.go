package world

import "switchyard/study/world/exact"

// variable names one source of chance; its random numbers depend on the seed, the path, itself and
// the month alone, so that nothing else that is drawn, or left out, moves them.
type variable uint64

// The sources of chance. New ones go to the end: a path must stay what it is.
const (
	priceMoves variable = iota + 1
	networkMoves
	powerMoves
	gpuMoves
	spikeComes
	spikeSize
	costMoves
	delayMoves
	tenantFails
	tenantStays
	gridComes
	commonCost
	commonDelay
)

// stream is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) read at a counter instead of in turn.
type stream uint64

const golden = 0x9e3779b97f4a7c15 // two to the 64 over the golden ratio

// mix is the output function of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// streamOf begins the numbers of a variable on a path.
func streamOf(seed uint64, path int, v variable) stream {
	k := mix(seed + golden)
	k = mix(k ^ (uint64(path)+1)*0xd1342543de82ef95)
	return stream(mix(k ^ uint64(v)*0x2545f4914f6cdd1d))
}

// bits are the 64 random bits at counter n.
func (s stream) bits(n int) uint64 { return mix(uint64(s) + (uint64(n)+1)*golden) }

// uniform is a number between 0 and 1, neither of them included.
func (s stream) uniform(n int) float64 {
	return float64((float64(s.bits(n)>>12) + 0.5) * 0x1p-52)
}

// normal is a standard normal number.
func (s stream) normal(n int) float64 { return exact.Normal(s.uniform(n)) }
