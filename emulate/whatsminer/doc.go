// Package whatsminer owns what WhatsMiner firmware answers: API v2 on TCP 4028 (plain
// reads, writes encrypted under a token) and API v3 on TCP 4433 (framed, writes signed).
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from the maker's API documents 2.0.5 and 3.0.1 and from
// captured replies, not from a driver.
//
// As the documents say: a v2 token lives 30 minutes of device time and one address may hold
// 32; a power percentage counts only once the frequency search is over and is forgotten
// when mining restarts; a power limit restarts mining.
//
// Not known from public sources, so chosen: a write whose ciphertext is not JSON under the
// device's key (the wrong password) is code 23 in plain text, a token that is not known is
// 135 in plain text, a refused write is 132, everything else is answered encrypted. While
// mining is off, reads answer zeros and the power of standby. A v3 time stamp may be two
// minutes off. Low-power mode draws three quarters of nameplate. The restart that a power
// limit brings takes no time of its own here.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package whatsminer
