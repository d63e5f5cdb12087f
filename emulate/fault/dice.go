package fault

import "sync"

// Dice is a small seeded source of chance that many goroutines may throw. With one
// thrower the row of throws is the same for the same seed.
type Dice struct {
	mu    sync.Mutex
	state uint64
}

// NewDice returns dice with a seed.
func NewDice(seed uint64) *Dice { return &Dice{state: seed} }

// Float returns a number from 0 up to, not including, 1.
func (d *Dice) Float() float64 { return float64(d.next()>>11) / (1 << 53) }

// Below returns a whole number from 0 up to, not including, n; 0 when n is below 2.
func (d *Dice) Below(n int) int {
	if n < 2 {
		return 0
	}
	return int(d.next() % uint64(n))
}

// Hit says whether an event of the given chance happens.
func (d *Dice) Hit(chance float64) bool { return chance >= 1 || d.Float() < chance }

func (d *Dice) next() uint64 {
	d.mu.Lock()
	d.state += 0x9e3779b97f4a7c15 // splitmix64
	x := d.state
	d.mu.Unlock()
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
