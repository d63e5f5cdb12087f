// Package shed owns how a cluster gives power up and takes it back: what its machines and jobs
// draw (Survey), what it offers to the site's market for it, which acts make it draw no more
// than it was given (Survey.Wants), and the carrying out of those acts (Runner), each with what
// stood before it kept on disk first, so that a crash leaves nothing changed for ever.
//
// The order in which power is taken: queues are closed, idle nodes go off, GPUs are capped, jobs
// are paused, the least work lost per kW first. Firm work is never touched here.
//
// It never schedules a job, never reads a meter and never decides what others get.
//
// Concurrency: a Survey is pure and belongs to whoever made it. A Runner's methods are safe for
// concurrent use and never block, but for Run, which does the acts.
package shed
