// Package slurm owns the conversation with one Slurm cluster: it reads jobs, nodes and partitions
// by polling (Slurm tells nobody by itself), does the acts by which power is taken and given back,
// and reads what jobs used from Slurm's own accounting.
//
// It speaks with slurmrestd, with Slurm's own commands, or with both: what the one cannot do the
// other does. It never schedules, submits or cancels a job, and it never suspends one: a suspended
// job's processes stand still while its GPUs stay held, so nothing is won. It keeps no file; what
// must outlive this process (that a job was paused by us, and for what; until when it may save its
// work) stands in the job's AdminComment and in the names of reservations.
//
// Concurrency: an Engine's methods are safe for concurrent use. Run must be running for a Stop to
// end: it is what waits for the checkpoint. View never blocks.
package slurm
