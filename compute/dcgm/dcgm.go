// Package dcgm owns what dcgm-exporter tells of a node's GPUs: its metrics, read as Prometheus's
// text, become a compute.Reading.
//
// It never changes anything on a node and never mends a counter that went back: whoever
// integrates it does.
//
// Concurrency: a Client is safe for concurrent use and its calls block; Parse is pure.
package dcgm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/site"
	"switchyard/unit"
)

// The bounds of an exporter's answer.
const (
	maxText = 8 << 20 // bytes
	maxGPUs = 256
	// maxNotes bounds what is told of one answer.
	maxNotes = 10
)

// Client reads the exporters of all nodes.
type Client struct {
	call  endpoint.Caller
	clock clock.Clock
	path  string
}

// NewClient makes a client of the exporters at an endpoint, whose addresses may end in a path;
// without one it is /metrics. Readings are dated by the clock (nil: the machine's); timeout is
// for one call with its retries, in machine time, and zero means 10 s.
func NewClient(e endpoint.Endpoint, c clock.Clock, timeout time.Duration) *Client {
	if c == nil {
		c = clock.System()
	}
	return &Client{call: endpoint.Caller{Endpoint: e, HTTP: e.HTTP(), Timeout: timeout, Limit: maxText}, clock: c, path: "/metrics"}
}

// Close lets go of the connections that are kept.
func (c *Client) Close() { c.call.HTTP.CloseIdleConnections() }

// Read returns what a node's exporter tells. It blocks on the node.
func (c *Client) Read(ctx context.Context, node string) (compute.Reading, error) {
	asked := c.clock.Now()
	address, err := c.call.Endpoint.Address(node)
	if err != nil {
		return compute.Reading{}, err
	}
	path := c.path
	if strings.HasSuffix(address, path) {
		path = ""
	}
	b, err := c.call.Call(ctx, node, endpoint.Request{Method: http.MethodGet, Path: path, Header: map[string]string{"Accept": "text/plain;version=0.0.4"}})
	if err != nil {
		return compute.Reading{}, err
	}
	gpus, notes, err := Parse(b, node)
	if err != nil {
		return compute.Reading{}, fmt.Errorf("node %s: %w", node, err)
	}
	return compute.Reading{Node: node, Asked: asked, At: c.clock.Now(), GPUs: gpus, Notes: notes, Source: "dcgm-exporter"}, nil
}

// The metrics that are read.
const (
	powerUsage = "DCGM_FI_DEV_POWER_USAGE"              // W
	energy     = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION" // mJ since the driver was loaded
	use        = "DCGM_FI_DEV_GPU_UTIL"                 // %
	temp       = "DCGM_FI_DEV_GPU_TEMP"                 // deg C
	limit      = "DCGM_FI_DEV_POWER_MGMT_LIMIT"         // W
	xid        = "DCGM_FI_DEV_XID_ERRORS"               // the last one's kind; 0: none
)

// Parse reads an exporter's text. With a node, lines whose Hostname names another machine are
// left out, as an exporter may serve several. One GPU of which several jobs are told keeps none
// of them: whose the work is then is for the engine to say. A value or a line that cannot be is
// left out, which makes it unknown and nothing else, and the notes tell of it.
func Parse(text []byte, node string) (gpus []compute.GPU, notes []string, err error) {
	if len(text) > maxText {
		return nil, nil, fmt.Errorf("the exporter's answer has more than %d bytes: %w", maxText, compute.ErrUnsupported)
	}
	p := parsing{gpus: map[string]*gpu{}, hosts: map[string]bool{}, node: node}
	families, err := p.read(text)
	if err != nil {
		return nil, nil, fmt.Errorf("the exporter's answer is no metrics text: %w: %w", err, compute.ErrUnsupported)
	}
	for _, name := range metrics() {
		for _, m := range families[name].GetMetric() {
			if err := p.take(name, m); err != nil {
				p.note(fmt.Errorf("the exporter's %s: %w", name, err))
			}
		}
	}
	if len(p.gpus) == 0 {
		return nil, nil, p.none()
	}
	var all []compute.GPU
	for _, g := range p.gpus {
		if g.several {
			g.Job, g.Namespace, g.Pod = "", "", ""
		}
		all = append(all, g.GPU)
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Index < all[j].Index || all[i].Index == all[j].Index && all[i].UUID < all[j].UUID
	})
	return all, p.notes, nil
}

// metrics are those that are read, in the order in which they are taken.
func metrics() []string { return []string{powerUsage, energy, use, temp, limit, xid} }

// read takes the text apart. Where it is not well formed as a whole, each line of the metrics that
// are wanted is read for itself, and the others go with a note.
func (p *parsing) read(text []byte) (map[string]*dto.MetricFamily, error) {
	families, whole := parse(text)
	if whole == nil {
		return families, nil
	}
	families = map[string]*dto.MetricFamily{}
	for line := range bytes.Lines(text) {
		name := string(line[:max(bytes.IndexAny(line, "{ \t"), 0)])
		if !slices.Contains(metrics(), name) {
			continue
		}
		one, err := parse(append(bytes.TrimRight(line, "\r\n"), '\n'))
		if err != nil || len(one[name].GetMetric()) != 1 {
			p.note(fmt.Errorf("the exporter's %s: a line cannot be read: %.120q", name, bytes.TrimSpace(line)))
			continue
		}
		if families[name] == nil {
			families[name] = one[name]
		} else {
			families[name].Metric = append(families[name].Metric, one[name].Metric...)
		}
	}
	if len(families) == 0 {
		return nil, whole
	}
	return families, nil
}

// parse reads a text that is well formed. The parser panics where braces stand without a name
// before them; an exporter must not end the program by that.
func parse(text []byte) (families map[string]*dto.MetricFamily, err error) {
	defer func() {
		if p := recover(); p != nil {
			families, err = nil, fmt.Errorf("it is garbled: %v", p)
		}
	}()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(bytes.NewReader(text))
}

type parsing struct {
	gpus  map[string]*gpu
	hosts map[string]bool // that were left out
	node  string
	notes []string // what was left out, at most maxNotes
}

// note tells of what is left out.
func (p *parsing) note(err error) {
	if len(p.notes) < maxNotes {
		p.notes = append(p.notes, err.Error()+": it is left out")
	}
}

type gpu struct {
	compute.GPU
	worked, several bool
}

// none says why there is no GPU.
func (p *parsing) none() error {
	for h := range p.hosts {
		return fmt.Errorf("the exporter tells of host %q, not of this node: mend its address: %w", h, compute.ErrUnsupported)
	}
	if len(p.notes) > 0 {
		return fmt.Errorf("the exporter tells of no GPU that can be read: %s: %w", p.notes[0], compute.ErrUnsupported)
	}
	return fmt.Errorf("the exporter tells of no GPU: it serves none of %s, %s: %w", powerUsage, energy, compute.ErrUnsupported)
}

func (p *parsing) take(name string, m *dto.Metric) error {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if host := labels["Hostname"]; host != "" && p.node != "" && !sameHost(host, p.node) {
		p.hosts[host] = true
		return nil
	}
	index, err := strconv.Atoi(labels["gpu"])
	if err != nil || index < 0 || index >= maxGPUs {
		return fmt.Errorf("its label gpu is %q, which is no index", labels["gpu"])
	}
	key := labels["UUID"]
	if key == "" {
		key = labels["gpu"]
	}
	g := p.gpus[key]
	if g == nil {
		if len(p.gpus) >= maxGPUs {
			return fmt.Errorf("more than %d GPUs", maxGPUs)
		}
		g = &gpu{GPU: compute.GPU{Index: index, UUID: labels["UUID"], Model: labels["modelName"]}}
		p.gpus[key] = g
	}
	g.work(labels)
	v, ok := value(m)
	if !ok {
		return nil
	}
	return g.set(name, v)
}

// work notes whose work is on the GPU. Under Prometheus's relabelling the names begin with exported_.
func (g *gpu) work(labels map[string]string) {
	of := func(names ...string) string {
		for _, n := range names {
			if v := labels[n]; v != "" {
				return v
			}
		}
		return ""
	}
	job, space, pod := of("hpc_job"), of("exported_namespace", "namespace"), of("exported_pod", "pod")
	if job == "" && pod == "" {
		return
	}
	if g.worked && (g.Job != job || g.Namespace != space || g.Pod != pod) {
		g.several = true
		return
	}
	g.worked, g.Job, g.Namespace, g.Pod = true, job, space, pod
}

// The values by which DCGM says that it does not know, of whole and of broken numbers.
const (
	blank32 = 0x7ffffff0
	blank64 = 0x7ffffffffffffff0
	blankFP = 140737488355328.0
)

// value returns what a line says; ok is false where it says nothing.
func value(m *dto.Metric) (v float64, ok bool) {
	switch {
	case m.Gauge != nil:
		v = m.GetGauge().GetValue()
	case m.Counter != nil:
		v = m.GetCounter().GetValue()
	case m.Untyped != nil:
		v = m.GetUntyped().GetValue()
	default:
		return 0, false
	}
	blank := math.IsNaN(v) || math.IsInf(v, 0) || v >= blank64 || v >= blankFP && v < blankFP+16 || v >= blank32 && v < blank32+16 && v == math.Trunc(v)
	return v, !blank
}

// set notes a figure. One GPU has several lines where it is shared or divided: the first counts.
func (g *gpu) set(name string, v float64) error {
	between := func(least, most float64) error {
		if v >= least && v <= most {
			return nil
		}
		return fmt.Errorf("GPU %d: %g is not between %g and %g", g.Index, v, least, most)
	}
	var err error
	switch name {
	case powerUsage:
		if err = between(0, 1e5); err == nil && !g.Power.OK {
			g.Power = site.Some(unit.Watts(v))
		}
	case energy:
		if v < 0 {
			return errors.New("it is negative")
		}
		if !g.Energy.OK {
			g.Energy = site.Some(unit.Energy(math.Round(v / 3600))) // mJ to mWh
		}
	case use:
		if err = between(0, 100); err == nil && !g.Use.OK {
			g.Use = site.Some(v / 100)
		}
	case temp:
		if err = between(-100, 300); err == nil && !g.Temp.OK {
			g.Temp = site.Some(v)
		}
	case limit:
		if err = between(0, 1e5); err == nil && !g.Limit.OK {
			g.Limit = site.Some(unit.Watts(v))
		}
	case xid:
		if fault := fmt.Sprintf("XID %.0f", v); v > 0 && len(g.Faults) == 0 {
			g.Faults = []string{fault}
		}
	}
	return err
}

// sameHost compares a machine's names with or without their domain.
func sameHost(a, b string) bool {
	short := func(s string) string { s, _, _ = strings.Cut(strings.ToLower(s), "."); return s }
	return short(a) == short(b)
}
