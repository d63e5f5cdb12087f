// Package invoice owns the bill: its lines with their evidence, corrections of earlier months,
// the number, the postings that follow from it, and its forms on paper, as CSV and JSON.
//
// It never measures and never edits what was issued: late data makes a correction line on the
// next invoice.
//
// Concurrency: an Issuer is safe for concurrent use and issues one invoice at a time; all else
// is pure.
package invoice
