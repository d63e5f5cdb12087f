package smi

import (
	"errors"
	"os"
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

// script writes a program that answers as nvidia-smi does; body is shell, with the arguments in
// $*, and the folder of the program in $here.
func script(t *testing.T, body string) string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh for a made-up nvidia-smi")
	}
	path := filepath.Join(t.TempDir(), "nvidia-smi")
	if err := os.WriteFile(path, []byte("#!"+sh+"\nhere="+filepath.Dir(path)+"\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const two = `0, GPU-5fd4f087-86f3-7a43-b711-4771313afc50, NVIDIA A100-SXM4-40GB, 312.45, 400.00, 400.00, 100.00, 400.00, 98, 61
1, GPU-0d3d5e67-b4a4-6d08-8f5e-0ff1f1a5a001, NVIDIA A100-SXM4-40GB, [N/A], 300.00, [Not Supported], [N/A], N/A, [Unknown Error], ERR!`

func TestReading(t *testing.T) {
	d, err := Open(t.Context(), script(t, "cat <<'E'\n"+two+"\nE"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.GPUs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := func(v float64) site.Opt[unit.Power] { return site.Some(unit.Watts(v)) }
	want := []compute.GPU{
		{Index: 0, UUID: "GPU-5fd4f087-86f3-7a43-b711-4771313afc50", Model: "NVIDIA A100-SXM4-40GB", Power: w(312.45), Limit: w(400), Default: w(400), Least: w(100), Most: w(400), Use: site.Some(0.98), Temp: site.Some(61.0)},
		{Index: 1, UUID: "GPU-0d3d5e67-b4a4-6d08-8f5e-0ff1f1a5a001", Model: "NVIDIA A100-SXM4-40GB", Limit: w(300)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatGoesWrong(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       error
		text       string
	}{
		{"no driver", `echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running."; exit 9`, compute.ErrUnsupported, "no NVIDIA driver found: install it"},
		{"no GPU", `echo "No devices were found"; exit 6`, compute.ErrUnsupported, "sees no GPU"},
		{"garbled", `echo "0, GPU-1, A100"`, compute.ErrUnsupported, "not the table"},
		{"a figure that is none", `echo "` + strings.Replace(strings.SplitN(two, "\n", 2)[0], "312.45", "3x2", 1) + `"`, compute.ErrUnsupported, `line 1: "3x2"`},
		{"the same twice", `cat <<'E'` + "\n" + strings.SplitN(two, "\n", 2)[0] + "\n" + strings.SplitN(two, "\n", 2)[0] + "\nE", compute.ErrUnsupported, "twice"},
		{"empty", `true`, compute.ErrUnsupported, "0 GPUs"},
		{"endless", `yes "0, GPU-1" | head -c 1000000`, compute.ErrUnsupported, "more than"},
		{"silent", `exit 3`, compute.ErrRefused, "code 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), script(t, c.body))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Error(err)
			}
		})
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "--nvidia-smi") {
		t.Error(err)
	}
}

func TestAHangingProgramIsEnded(t *testing.T) {
	d := &Driver{path: script(t, "sleep 60 & wait"), timeout: 200 * time.Millisecond}
	if _, err := d.GPUs(t.Context()); !errors.Is(err, compute.ErrUnreachable) || !strings.Contains(err.Error(), "did not end") {
		t.Error(err)
	}
}

func TestALostGPUSpoilsOnlyItself(t *testing.T) {
	path := script(t, `
case "$*" in
-L) echo "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5fd4f087-86f3-7a43-b711-4771313afc50)"
    echo "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU"
    echo "GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-0d3d5e67-b4a4-6d08-8f5e-0ff1f1a5a001)"; exit 15;;
*--id=GPU-5fd4*) echo "0, GPU-5fd4f087-86f3-7a43-b711-4771313afc50, NVIDIA A100-SXM4-40GB, 312.45, 400.00, 400.00, 100.00, 400.00, 98, 61";;
*--id=*) echo "Unknown Error"; exit 255;;
*) echo "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU"; exit 15;;
esac`)
	d := &Driver{path: path, timeout: deadline}
	gpus, err := d.GPUs(t.Context())
	if err != nil || len(gpus) != 3 {
		t.Fatal(gpus, err)
	}
	byIndex := map[int]compute.GPU{}
	for _, g := range gpus {
		byIndex[g.Index] = g
	}
	if !byIndex[0].Limit.OK || len(byIndex[0].Faults) != 0 || !strings.Contains(byIndex[1].Faults[0], "GPU is lost") || !strings.Contains(byIndex[2].Faults[0], "Unknown Error") {
		t.Errorf("%+v", gpus)
	}
	row := strings.Replace(strings.SplitN(two, "\n", 2)[1], "[N/A]", "[GPU is lost]", 1)
	if gpus, err := parse([]byte(row)); err != nil || len(gpus[0].Faults) != 1 || gpus[0].Limit.OK {
		t.Errorf("%+v, %v", gpus, err)
	}
}

func TestSetLimit(t *testing.T) {
	g := compute.GPU{Index: 1, UUID: "GPU-0d3d"}
	path := script(t, `echo "$*" >>"$here/asked"; echo "Power limit for GPU 00000000:01:00.0 was set to 300.00 W from 400.00 W."; echo "All done."`)
	d := &Driver{path: path, timeout: deadline}
	if err := d.SetLimit(t.Context(), g, 300900*unit.Milliwatt); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "asked")); string(b) != "--id=GPU-0d3d --power-limit=300\n" {
		t.Errorf("%s", b)
	}
	for _, c := range []struct {
		body string
		want error
		text string
	}{
		{`echo "Changing power management limit for GPU 00000000:01:00.0 is not permitted: insufficient permissions"; exit 4`, compute.ErrUnauthorized, "run the agent as root"},
		{`echo "Changing power management limit is not supported for GPU: 00000000:01:00.0."; exit 0`, compute.ErrRefused, "not supported"},
		{`echo "Provided power limit 50.00 W is not a valid power limit which should be between 100.00 W and 400.00 W for GPU 00000000:01:00.0"; exit 2`, compute.ErrRefused, "between 100.00 W"},
	} {
		d := &Driver{path: script(t, c.body), timeout: deadline}
		if err := d.SetLimit(t.Context(), g, 300*unit.Watt); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Error(err)
		}
	}
	if err := d.SetLimit(t.Context(), g, 0); !errors.Is(err, compute.ErrRefused) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(two))
	f.Add([]byte("GPU 0: NVIDIA A100 (UUID: GPU-5fd4f087)\nUnable to determine the device handle for GPU 0000:3B:00.0: Unknown Error"))
	f.Fuzz(func(t *testing.T, b []byte) {
		gpus, err := parse(b)
		if err == nil && len(gpus) == 0 {
			t.Error("no GPU and no error")
		}
		for _, g := range gpus {
			if g.Power.V < 0 || g.Limit.V < 0 || g.Use.V < 0 || g.Use.V > 1 {
				t.Errorf("%+v", g)
			}
		}
		if n := len(parseList(b)); n > 2*maxGPUs {
			t.Errorf("%d GPUs", n)
		}
	})
}
