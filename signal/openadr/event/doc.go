// Package event owns what an OpenADR 3 event means: when its intervals hold, what its payloads
// ask of a site, and which ask is in force when several events overlap.
//
// It never touches the network or a clock: times come in as arguments.
//
// Concurrency: the functions are pure; an Event and a Held are not written once made.
package event
