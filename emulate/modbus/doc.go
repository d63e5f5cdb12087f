// Package modbus owns the face of emulated meters: a Modbus TCP server that answers
// functions 3 and 4 with a meter's reading in the register layout of a public document.
//
// It never accepts a write, never measures (the plant does) and shares no layout with the
// controller's driver: both follow the documents, so that an error in one shows.
//
// Concurrency: Serve starts one goroutine for the listener and one per connection; the
// Closer ends and awaits them all.
package modbus
