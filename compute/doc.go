// Package compute owns the words of our own GPUs: what a cluster is made of (Model, Node), what
// runs on it and what may be asked of it (Job, Terms), the picture that an engine gives of
// itself (View), and the acts by which power is taken from it and given back (Act).
//
// It never schedules a job: Kubernetes and Slurm do, and its folders kube and slurm speak with
// them. It never decides what a megawatt is worth to others.
//
// Concurrency: values are plain data. A View is immutable once published and may be shared
// freely; an Engine's methods are safe for concurrent use.
package compute
