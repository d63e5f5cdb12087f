// Package openadr owns the site's side of OpenADR 3.1 and 3.0: it follows a VTN (the grid's
// server) as a VEN, turns its events into prices, limits and reserves, and reports back.
//
// It never decides which load gives way, never lets a secret into a log or an error, and
// never trusts what is pushed to it: a notification only makes it ask the VTN again.
//
// Concurrency: a Client is run once; Run blocks until its context ends. Status may be called
// at any time.
package openadr
