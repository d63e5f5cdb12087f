package demo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchyard/market"
)

// The evening reserve: when it is sold, and what a MW of it earns an hour.
const (
	reserveFrom  = 19
	reserveTo    = 23
	reservePrice = 14.0
)

// Prices are made up for so many days before the first, which the forecast learns from, and
// after it, which is longer than anybody watches.
const madeUpDays = 90

// prices names the files of the prices that the schedule looks ahead by: day-ahead ones, or
// none, and what the evening reserve earns.
func (o Options) prices() (ahead, reserve string, err error) {
	midnight := o.From.Truncate(24 * time.Hour)
	reserve = "reserve.csv"
	err = o.hourly(reserve, "ecrs_usd_per_mw_h", midnight, func(t time.Time) float64 {
		if h := t.Hour(); h >= reserveFrom && h < reserveTo {
			return reservePrice
		}
		return 0
	})
	if err != nil {
		return "", "", err
	}
	if o.Prices == "" {
		ahead = "day-ahead.csv"
		m := market.MadeUpDay(midnight, o.Seed)
		return ahead, reserve, o.hourly(ahead, "da_price_usd_per_mwh", midnight, func(t time.Time) float64 { return m.DayAhead(t).Price.DollarsPerMWh() })
	}
	if _, err := market.OpenPriceFile(market.PriceFile{Path: o.Prices, Names: []string{"da_price", "day_ahead"}}); err == nil {
		ahead = o.Prices // otherwise it has real-time prices alone; what else is wrong with it is told where they are read
	}
	return ahead, reserve, nil
}

// hourly writes a file of made-up prices into the folder, by the hour.
func (o Options) hourly(name, column string, midnight time.Time, price func(time.Time) float64) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, "interval_start,"+column)
	for h := -24 * madeUpDays; h < 24*madeUpDays; h++ {
		t := midnight.Add(time.Duration(h) * time.Hour)
		fmt.Fprintf(&b, "%s,%.2f\n", t.Format(time.RFC3339), price(t))
	}
	if err := os.WriteFile(filepath.Join(o.Dir, name), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the demonstration's prices: %w", err)
	}
	return nil
}
