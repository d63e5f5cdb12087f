package dcgm

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/site"
	"switchyard/unit"
)

// text is an exporter's answer of two GPUs: Kubernetes names a pod, Slurm a job.
const text = `# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",pci_bus_id="00000000:19:00.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu1",container="main",namespace="tenant-a",pod="train-0"} 612.384000
DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-b",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu1",hpc_job="1234"} 71.5
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",Hostname="gpu1",namespace="tenant-a",pod="train-0"} 7.2e+12
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-b",Hostname="gpu1",hpc_job="1234"} 9223372036854775794
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",Hostname="gpu1"} 98
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",Hostname="gpu1"} 2147483634
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",Hostname="gpu1"} 61
# TYPE DCGM_FI_DEV_POWER_MGMT_LIMIT gauge
DCGM_FI_DEV_POWER_MGMT_LIMIT{gpu="0",UUID="GPU-a",Hostname="gpu1"} 700.000000
DCGM_FI_DEV_POWER_MGMT_LIMIT{gpu="1",UUID="GPU-b",Hostname="gpu1"} 140737488355330
# TYPE DCGM_FI_DEV_XID_ERRORS gauge
DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-a",Hostname="gpu1",err_code="0",err_msg="No Error"} 0
DCGM_FI_DEV_XID_ERRORS{gpu="1",UUID="GPU-b",Hostname="gpu1",err_code="79",err_msg="GPU has fallen off the bus"} 79
# TYPE DCGM_FI_DEV_FB_USED gauge
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",Hostname="gpu1"} 71234
`

var want = []compute.GPU{
	{
		Index: 0, UUID: "GPU-a", Model: "NVIDIA H100 80GB HBM3", Power: site.Some(612384 * unit.Milliwatt), Energy: site.Some(2 * unit.MegawattHour),
		Limit: site.Some(700 * unit.Watt), Use: site.Some(0.98), Temp: site.Some(61.0), Namespace: "tenant-a", Pod: "train-0",
	},
	{Index: 1, UUID: "GPU-b", Model: "NVIDIA H100 80GB HBM3", Power: site.Some(71500 * unit.Milliwatt), Job: "1234", Faults: []string{"XID 79"}},
}

func TestParse(t *testing.T) {
	got, notes, err := Parse([]byte(text), "gpu1.dc.example")
	if err != nil || len(notes) != 0 {
		t.Fatal(notes, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("blank values must stay unknown (-want +got):\n%s", d)
	}
}

func TestASharedGPUBelongsToNobodyAlone(t *testing.T) {
	line := `DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",namespace="n",pod="%s"} 300` + "\n"
	got, _, err := Parse(fmt.Appendf(nil, line+line, "one", "two"), "")
	if err != nil || len(got) != 1 || got[0].Pod != "" || got[0].Namespace != "" || got[0].Power.V != 300*unit.Watt {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another host":    {text, `host "gpu1", not of this node`},
		"another service": {"go_goroutines 5\n", "tells of no GPU"},
		"html":            {"<html>", "no metrics text"},
		"no index":        {`DCGM_FI_DEV_POWER_USAGE{gpu="x"} 3` + "\n", "no index"},
		"no line of any":  {`DCGM_FI_DEV_POWER_USAGE{gpu="0"} much` + "\n", "no metrics text"},
		"endless":         {strings.Repeat(" ", maxText+1), "more than"},
	} {
		if _, _, err := Parse([]byte(c.text), "gpu7"); !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One value that cannot be is unknown, whatever it is of, and everything else of the page stands.
func TestABadValueIsLeftOutAlone(t *testing.T) {
	for bad, c := range map[string]struct {
		note  string
		blank func(*compute.GPU) // what of the first GPU is then unknown
	}{
		`DCGM_FI_DEV_POWER_USAGE -3`:               {"not between", func(g *compute.GPU) { g.Power = site.Opt[unit.Power]{} }},
		`DCGM_FI_DEV_POWER_USAGE 1e9`:              {"not between", func(g *compute.GPU) { g.Power = site.Opt[unit.Power]{} }},
		`DCGM_FI_DEV_POWER_USAGE lots`:             {"cannot be read", func(g *compute.GPU) { g.Power, g.Model = site.Opt[unit.Power]{}, "" }},
		`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION -1`:  {"negative", func(g *compute.GPU) { g.Energy = site.Opt[unit.Energy]{} }},
		`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION N/A`: {"cannot be read", func(g *compute.GPU) { g.Energy = site.Opt[unit.Energy]{} }},
		`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION NaN`: {"", func(g *compute.GPU) { g.Energy = site.Opt[unit.Energy]{} }},
		`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION`:     {"cannot be read", func(g *compute.GPU) { g.Energy = site.Opt[unit.Energy]{} }},
		`DCGM_FI_DEV_GPU_UTIL 101`:                 {"not between", func(g *compute.GPU) { g.Use = site.Opt[float64]{} }},
		`DCGM_FI_DEV_GPU_TEMP 9000`:                {"not between", func(g *compute.GPU) { g.Temp = site.Opt[float64]{} }},
		`DCGM_FI_DEV_POWER_MGMT_LIMIT 0x2bc`:       {"cannot be read", func(g *compute.GPU) { g.Limit = site.Opt[unit.Power]{} }},
		`DCGM_FI_DEV_POWER_MGMT_LIMIT -1`:          {"not between", func(g *compute.GPU) { g.Limit = site.Opt[unit.Power]{} }},
		`DCGM_FI_DEV_XID_ERRORS none`:              {"cannot be read", func(*compute.GPU) {}},
	} {
		name, value, _ := strings.Cut(bad, " ")
		var lines []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name+`{gpu="0"`) {
				line = line[:strings.LastIndex(line, "} ")+2] + value + "\n"
			}
			lines = append(lines, line)
		}
		got, notes, err := Parse([]byte(strings.Join(lines, "")), "gpu1")
		expect := []compute.GPU{want[0], want[1]}
		c.blank(&expect[0])
		if d := cmp.Diff(expect, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", bad, err, d)
		}
		if (c.note == "") != (len(notes) == 0) || len(notes) > 1 || len(notes) == 1 && !strings.Contains(notes[0], c.note) {
			t.Errorf("%s: notes %q", bad, notes)
		}
	}
	// A line of no GPU is left out, and the notes are bounded.
	got, notes, err := Parse([]byte(text+strings.Repeat(`DCGM_FI_DEV_GPU_TEMP{gpu="x",Hostname="gpu1"} 60`+"\n", 50)), "gpu1")
	if err != nil || len(got) != 2 || len(notes) != maxNotes || !strings.Contains(notes[0], "no index") {
		t.Errorf("%v, %q, %v", got, notes, err)
	}
}

func TestClient(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	defer s.Close()
	c := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": s.URL, "gpu2": s.URL + "/metrics/"}}, nil, time.Second)
	defer c.Close()
	r, err := c.Read(t.Context(), "gpu1")
	if err != nil || r.Source != "dcgm-exporter" || r.At.Before(r.Asked) {
		t.Fatal(r, err)
	}
	if d := cmp.Diff(want, r.GPUs); d != "" {
		t.Error(d)
	}
	if _, err := c.Read(t.Context(), "gpu2"); err == nil || !strings.Contains(err.Error(), "gpu1") {
		t.Errorf("another node's exporter: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("#0000000\n{}0")) // expfmt panics
	f.Add([]byte("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu=\"0\"} NaN\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		gpus, _, err := Parse(b, "")
		if (err == nil) == (len(gpus) == 0) {
			t.Errorf("%d GPUs, %v", len(gpus), err)
		}
		for _, g := range gpus {
			if g.Power.V < 0 || g.Energy.V < 0 || g.Use.V < 0 || g.Use.V > 1 || g.Index < 0 {
				t.Errorf("%+v", g)
			}
		}
	})
}
