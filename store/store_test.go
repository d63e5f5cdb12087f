//go:build linux

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestStateIsKeptOverReopening(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	if got, err := db.GetState(t.Context(), "holds"); err != nil || got != nil {
		t.Fatalf("GetState of nothing = %q, %v", got, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := db.PutState(t.Context(), "holds", []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	if got, err := db.GetState(t.Context(), "holds"); err != nil || string(got) != "two" {
		t.Fatalf("GetState = %q, %v, want two", got, err)
	}
	if err := db.DeleteState(t.Context(), "holds"); err != nil {
		t.Fatal(err)
	}
	if got, _ := db.GetState(t.Context(), "holds"); got != nil {
		t.Fatalf("GetState after DeleteState = %q", got)
	}
}

func TestSecondControllerIsToldWhoHoldsTheStore(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(t.Context(), dir)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("second Open = %v, want ErrLocked", err)
	}
	for _, want := range []string{dir, strconv.Itoa(os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}

// TestKilledHolder is run by itself in another process as the holder.
func TestKilledHolderLetsGo(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_HOLD"); dir != "" {
		db, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PutState(t.Context(), "k", []byte("before the kill")); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		select {}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledHolderLetsGo$", "-test.v")
	cmd.Env = append(os.Environ(), "STORE_TEST_HOLD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf, seen := make([]byte, 4096), ""
	for !strings.Contains(seen, "held") {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("the holder said %q and ended: %v", seen, err)
		}
		seen += string(buf[:n])
	}
	_, err = Open(t.Context(), dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("Open beside the holder = %v, want ErrLocked by %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	db := open(t, dir)
	if got, err := db.GetState(t.Context(), "k"); err != nil || string(got) != "before the kill" {
		t.Errorf("after the kill GetState = %q, %v", got, err)
	}
}

func TestTxIsAllOrNothing(t *testing.T) {
	db := open(t, t.TempDir())
	boom := errors.New("boom")
	err := db.Tx(t.Context(), func(tx *Tx) error {
		if err := tx.PutState("a", []byte("1")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("Tx = %v, want its function's error", err)
	}
	if got, _ := db.GetState(t.Context(), "a"); got != nil {
		t.Fatalf("a rolled back write is there: %q", got)
	}
}

func TestWritersTakeTurnsAndReadersDoNotWait(t *testing.T) {
	db := open(t, t.TempDir())
	if err := db.PutState(t.Context(), "n", []byte("0")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				err := db.Tx(context.Background(), func(tx *Tx) error {
					v, err := tx.GetState("n")
					if err != nil {
						return err
					}
					n, err := strconv.Atoi(string(v))
					if err != nil {
						return err
					}
					return tx.PutState("n", []byte(strconv.Itoa(n+1)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	err := db.Tx(t.Context(), func(tx *Tx) error {
		if err := tx.PutState("n", []byte("unseen")); err != nil {
			return err
		}
		got, err := db.GetState(t.Context(), "n") // a reader, while the writer is under way
		if err == nil && string(got) != "80" {
			err = fmt.Errorf("a reader saw %q, want 80", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsAreByOwnerAndRefuseANewerStore(t *testing.T) {
	db := open(t, t.TempDir())
	one := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x INTEGER);\n-- +goose Down\nDROP TABLE a;\n")}}
	two := fstest.MapFS{
		"00001_a.sql": one["00001_a.sql"],
		"00002_b.sql": {Data: []byte("-- +goose Up\nALTER TABLE a ADD COLUMN y INTEGER;\n-- +goose Down\nSELECT 1;\n")},
	}
	other := fstest.MapFS{"00001_o.sql": {Data: []byte("-- +goose Up\nCREATE TABLE o (x INTEGER);\n-- +goose Down\nDROP TABLE o;\n")}}
	for _, step := range []struct {
		owner string
		fs    fstest.MapFS
	}{{"mine", one}, {"other", other}, {"mine", two}, {"mine", two}} {
		if err := db.Migrate(t.Context(), step.owner, step.fs); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Migrate(t.Context(), "mine", one)
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("an older program opened a newer store: %v", err)
	}
}

func TestReaderSeesAndCannotWrite(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(t.Context(), dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("OpenReader of nothing = %v, want ErrNotExist", err)
	}
	db := open(t, dir)
	if err := db.PutState(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if got, err := r.GetState(t.Context(), "k"); err != nil || string(got) != "v" {
		t.Fatalf("reader got %q, %v", got, err)
	}
	if err := r.PutState(t.Context(), "k", []byte("w")); err == nil {
		t.Fatal("a reader wrote")
	}
	err = r.View(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec("DELETE FROM store_state")
		return err
	})
	if err == nil {
		t.Fatal("a view wrote")
	}
}

func TestFullStoreIsNamedAndRecovers(t *testing.T) {
	db := open(t, t.TempDir())
	if err := db.SetMaxBytes(t.Context(), 1); err != nil { // never below the present size
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte{7}, 1<<20)
	if err := db.PutState(t.Context(), "big", big); !errors.Is(err, ErrFull) {
		t.Fatalf("write to a full store = %v, want ErrFull", err)
	}
	if got, err := db.GetState(t.Context(), "big"); err != nil || got != nil {
		t.Fatalf("after ErrFull there is %d bytes, %v", len(got), err)
	}
	if err := db.SetMaxBytes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := db.PutState(t.Context(), "big", big); err != nil {
		t.Fatalf("write after there is space again: %v", err)
	}
}

// tmpfs mounts a file system of the given size, where the test may.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	disk := tmpfs(t, "2m")
	dir := filepath.Join(disk, "data")
	db := open(t, dir)
	for i, full := 0, false; !full; i++ {
		err := db.PutState(t.Context(), fmt.Sprint("k", i), make([]byte, 30_000))
		if full = errors.Is(err, ErrFull); full {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q does not name the folder", err)
			}
		} else if err != nil {
			t.Fatalf("write %d = %v, want ErrFull in the end", i, err)
		}
		if i > 200 {
			t.Fatal("6 MB fit on a disk of 2")
		}
	}
	if got, err := db.GetState(t.Context(), "k0"); err != nil || len(got) != 30_000 {
		t.Fatalf("reading on a full disk = %d bytes, %v", len(got), err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	if err := db.PutState(t.Context(), "after", make([]byte, 30_000)); err != nil {
		t.Fatalf("write after the disk has grown: %v", err)
	}
}
