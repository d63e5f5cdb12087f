// Package sheet owns the study as a workbook: the expected case with live formulas, so that a reader
// changes a figure and sees what follows.
//
// It never copies a computed figure where a formula can stand, but on the sheet that compares the
// formulas with the program's own figures.
//
// Concurrency: Write is safe for concurrent use.
package sheet
