package outlook

import (
	"time"

	"switchyard/market"
	"switchyard/unit"
)

// Known are Prices that say no more than a series says, such as the day-ahead price.
type Known struct {
	// Quotes returns the prices of the intervals that touch [from, to), as market.PriceFeed does.
	Quotes func(from, to time.Time) []market.Quote
	// Adder is taken off: it is what the quotes hold beyond the price itself.
	Adder unit.Price
}

// Expect returns the mean of the known prices in [from, to), each by its time; false where
// none of it is known.
func (k Known) Expect(_, from, to time.Time) (unit.Price, bool) {
	price, covered := mean(k.Quotes(from, to), from, to)
	return price - k.Adder, covered > 0
}

// mean is the mean price of the known part of [from, to), and how long that is.
func mean(quotes []market.Quote, from, to time.Time) (unit.Price, time.Duration) {
	var sum float64
	var covered time.Duration
	for _, q := range quotes {
		if !q.Known {
			continue
		}
		d := overlap(from, to, q.From, q.To)
		sum += float64(q.Price) * float64(d)
		covered += d
	}
	if covered == 0 {
		return 0, 0
	}
	return unit.Price(sum / float64(covered)), covered
}
