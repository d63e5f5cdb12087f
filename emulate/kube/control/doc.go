// Package control owns what happens in an emulated Kubernetes cluster: Kueue's admission and
// eviction, the Job controller, the scheduler, the kubelets and the node lifecycle, each as small
// as its effects on GPU jobs and their power allow. The pods' programs are the jobs of an
// emulated GPU cluster: they draw power, make progress and save their work.
//
// What it holds to, because real ones do it and it surprises people: lowering a quota evicts
// nothing; an eviction gives the quota back as soon as the job is suspended, while its pods still
// end, draw power and hold their GPUs; a Job under Kueue that somebody suspends is resumed; a
// node's taint moves pods, and the Job makes new ones elsewhere.
//
// What it leaves out: priorities of pods, fair sharing, admission checks, topology, hierarchical
// cohorts, failing a Job for its backoff limit, all resources but GPUs in scheduling (quotas count
// them all).
//
// It never opens a socket and never decides what a job is worth.
//
// Concurrency: Run has one goroutine; Tick has one caller at a time. Everything else is safe to
// call from anywhere.
package control
