// Package estimate owns the figure of what each miner draws, with how it was come by and its
// error: the outlet it is plugged into, its own reading checked against the hall's meter, the
// curve learned for this group at this place, or its nameplate. The figures below a meter are
// reconciled to the meter.
//
// What is learned, for each group at a node, is how far its devices' own readings are off, and
// power as a function of hashrate: a Kalman filter over the meters, whose differences when
// groups are shed and restored tell groups below one meter apart. Times are arguments; a moment
// is used for learning only once every reading of it is in, and weighed by how much was moving.
//
// It never reads a clock, never logs, never changes what it was given, and never puts a draw that
// no miner explains onto the miners: that is told as a node's Other or Residual.
//
// Concurrency: an Estimator has one caller at a time. An Output shares nothing with it.
package estimate
