// Package link owns a source's connection to an MQTT broker: TLS, a persistent session, its
// subscriptions, a last will, bounded queues both ways, and coming back after a loss.
//
// It never reads what a message says, never holds more of one than its limit (a longer one
// arrives cut, so that it can be refused and acknowledged), and never lets a secret into a
// log or an error.
//
// Concurrency: a Link is run once, by one goroutine; Publish may be called from any. The
// handlers are called one at a time and must not block.
package link
