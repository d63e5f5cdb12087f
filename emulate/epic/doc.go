// Package epic owns what miners with ePIC's control board or PowerPlay firmware answer:
// HTTP on port 4028, readings for everybody, the password in the body of each order.
//
// It never models physics (the plant does) and never delays, loses or garbles a reply (the
// listener does). It was written from the maker's interface description (ePIC UMC API
// 1.30.0), not from a driver.
//
// All orders answer 200 with "result" and "error". Not known from public sources, so
// chosen: the words of an error, that a target outside the algorithm's range is refused,
// and that stopping what is stopped is no error.
//
// Concurrency: safe for concurrent use; see package face for its goroutines.
package epic
