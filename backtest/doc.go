// Package backtest owns what a site would have earned over months and years under several
// policies: the same clearing and the same schedule as the live site, fed with nothing but
// what was known at the time, beside always-on, two simple rules and perfect foresight, all
// on the same physics and settled by the same rules. It also decides recorded rounds again.
//
// It never talks to a device or the network, never writes a file, and never reads a clock:
// the same files and options give the same report.
//
// Concurrency: a World is immutable once opened and is shared by the policies of a Run,
// which go side by side; each simulation belongs to one goroutine.
package backtest
