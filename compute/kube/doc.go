// Package kube owns the connection to a Kubernetes cluster with Kueue: the picture that its API
// server gives of nodes, jobs and queues, and the acts on them. docs/kubernetes.md tells what the
// controller must be allowed, what each act really does, and how long it takes.
//
// It never schedules a job, creates or deletes one, runs a command in a pod, or switches a node's
// power. It relies on no quota: lowering one evicts nothing.
//
// The picture comes from watches. One small request every few seconds tells whether the API
// server is alive, for a server that hangs leaves its watches silent.
//
// What it changed is marked on the object itself (`switchyard.io/by`, `switchyard.io/was`), so
// that what a person changed is told from what it changed, and a mark taken off is a thing
// handed over. Every write names the version of the object that it was decided on: nothing is
// overwritten unseen.
//
// Concurrency: an Engine is safe for concurrent use. Its tables are behind one lock, its View is
// immutable. Requests for acts are bounded, and each has a deadline in machine time.
package kube
