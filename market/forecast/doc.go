// Package forecast owns what is expected: of power prices (day-ahead as the base, how the
// newest prices stand to it, and what was learned of each hour), with quantiles, from nothing
// but what was known at the time.
//
// It never reads a clock, the network or the disk: prices come in as they become known.
//
// Concurrency: a Forecaster belongs to one goroutine at a time.
package forecast
