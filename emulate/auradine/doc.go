// Package auradine owns what Auradine's Teraflux miners (FluxOS) answer: commands over
// HTTPS (8443, a certificate that the device signed itself) and plain HTTP (8080) behind a
// token, and the RPC port of the cgminer family for readings.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from what public projects recorded of devices and know of
// the maker's interface (pyasic, asic-rs, mining-guardian's client), not from a driver.
//
// Not known from public sources, so chosen: the answer to a bad token (401 with an error
// status) and that readings over HTTP want one, the words and codes of refusals, the shares
// of nameplate of the modes eco and turbo, that a token lives an hour of device time.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package auradine
