package contractcmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"switchyard/billing/contract"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

var errInput, errMissing, errFaulty = errors.New("bad input"), errors.New("not found"), errors.New("faulty")

// run carries out the command below testdata.
func run(t *testing.T, asJSON bool, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := Command(Console{
		Out: &out, JSON: func() bool { return asJSON },
		Load: func(string) (*sitefile.File, error) {
			return &sitefile.File{Clusters: []cluster.Cluster{{
				GPUs: []cluster.GPU{{Model: "H100"}}, Tenants: []cluster.Tenant{{ID: "acme"}, {ID: "cloudy"}},
			}}}, nil
		},
		WriteNew: func(path string, data []byte, force bool) error {
			if _, err := os.Stat(path); err == nil && !force {
				return errInput
			}
			return os.WriteFile(path, data, 0o644)
		},
		BadInput: func(format string, args ...any) error {
			return fmt.Errorf("%w: %w", errInput, fmt.Errorf(format, args...))
		},
		NotFound: func(format string, args ...any) error {
			return fmt.Errorf("%w: %w", errMissing, fmt.Errorf(format, args...))
		},
		Faulty: func() error { return errFaulty },
	}, func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

func TestCheck(t *testing.T) {
	t.Chdir("testdata")
	files := []string{"lease.yaml", "cloud.yaml", "wrong.yaml"}
	text, err := run(t, false, append([]string{"check", "--site", "site.yaml"}, files...)...)
	if !errors.Is(err, errFaulty) {
		t.Errorf("the end is %v", err)
	}
	t.Chdir("..")
	golden(t, "check.txt", text)
	t.Chdir("testdata")
	text, err = run(t, true, append([]string{"check"}, files...)...)
	if !errors.Is(err, errFaulty) {
		t.Errorf("the end is %v", err)
	}
	var all []checked
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 3 || !all[0].OK || all[2].OK || len(all[2].Faults) == 0 {
		t.Errorf("%v: %s", err, text)
	}
	if _, err := run(t, false, "check", "lease.yaml"); err != nil {
		t.Errorf("a sound contract ends with %v", err)
	}
	if _, err := run(t, false, "check", "none.yaml"); !errors.Is(err, errInput) || !strings.Contains(err.Error(), "contract init none.yaml") {
		t.Errorf("a file that is not there ends with %v", err)
	}
}

func TestShow(t *testing.T) {
	t.Chdir("testdata")
	var b strings.Builder
	for _, args := range [][]string{{"lease.yaml", "--at", "2026-06-20"}, {"lease.yaml"}, {"cloud.yaml", "--at", "2026-03-31"}} {
		text, err := run(t, false, append([]string{"show"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n%s\n", strings.Join(args, " "), text)
	}
	text, err := run(t, true, "show", "lease.yaml", "--at", "2026-06-20")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("..")
	golden(t, "show.txt", b.String())
	golden(t, "show.json", text)
	t.Chdir("testdata")
	if _, err := run(t, false, "show", "lease.yaml", "--at", "2025-01-01"); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), "begins on 2025-06-16 and ends on 2036-06-26") {
		t.Errorf("before the contract: %v", err)
	}
	if _, err := run(t, false, "show", "lease.yaml", "--at", "yesterday"); !errors.Is(err, errInput) {
		t.Errorf("no day: %v", err)
	}
	var faults strictyaml.Faults
	if _, err := run(t, false, "show", "wrong.yaml"); !errors.As(err, &faults) {
		t.Errorf("a contract with faults: %v", err)
	}
}

func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text, err := run(t, false, "init", path)
	if err != nil || !strings.Contains(text, "contract check "+path) {
		t.Errorf("%v: %s", err, text)
	}
	if _, err := contract.Load(path); err != nil {
		t.Error(err)
	}
	if _, err := run(t, false, "init", path); !errors.Is(err, errInput) {
		t.Errorf("an existing file: %v", err)
	}
	if text, err := run(t, true, "init", "--force", path); err != nil || !strings.Contains(text, `"file"`) {
		t.Errorf("%v: %s", err, text)
	}
}
