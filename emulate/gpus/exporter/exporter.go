// Package exporter owns the metrics text of an emulated node's GPUs, with the names, labels and
// units of dcgm-exporter's default collection.
//
// It never changes anything on a node.
//
// Concurrency: a handler is safe for concurrent use; it answers from the node as it is.
package exporter

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchyard/emulate/fault"
	"switchyard/emulate/gpus"
)

const driver = "550.90.07"

// hang is how long an exporter that hangs holds a request, machine time.
const hang = time.Minute

// metric is one family.
type metric struct {
	name, kind, help string
	value            func(gpus.GPU) string
}

func families() []metric {
	whole := func(f func(gpus.GPU) float64) func(gpus.GPU) string {
		return func(g gpus.GPU) string { return strconv.FormatInt(int64(math.Round(f(g))), 10) }
	}
	nought := func(gpus.GPU) string { return "0" }
	return []metric{
		{"DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", whole(func(g gpus.GPU) float64 { return g.SMClock })},
		{"DCGM_FI_DEV_MEM_CLOCK", "gauge", "Memory clock frequency (in MHz).", whole(func(g gpus.GPU) float64 { return g.MemoryClock })},
		{"DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (in C).", whole(func(g gpus.GPU) float64 { return g.Temp + 6 })},
		{"DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", whole(func(g gpus.GPU) float64 { return g.Temp })},
		{"DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", func(g gpus.GPU) string { return strconv.FormatFloat(g.Power.Watts(), 'f', 6, 64) }},
		{"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", "Total energy consumption since boot (in mJ).", func(g gpus.GPU) string { return strconv.FormatUint(g.Energy, 10) }},
		{"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "Total number of PCIe retries.", nought},
		{"DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", whole(func(g gpus.GPU) float64 { return 100 * g.Use })},
		{"DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "Memory utilization (in %).", whole(func(g gpus.GPU) float64 { return 45 * g.Use })},
		{"DCGM_FI_DEV_ENC_UTIL", "gauge", "Encoder utilization (in %).", nought},
		{"DCGM_FI_DEV_DEC_UTIL", "gauge", "Decoder utilization (in %).", nought},
		{"DCGM_FI_DEV_XID_ERRORS", "gauge", "Value of the last XID error encountered.", func(g gpus.GPU) string { return strconv.Itoa(g.XID) }},
		{"DCGM_FI_DEV_POWER_MGMT_LIMIT", "gauge", "Current power limit (in W).", func(g gpus.GPU) string { return strconv.FormatFloat(g.Limit.Watts(), 'f', 6, 64) }},
		{"DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (in MiB).", whole(func(g gpus.GPU) float64 { return float64(g.Memory - g.MemoryUsed) })},
		{"DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (in MiB).", whole(func(g gpus.GPU) float64 { return float64(g.MemoryUsed) })},
		{"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Ratio of time the graphics engine is active (in %).", func(g gpus.GPU) string { return strconv.FormatFloat(g.Use, 'f', 6, 64) }},
	}
}

// Handler serves the metrics of a node at any path that ends in /metrics. A node that is not up
// answers nothing. Seed is of the faults.
func Handler(n *gpus.Node, seed uint64) http.Handler {
	all := families()
	dice := fault.NewDice(fault.Hash(seed, "exporter "+n.Name()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, err := n.GPUs()
		if err != nil {
			panic(http.ErrAbortHandler) // nobody listens on a node that is down
		}
		if n.Suffers(gpus.ExporterHangs) {
			t := time.NewTimer(hang)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, "/health") {
			w.WriteHeader(http.StatusOK)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/metrics") {
			http.NotFound(w, r)
			return
		}
		text := text(n.Name(), list, all)
		if n.Suffers(gpus.ExporterGarbled) {
			text = garble(text, dice)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text) // the client may be gone
	})
}

// text writes the exposition of a node.
func text(node string, list []gpus.GPU, all []metric) []byte {
	labels := make([]string, len(list))
	for i, g := range list {
		labels[i] = fmt.Sprintf(`{gpu="%d",UUID=%q,pci_bus_id=%q,device="nvidia%d",modelName=%q,Hostname=%q,DCGM_FI_DRIVER_VERSION=%q`, g.Index, g.UUID, g.Bus, g.Index, g.Product, node, driver)
		if o := g.Owner; o.Pod != "" {
			labels[i] += fmt.Sprintf(`,container=%q,namespace=%q,pod=%q`, o.Container, o.Namespace, o.Pod)
		}
		if g.Owner.Job != "" {
			labels[i] += fmt.Sprintf(`,hpc_job=%q`, g.Owner.Job)
		}
		labels[i] += "} "
	}
	var b bytes.Buffer
	for _, m := range all {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for i, g := range list {
			if g.Lost && m.name != "DCGM_FI_DEV_XID_ERRORS" {
				continue // the field is blank, and blank fields are not exported
			}
			b.WriteString(m.name)
			b.WriteString(labels[i])
			b.WriteString(m.value(g))
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// garble flips some bytes and cuts the text off.
func garble(b []byte, dice *fault.Dice) []byte {
	for range 8 {
		b[dice.Below(len(b))] ^= byte(1 + dice.Below(127))
	}
	return b[:len(b)/2+dice.Below(len(b)/2)]
}
