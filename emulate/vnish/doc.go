// Package vnish owns what Antminers with VNish firmware answer: the HTTP interface below
// /api/v1, with a password that is exchanged for a bearer token.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from the firmware's own interface description (xminer-api,
// VNish 1.3.4) and from what public projects recorded of 1.2 devices, not from a driver.
//
// Presets are named by their watts. Choosing one that was never tuned starts a tuning
// cycle, after which it is tuned. Stopping what is stopped, and starting what runs, is an
// error 500 with the text that devices give.
//
// Not known from public sources, so chosen: the length of a tuning cycle (ten minutes of
// device time; devices take hours), which presets come tuned, and that a new password ends
// all sessions.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package vnish
