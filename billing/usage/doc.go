// Package usage owns who used what in an interval: each tenant's energy, brought up to the
// revenue meter level by level so that tenants, mining and house sum to it with the remainder
// shown, and each tenant's GPU time; with the record of it in the store and its export.
//
// It never measures, never prices and never guesses without saying so: each figure is tagged
// measured, estimated or missing.
//
// Concurrency: the attribution is pure; the record is safe for concurrent use and blocks on
// the disk.
package usage
