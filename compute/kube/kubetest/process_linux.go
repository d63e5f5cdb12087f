package kubetest

import "syscall"

// ownGroup puts a program into a group of its own, which ends with the test even if that is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
