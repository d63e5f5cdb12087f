// Package slurmtest owns a real Slurm on this machine, for tests and for the demo: its own munged,
// slurmctld, a slurmd for each made-up node with made-up GPUs, slurmrestd and, if asked for,
// slurmdbd over MariaDB, all of it in one folder below /tmp and on free ports; and jobs that train
// nothing but count steps, save them when asked and take them up again.
//
// It never touches a Slurm that is installed as a service, and leaves nothing behind: a watchdog
// ends every process of it and removes its folder when it is stopped, and also when the process
// that started it dies.
//
// Concurrency: a Cluster's methods are safe for concurrent use, except Stop, which is called once
// and last.
package slurmtest
