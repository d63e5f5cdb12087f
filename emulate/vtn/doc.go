// Package vtn owns an emulated VTN: the server side of OpenADR 3.1 and 3.0 as the published
// interface describes it, with programs, events, VENs, resources, subscriptions, reports,
// tokens, notifications and faults, all in memory.
//
// It never acts on what an event says and knows nothing of our own client.
//
// Concurrency: a VTN is safe for concurrent use. Push, Change and Withdraw do not block;
// notifications go out on a goroutine of their own until Close.
package vtn
