// Package sealminer owns what Bitdeer's SealMiners (bdminer) answer: the RPC port of the
// cgminer family, whose orders need no login, and the web pages' PHP replies behind a
// session cookie.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from what public projects recorded of an A2 and ask of
// such miners (asic-rs, bitcap-ipr), not from a driver.
//
// Not known from public sources, so chosen: the word for a suspended miner ("Suspend"), the
// answer to a page without a session (the login page, 200), which states a miner goes
// through on its way, and what the modes do to the power.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package sealminer
