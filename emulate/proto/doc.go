// Package proto owns what a Proto rig answers on its HTTP interface (Mining Development Kit
// API 1.8): login and tokens, system, network, hardware, mining and its target, telemetry,
// cooling, pools, errors, and the actions.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from the public OpenAPI description and from captured
// replies of 1.8.0, not from a driver.
//
// Who it is needs no login; what it does and all orders need the access token as Bearer.
// Access tokens live a quarter of an hour of device time, refresh tokens a day; a new
// password ends both. Without a password set a login is 403.
//
// Not known from public sources, so chosen: the tokens' lives; tokens outlive a restart; a
// target out of bounds is 422, and so is a refused order; a stop outlives a restart; times
// to ramp. The interface is plain HTTP here.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package proto
