// Package sheet owns the study as a workbook: the expected case with live formulas, so that a reader
// changes a figure and sees what follows.
//
// Each figure of the file is a cell of the sheet Inputs with a name. The world, the mining of each hall
// and each option of it have a sheet of months, a row a line of the model, whose formulas use those names
// and the rows above. Years sums them up; Summary says what they come to; Compare holds them against
// the program's own figures.
//
// It never copies a computed figure where a formula can stand, but on the sheet Compare. It never
// computes a study: what it cannot tell by formulas (random paths, the search for the best months, the
// choice under the site's limits) it takes from the report as it is.
//
// Concurrency: Write is safe for concurrent use.
package sheet
