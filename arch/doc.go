// Package arch owns the rank table of the rooms and the tests that hold the layout: imports
// point downwards, packages say what they are, files and functions stay short.
//
// It never runs in the product: all of it is tests.
//
// Concurrency: constant tables only.
package arch
