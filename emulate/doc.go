// Package emulate owns the wiring of an emulated site: it makes the plant that a site file
// describes, gives every miner and meter its listeners on loopback addresses and its
// maker's protocol, and moves the plant with site time.
//
// It never reads what a controller thinks and never tells a device anything: all of that
// goes over the sockets.
//
// Concurrency: Start returns once everything listens. One goroutine steps the plant; each
// listener has its own. Close may be called once, from anywhere, and waits for all of them.
package emulate
