//go:build cgo && linux

package nvml

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/compute"
	"switchyard/compute/gpuagent"
	"switchyard/site"
	"switchyard/unit"
)

var _ gpuagent.Driver = (*Driver)(nil)

func TestAMachineWithoutTheLibraryIsToldWhatToDo(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "libnvidia-ml.so.1"))
	if !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "no NVIDIA driver found") || !strings.Contains(err.Error(), "install NVIDIA's driver") {
		t.Error(err)
	}
}

// TestAMadeUpLibrary runs the driver against a library of our own with the symbols of NVIDIA's.
func TestAMadeUpLibrary(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler (cc) for a made-up library")
	}
	lib := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	if out, err := exec.CommandContext(t.Context(), cc, "-shared", "-fPIC", "-o", lib, "testdata/made_up.c").CombinedOutput(); err != nil {
		t.Skipf("cc cannot build the made-up library: %v\n%s", err, out)
	}
	d, err := Open(lib)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 100; i++ { // the XID error comes by itself
		if gpus, err := d.GPUs(t.Context()); err == nil && len(gpus[0].Faults) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	got, err := d.GPUs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := func(v unit.Power) site.Opt[unit.Power] { return site.Some(v * unit.Watt) }
	first := compute.GPU{
		UUID: "GPU-0", Model: "NVIDIA Made Up", Power: site.Some(unit.Watts(312.45)), Energy: site.Some(10 * unit.WattHour),
		Limit: w(400), Default: w(400), Least: w(100), Most: w(400), Use: site.Some(0.98), Temp: site.Some(61.0), Faults: []string{"XID 48"},
	}
	second := first
	second.Index, second.UUID, second.Energy, second.Faults = 1, "GPU-1", site.Opt[unit.Energy]{}, nil
	if diff := cmp.Diff([]compute.GPU{first, second}, got); diff != "" {
		t.Error(diff)
	}
	if err := d.SetLimit(t.Context(), got[0], 300*unit.Watt); err != nil {
		t.Error(err)
	}
	if err := d.SetLimit(t.Context(), got[0], 123*unit.Watt); !errors.Is(err, compute.ErrUnauthorized) || !strings.Contains(err.Error(), "as root") {
		t.Error(err)
	}
	if err := d.SetLimit(t.Context(), got[0], 50*unit.Watt); !errors.Is(err, compute.ErrRefused) {
		t.Error(err)
	}
	if err := d.SetLimit(t.Context(), got[1], 250*unit.Watt); err != nil { // and is lost
		t.Error(err)
	}
	if got, err = d.GPUs(t.Context()); err != nil || got[0].Limit != w(300) || got[1].Limit.OK || got[1].Power.OK || len(got[1].Faults) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
