// Package nvml owns the GPUs of this machine as NVIDIA's management library shows them. It needs
// cgo and Linux; without them Open says so, and nvidia-smi is the way (package smi).
//
// It never loads the library before Open, never changes anything but power limits, and never
// resets a GPU. While it is open the NVIDIA driver stays loaded, so limits are not forgotten.
//
// Concurrency: a Driver's calls must not overlap, but for what it hears of XID errors by
// itself; calls block on the library, which knows no deadline.
package nvml
