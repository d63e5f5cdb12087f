//go:build linux

package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/sitefile"
)

// TestFullDisk: the site runs on and says so; with space again nothing is missing.
func TestFullDisk(t *testing.T) {
	slow(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	from, to := noon.Add(10*time.Minute), noon.Add(16*time.Minute)
	r := newRig(t, func(f *sitefile.File) {
		f.Store.Dir = filepath.Join(disk, "data")
		f.Limits = []sitefile.Limit{{Node: "connection", Power: f.Tenants[0].Firm.Scale(1.12), From: from, To: to}}
	})
	r.settled()
	empty := fill(t, filepath.Join(disk, "ballast"))
	r.alert(15*time.Minute, "store", "the disk is full", "free space in "+disk)
	// An operator's limit holds all the same, and says that it is not kept yet.
	loose := api.LimitRequest{Node: "connection", PowerW: 2 * r.file.Connection.Limit.Watts()}
	set, err := r.app.SetLimit(context.Background(), "test", loose)
	if err != nil || !strings.Contains(set.Note, "not kept over a restart yet") || !strings.Contains(set.Note, "the disk is full") {
		t.Errorf("an operator's limit with a full disk: %+v, %v", set, err)
	}
	t.Log(set.Note)
	// What is no matter of safety is refused with its cause: nothing is half applied.
	if _, err = r.app.Hold(context.Background(), "test", api.HoldRequest{Devices: []string{"hall-a-miners-001"}, Mode: "sleep"}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a hold with a full disk: %v", err)
	}
	t.Log(err)
	r.await("the limit of the site file", 20*time.Minute, func() bool { return r.clk.Now().After(from) })
	if p, limit := r.truth("connection"), r.file.Limits[0].Power; p > limit {
		t.Errorf("%s are drawn with a limit of %s: the miners are not told with a full disk", p, limit)
	}
	r.alert(15*time.Minute, "books", "kept and tried again", "the disk is full")
	if !containsAll(fmt.Sprint(r.app.Live().Alerts), []string{"the site runs on"}) {
		t.Error("the alarm about the store ended with the disk still full")
	}
	full := r.clk.Now()
	empty()
	// What could not be written is tried again by machine time: up to some seconds each, in a rehearsal that runs much faster.
	r.await("the alarms are over", 2*time.Hour, func() bool { return len(r.app.Live().Alerts) == 0 })
	r.await("the intervals of the time with a full disk are settled", 2*time.Hour, func() bool { return r.app.Settled(full) })
	r.await("every command of the time with a full disk has its end in the journal", 2*time.Hour, func() bool {
		n, _, err := r.app.CommandCounts(context.Background(), from.Add(-5*time.Minute), to)
		return err == nil && n.Commands > 0 && n.Open == 0 // one that wakes a miner has minutes to be confirmed
	})
	r.follows()
	r.check()
}

// fill fills the disk with a file, and what others free too, until the returned function
// removes it.
func fill(t *testing.T, path string) (empty func()) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	more := func() {
		for _, size := range []int{1 << 20, 1 << 12} {
			for block := make([]byte, size); err == nil; {
				_, err = f.Write(block)
			}
			if errors.Is(err, syscall.ENOSPC) {
				err = nil
			}
		}
	}
	more()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				more()
			}
		}
	}()
	empty = sync.OnceFunc(func() {
		close(stop)
		<-stopped
		if err := errors.Join(err, f.Close(), os.Remove(path)); err != nil {
			t.Errorf("the ballast: %v", err)
		}
	})
	t.Cleanup(empty)
	return empty
}

// TestPrivilegedPorts: a user who may not bind ports below 1024 gets a demonstration on other
// ports, and for a file that names them an error that says what would help.
func TestPrivilegedPorts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	for mode, want := range map[string][]string{
		"emulate": {"cannot be bound", "permission denied", "ports below 1024 need a privilege", "20000+"},
		"listen":  {"listen for the API", "127.0.0.1:81", "permission denied", "api.listen"},
		"demo":    {"done"},
	} {
		t.Run(mode, func(t *testing.T) {
			doc := document(t, Plan{Miners: 12, Poll: 30 * time.Second})
			doc = strings.Replace(doc, "127.0.0.1:0", "127.0.0.1:81", 1)
			dir := t.TempDir()
			for d := dir; strings.HasPrefix(d, os.TempDir()); d = filepath.Dir(d) {
				if d != os.TempDir() {
					if err := os.Chmod(d, 0o777); err != nil {
						t.Fatal(err)
					}
				}
			}
			path := filepath.Join(dir, "site.yaml")
			if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), nobodyEnv+"="+mode, runEnv+"="+path)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if (err == nil) != (mode == "demo") {
				t.Errorf("ended with %v", err)
			}
			for _, w := range want {
				if !strings.Contains(string(out), w) {
					t.Errorf("%q is not in it", w)
				}
			}
		})
	}
}
