// Package mara owns what miners with MARA's firmware (MaraFW, "kaonsu") answer: the JSON
// pages under /kaonsu/v1/ behind digest authentication, and the RPC port of the cgminer
// family, which only reads.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from what public projects recorded of such miners and ask
// of them (pyasic, asic-rs and a fork of it with captures of release 3.14), not from a driver.
//
// Not known from public sources, so chosen: the realm's exact words, the life of a nonce
// (ten minutes), the status while a miner comes up ("Starting"), the error's words, what
// the mode Fixed does (full power), and which keys the configuration has beside the mode
// and the pools. The rates carry a unit as in the captures.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package mara
