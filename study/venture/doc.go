// Package venture owns what an option does to a hall: what it costs and brings, month by month and
// line by line, when the hall mines on, is made ready for a tenant or for GPUs of our own, is sold, or
// mines on while the same is built elsewhere. An option's flows are in two parts: what the hall earns
// by mining before it begins, and the venture that the option builds.
//
// It never decides which option is good, never finances or taxes one, and never draws a random
// number: the future comes as a path of the world, mining as the fleet's months.
//
// Concurrency: a Site is immutable and safe for concurrent use; Plan fills flows that belong to one
// goroutine.
package venture
