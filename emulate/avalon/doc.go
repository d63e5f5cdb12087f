// Package avalon owns what Canaan's Avalon firmware answers on TCP 4028: the JSON of cgminer
// 4.11, with one text of bracketed fields for each control module, and `ascset` for orders.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from captured replies of an A1246 and an Avalon Q and from
// public projects that drive these machines, not from a driver.
//
// As seen there: the industrial machines say "MM ID0", the home machines "MM ID0:Summary"
// with other fields; a clock that was never set counts from the start of 1970 or of the
// process; orders to sleep and to wake name a moment on that clock; a wake-up may close the
// connection without a word; the pools of `setpool` count from the next start on; asleep, the
// mean hashrates stay and only GHSspd is zero; PS holds error, volts, amperes and the watts of
// the supply's output, set volts, and on newer firmwares the watts at the wall; on the Nanos only
// volts, set volts and the watts at the wall are told. A supply that tells nothing leaves zeros.
//
// Chosen, because it is not known: an order for a moment that has passed is acknowledged and
// ignored; one for the next minute is taken up at once, its seconds of delay being part of the
// machine's time to standby; sleep outlasts a reboot; the words of refusals.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package avalon
