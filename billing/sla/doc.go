// Package sla owns whether a month's promise was kept: availability and delivered power by the
// site's own record, what is excluded and why, and the credit that follows, unasked, with its
// evidence.
//
// It never measures, posts or prints: rows, events and a contract go in, a finding comes out.
//
// Concurrency: all functions are pure.
package sla
