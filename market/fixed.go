package market

import (
	"time"

	"switchyard/unit"
)

// slot is the interval that feeds without intervals of their own cut time into.
const slot = 5 * time.Minute

// Fixed is a PriceFeed of one price for all time.
type Fixed unit.Price

// At returns the price.
func (f Fixed) At(t time.Time) Quote {
	from := t.Truncate(slot)
	return Quote{Price: unit.Price(f), From: from, To: from.Add(slot), Known: true, Source: "fixed"}
}

// Series returns one interval with the price.
func (f Fixed) Series(from, to time.Time) []Quote {
	if !from.Before(to) {
		return nil
	}
	return []Quote{{Price: unit.Price(f), From: from, To: to, Known: true, Source: "fixed"}}
}

// FixedHash is a HashFeed of one hashprice for all time.
type FixedHash unit.Hashprice

// At returns the hashprice.
func (f FixedHash) At(t time.Time) HashQuote {
	from := t.Truncate(slot)
	return HashQuote{Hashprice: unit.Hashprice(f), From: from, To: from.Add(slot), Known: true, Source: "fixed"}
}

// Series returns one interval with the hashprice.
func (f FixedHash) Series(from, to time.Time) []HashQuote {
	if !from.Before(to) {
		return nil
	}
	return []HashQuote{{Hashprice: unit.Hashprice(f), From: from, To: to, Known: true, Source: "fixed"}}
}

// noHash is for a site that does not mine.
type noHash struct{}

func (noHash) At(time.Time) HashQuote {
	return HashQuote{Source: "none", Reason: "the site file names no source of hashprice"}
}

func (noHash) Series(_, _ time.Time) []HashQuote { return nil }
