// Package network owns the Bitcoin network ahead: the next difficulty by the consensus rule,
// when it and the next halving are to be expected, and the hashprice that follows from both.
//
// It never asks a node or reads a clock: a State goes in, what is to be expected comes out. It
// never guesses at the price of bitcoin: the newest one holds on.
//
// Concurrency: values are plain data and all functions are pure.
package network

import (
	"math/big"
	"time"
)

// The consensus rule: each Epoch of blocks is to last Timespan.
const (
	Epoch    = 2016
	Timespan = 14 * 24 * time.Hour
	Spacing  = Timespan / Epoch
	Halving  = 210_000 // blocks between two halvings of the subsidy
)

// Bits is a target in the compact form of a block's header: the upper byte is the length of
// the number in bytes, the others are its leading digits and, at 0x00800000, its sign.
type Bits uint32

// Limit is the easiest target of the main network.
const Limit Bits = 0x1d00ffff

const (
	digits   = 0x007fffff
	negative = 0x00800000
)

// Target returns the number that a block's hash may not exceed. False where the form says a
// negative number, nought, or one beyond 256 bits.
func (b Bits) Target() (*big.Int, bool) {
	length, word := uint(b>>24), b&digits
	t := big.NewInt(int64(word))
	if length <= 3 {
		t.Rsh(t, 8*(3-length))
	} else {
		t.Lsh(t, 8*(length-3))
	}
	return t, t.Sign() > 0 && b&negative == 0 && t.BitLen() <= 256
}

// Compact returns a positive target in the compact form, its further digits cut off.
func Compact(t *big.Int) Bits {
	length := uint((t.BitLen() + 7) / 8)
	var word uint64
	if length <= 3 {
		word = t.Uint64() << (8 * (3 - length))
	} else {
		word = new(big.Int).Rsh(t, 8*(length-3)).Uint64()
	}
	if word&negative != 0 { // it would read as the sign
		word >>= 8
		length++
	}
	return Bits(length<<24) | Bits(word)
}

// Difficulty returns how many times harder than the easiest target this one is; zero for one
// that is none.
func (b Bits) Difficulty() float64 {
	t, ok := b.Target()
	if !ok {
		return 0
	}
	easy, _ := Limit.Target()
	d, _ := new(big.Float).Quo(new(big.Float).SetInt(easy), new(big.Float).SetInt(t)).Float64()
	return d
}

// NextWork returns the target of the epoch that follows one with the target last, whose first
// and newest blocks carry these times: the old target by the time taken over Timespan, the
// time held within a quarter and four times of it, in whole seconds and whole numbers as every
// node computes it. The time is that of 2,015 intervals, one less than an epoch has.
func NextWork(last Bits, first, newest time.Time) Bits {
	target, ok := last.Target()
	if !ok {
		return last
	}
	const span = int64(Timespan / time.Second)
	taken := min(max(newest.Unix()-first.Unix(), span/4), span*4)
	target.Mul(target, big.NewInt(taken)).Div(target, big.NewInt(span))
	if easy, _ := Limit.Target(); target.Cmp(easy) > 0 {
		target = easy
	}
	return Compact(target)
}
