// Package energyreport owns a month's energy report: kWh by use, PUE, peak and load factor,
// carbon by place and by contract, and what the United States' survey of miners asked for; as
// text, JSON and CSV.
//
// It never measures and never fills in what it was not given: a figure whose input is missing
// is left out, and the report says which input that is.
//
// Concurrency: Build and the parsers are pure; Gather blocks on the disk and honours its context.
package energyreport
