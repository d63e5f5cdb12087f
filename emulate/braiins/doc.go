// Package braiins owns what Braiins OS answers on its public API, over REST and over gRPC:
// login, details, statistics, hashboards, cooling, pools, the tuner with its power target,
// quick ramping, and the actions. Over gRPC it is served where a listener is given.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from the public OpenAPI and protobuf descriptions and from
// captured replies of 25.07 and 26.04, not from a driver.
//
// A token is sent raw in the Authorization header, lives an hour of device time from its
// last use, and does not survive a restart of the board or a new password. Firmware from 26
// on tells a few fields more and knows quick ramping, which is kept and has no effect on the
// physics. Where it does not know its power it tells 0 W. A device that boots answers gRPC with "unavailable".
//
// Not known from public sources, so chosen: errors are JSON with a message; a wrong login
// and a missing or dead token are 401; a body of the wrong form is 422; a target outside
// the constraints is 400, and so is a refused command; resuming what was stopped is 400.
// Whether a stop outlives a restart is not documented: here it becomes a pause.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package braiins
