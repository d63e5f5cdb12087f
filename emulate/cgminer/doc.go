// Package cgminer owns what old Antminers answer whose firmware is driven over TCP 4028 alone:
// bmminer and cgminer of the S7, S9 and T9 times, and a nameless cgminer with boards in `devs`.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from cgminer's public API document and from the layout that
// public projects read (boards at places 6 to 8, fans at 3 and 6, a missing comma in `stats`),
// not from a driver.
//
// These machines cannot be put to sleep: they hash until they lose their power. Whether the
// port grants privileged access is a matter of each unit's configuration.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package cgminer
