// Package sla owns whether a month's promise was kept: availability and delivered power by the
// site's own record, what is excluded and why, and the credit that follows, unasked, with its
// evidence.
//
// It never measures, posts or prints: rows, events and a contract go in, a finding comes out.
//
// Every moment of the month is exactly one of: available, down, browned out, excluded (by its
// cause), unknown, or to come. What is down or browned out is told by the interval's row; events
// say why, what is excluded, and what happened where no row came. A row's Down and Reduced are
// taken to be different times: the feeder had no power, and it had power but less than wanted.
// Unknown is not zero: an interval without a row, or with one that is missing, counts neither
// as available nor as down, unless an event tells of it or the row itself says what the site did not
// give.
//
// Concurrency: all functions are pure.
package sla
