// Package page owns the drawn report of a backtest: one HTML file with its charts in it, that
// needs nothing else and asks no other machine for anything.
//
// It never works a figure out that the report does not hold, and never reads a file.
//
// Concurrency: Write is pure but for its writer.
package page
