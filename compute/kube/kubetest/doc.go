// Package kubetest owns a real Kubernetes with Kueue for tests: etcd, the API server, the
// controller manager, the scheduler and Kueue as programs on free ports of this machine, and kwok,
// which plays the machines and their pods. Start skips the test by name where the programs are
// not there; tools/engines/build.sh builds them.
//
// It never runs a container, needs no root, and ends every program that it started.
//
// Concurrency: a Cluster's methods are safe for concurrent use, but for KillAPI and its like.
package kubetest
