// Package month owns a simulated month of a whole site's books: meters, miners, tenants with
// feeders of their own and a GPU cluster run for a month of site time, faster than any clock
// would, and what they say goes through the same parts that the running site uses: integrator,
// book, attribution, record, invoices. Beside it the simulation keeps its own exact account, and
// Run tells how far the two are apart.
//
// It never opens a socket, never waits for a clock, and never corrects what the parts say.
//
// Concurrency: a Run is one goroutine; several may run at once on folders of their own.
package month
