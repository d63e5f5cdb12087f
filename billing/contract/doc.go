// Package contract owns what a tenant and the site agreed on: the contract file, its strict
// check with every fault at once, and which of its versions holds at a time.
//
// It never measures and never bills: it turns a file into terms, and a time into the terms in
// force. Formulas of terms (a rent after so many years, a share of a charge) are its own.
//
// Concurrency: a Contract is plain data and is not written after Load.
package contract
