// Package finance owns a project's money: present values, internal rates, loans and their reserves,
// depreciation and tax, three statements that balance every month, and the ratios that lenders and
// owners read from them.
//
// It never knows what a project does: flows come in, statements come out. It never hides what does
// not exist or went wrong: a rate that does not exist has a reason, and cash that was short is a finding.
//
// Concurrency: all functions are pure but for the buffers handed in, which belong to one goroutine.
package finance
