// Package paper owns the invoice as a PDF: A4 or Letter, with the lines, the totals, how to
// pay, what was delivered of what was promised, and an appendix that ties each line to its
// intervals.
//
// It never reckons: what it prints is the invoice's, and the sums of its lines. The same
// invoice gives the same bytes.
//
// Concurrency: PDF is safe for concurrent use and blocks on nothing but its own work.
package paper
