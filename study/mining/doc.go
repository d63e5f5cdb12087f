// Package mining owns what a hall earns by mining in a month of a study: machines as blocks of merit
// order, the hours in which each is worth its power, renewals, what machines fetch when they are sold;
// and the few formulas of the Bitcoin network that a study needs beside those of the market.
//
// It never chooses a future for a hall, and never makes up a price: hashprice and power come from a
// path of the world and the tariff.
//
// Concurrency: a Fleet is immutable and safe for concurrent use; what it fills belongs to the caller.
package mining
