//go:build unix && !linux

package kubetest

import "syscall"

// ownGroup puts a program into a group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
