// Package page owns the drawn report of a study: one HTML file with its charts, tables, sources and
// methods in it, that a board can read on a screen, on a telephone and on paper, and that asks no
// other machine for anything.
//
// It never works out what the report does not hold, beyond sums and differences of two of its
// figures, and never reads a file or a clock: the same report gives the same bytes.
//
// Concurrency: Write and Compare are pure but for their writer.
package page
