//go:build unix

package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// process is one program, in a process group of its own.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start runs a program, with its output in a file that begins anew at each start.
func start(ctx context.Context, dir, bin string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(bin), done: make(chan struct{})}
	p.log = filepath.Join(dir, p.name+".log")
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer out.Close()
	// It ends by kill, when the test does.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), bin, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), "KUEUE_METRICS_CERTS="+dir)
	p.cmd.SysProcAttr = ownGroup()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in its log
	}()
	return p, nil
}

// signal sends a signal to the program's group.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// kill ends the program at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// dead says that the program ended.
func (p *process) dead() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail returns the end of the program's log.
func (p *process) tail(lines int) string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// ports returns free ports of the loopback.
func ports(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		var lc net.ListenConfig
		l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end, so that none comes twice
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// binaries are the programs that a Cluster needs.
var binaries = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kueue", "kwok"}

// Binaries returns the folder of the engines' programs: SWITCHYARD_ENGINES, or .tools/engines of
// the source tree. The test is skipped where one of them is missing, or SWITCHYARD_ENGINES is "off".
func Binaries(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SWITCHYARD_ENGINES")
	if dir == "" {
		dir = filepath.Join(root(t), ".tools", "engines")
	}
	if dir == "off" {
		t.Skip("what needs a real Kubernetes is tested by make test-kube")
	}
	for _, b := range binaries {
		if _, err := os.Stat(filepath.Join(dir, b)); errors.Is(err, os.ErrNotExist) {
			t.Skipf("a real Kubernetes is needed and %s is not in %s; tools/engines/build.sh builds it", b, dir)
		}
	}
	return dir
}

// root returns the folder of this source tree's go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir
		}
	}
	t.Fatalf("the source tree's go.mod is not above the test's folder: %v", err)
	return ""
}
