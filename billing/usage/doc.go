// Package usage owns who used what in an interval: each tenant's energy, brought up to the
// revenue meter level by level so that tenants, mining, house and the remainder sum to it
// exactly, and each tenant's GPU time; with the counting between polls that it needs, and the
// record of it in the store.
//
// It never reads a device and never guesses without saying so: each figure is tagged measured,
// estimated or missing. It prices only by the interval's price that it is given, and it never
// changes what is in the record: a correction is a revision beside it.
//
// Attribute is the whole of the attribution as one pure function of one interval. Counters (in
// counting) and Holds gather what it needs of a cluster between polls, a Keeper is all of it in
// one, and a Record keeps what comes out.
//
// Concurrency: Attribute and a Site are pure and may be shared. Holds, a Keeper and a Record
// are safe for concurrent use; only a Record blocks, on the disk, and its calls honour
// their context.
package usage
