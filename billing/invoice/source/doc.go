// Package source owns what a tenant's month is billed by, put together from the site file, its
// contract files and the record of usage: rows, charges on power with the tenant's part, what
// was delivered of what was promised, and what is paid for power taken back.
//
// It never bills, never writes and never guesses a peak: a charge whose peak is not known is
// left out and a note says so.
//
// Concurrency: a Source is safe for concurrent use; its calls block on the disk.
package source
