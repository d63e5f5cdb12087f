// Package bitaxe owns what Bitaxes (AxeOS) and NerdQAxes answer over HTTP: system info, the
// chip's settings, pause, resume, restart, identify and the settings.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from AxeOS's OpenAPI description, the firmware's public
// sources (bitaxeorg/ESP-Miner, shufps/ESP-Miner-NerdQAxePlus) and a captured reply, not
// from a driver.
//
// There is no login. AxeOS from 2.13 here knows pause, resume and identify; older ones and
// NerdQAxes do not. A pause does not outlive a restart. Identify is a switch: the second
// call within half a minute ends the first. A frequency other than the model's own changes
// the power in proportion.
//
// Not known from public sources, so chosen: which version brought the pause; a refused
// command is 400; times to ramp; 3 W asleep.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package bitaxe
