// Package antminer owns what stock Antminer firmware answers: the web pages' CGI replies
// behind HTTP digest authentication, and the cgminer RPC port.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from what devices are known to send, not from a driver.
//
// Firmwares differ, and so do these: a device's age follows from whether its firmware
// tells its power, its smaller habits from its id. Old ones may leave out a comma in
// `stats` and know nothing of new_api; some end RPC replies with a NUL, some with a line
// end, some with nothing. What a POST of the configuration leaves out is gone, and the
// configuration that pages show follows a moment after the acknowledgement.
//
// Not known from public sources, so chosen: the answer when a change is refused (stats
// "error", code M001; B001 for the light, P003 for the password), the length of the reload
// (one to two seconds of device time), the power of the low-power mode (80 % of nameplate),
// that some answer a reboot and others are down before.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package antminer
