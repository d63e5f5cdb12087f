// Package luxos owns what LuxOS, Luxor's firmware for Antminers, answers on TCP 4028: JSON of
// the cgminer family, several commands joined by "+", and writes whose first parameter is a
// session.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from Luxor's public API pages and from captured replies of
// 2025.4, not from a driver.
//
// As the pages say: a session is no security, only one exists at a time, it lapses a minute
// after its last use and `kill` ends it whoever holds it; pools need none; sleep outlasts a
// reboot; profiles run from 16 steps below the default to 8 above it, with an estimate of watts and
// TH/s each. Where it does not know its power it tells 0 W.
//
// Not known from public sources, so chosen: the codes and words of a busy session (410), a
// wrong one (411) and of refusals (412); that a profile is taken while asleep; that a wake-up of
// a miner that is awake is acknowledged; that replies of some units end in NUL.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package luxos
