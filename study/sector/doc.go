// Package sector owns what is public of others: hosting leases and GPU contracts that were announced,
// each with its source, and estimates of what mining and data centres consume.
//
// It never computes with a figure that was not published but to divide one by another, never mixes
// kinds of lease, and never holds a forecast of its own.
//
// Concurrency: all functions are pure; what they return belongs to the caller.
package sector
