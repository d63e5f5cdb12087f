// Package bench owns the benchmarks of the whole controller against emulated devices that
// run in another process of the same machine: how fast an operator's limit reaches the last
// miner, what a polled miner costs in memory and a poll in processor time, and how long a
// clearing takes. Each figure stands beside a baseline of the same run.
//
// It never judges: a figure that is too great fails no test. It holds no code that the
// product uses; everything is in its test files.
//
// Concurrency: benchmarks run one after another; they bind addresses in 127.30.0.0/16, so
// two runs at once on one machine do not work.
package bench
