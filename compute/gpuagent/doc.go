// Package gpuagent owns the agent that runs on a GPU node and holds its GPUs to a power, and the
// client by which the controller speaks with all of them: the HTTP interface, the lease that a
// cap is, the safe cap that follows a lease which nobody renewed, and the state file by which an
// agent that was killed takes all of that up again.
//
// It never schedules, never stops a job and never decides on a power; it never raises a GPU
// above the power limit that it had before our first cap. It never speaks with a GPU itself:
// a Driver does.
//
// Concurrency: an Agent is safe for concurrent use; one request at a time speaks with the GPUs,
// others wait for it or for their deadline. A Client is safe for concurrent use and its calls
// block.
package gpuagent
