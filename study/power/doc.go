// Package power owns what a site's power costs in a month of a study: the spread of the month's
// hourly prices, how many of its hours lie below a price and what they cost, blocks at a fixed
// price, demand and coincident-peak charges.
//
// It never decides what runs, and never makes up a price: the hours come from the study file, their
// level and spikes from a path of the world.
//
// Concurrency: a Tariff is immutable and safe for concurrent use.
package power
