package gpuagent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// The bounds of what is read from the wire.
const (
	maxBody   = 4 << 10 // of a request
	maxAnswer = 1 << 20
	maxGPUs   = 256
)

// capBody asks for a cap.
type capBody struct {
	PowerW float64 `json:"power_w"`
	LeaseS float64 `json:"lease_s"`
	Reason string  `json:"reason"`
}

// heldBody answers a cap and its lifting.
type heldBody struct {
	Node     string    `json:"node,omitempty"`
	Complete bool      `json:"complete"` // every GPU that answers is held
	GPUs     []heldGPU `json:"gpus"`
	Warning  string    `json:"warning,omitempty"`
}

type heldGPU struct {
	Index     int     `json:"index"`
	UUID      string  `json:"uuid,omitempty"`
	SetW      float64 `json:"set_w,omitempty"` // absent: not set
	OriginalW float64 `json:"original_w,omitempty"`
	Clamped   bool    `json:"clamped,omitempty"`
	Lost      bool    `json:"lost,omitempty"`
	Error     string  `json:"error,omitempty"`
}

// readingBody answers GET /v1/gpus. What is not known is absent.
type readingBody struct {
	Node   string    `json:"node,omitempty"`
	Driver string    `json:"driver"`
	AgeMS  int64     `json:"age_ms"`
	Cap    capState  `json:"cap"`
	GPUs   []gpuBody `json:"gpus"`
}

type capState struct {
	Mode       Mode    `json:"mode"`
	PowerW     float64 `json:"power_w,omitempty"`
	LeaseS     float64 `json:"lease_s,omitempty"`
	LeaseLeftS float64 `json:"lease_left_s,omitempty"`
	Reason     string  `json:"reason,omitempty"`
}

type gpuBody struct {
	Index         int      `json:"index"`
	UUID          string   `json:"uuid,omitempty"`
	Model         string   `json:"model,omitempty"`
	PowerW        *float64 `json:"power_w,omitempty"`
	EnergyWh      *float64 `json:"energy_wh,omitempty"` // to the milliwatt-hour
	LimitW        *float64 `json:"limit_w,omitempty"`
	DefaultLimitW *float64 `json:"default_limit_w,omitempty"`
	MinLimitW     *float64 `json:"min_limit_w,omitempty"`
	MaxLimitW     *float64 `json:"max_limit_w,omitempty"`
	Utilization   *float64 `json:"utilization,omitempty"` // 0 to 1
	TempC         *float64 `json:"temp_c,omitempty"`
	Faults        []string `json:"faults,omitempty"`
	// Whose work is on it, where the node's driver library or its kubelet tells.
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Job       string `json:"job,omitempty"`
}

// failure answers what was not done.
type failure struct {
	Error string `json:"error"`
}

func watts(o site.Opt[unit.Power]) *float64 {
	if !o.OK {
		return nil
	}
	w := o.V.Watts()
	return &w
}

func number(o site.Opt[float64]) *float64 {
	if !o.OK || math.IsNaN(o.V) || math.IsInf(o.V, 0) {
		return nil
	}
	return &o.V
}

func encodeHeld(node string, o Outcome) heldBody {
	b := heldBody{Node: node, Complete: o.Refused() == nil, GPUs: []heldGPU{}, Warning: o.Warning}
	for _, g := range o.GPUs {
		b.GPUs = append(b.GPUs, heldGPU{
			Index: g.Index, UUID: g.UUID, SetW: g.Set.Watts(), OriginalW: g.Original.Watts(), Clamped: g.Clamped, Lost: g.Lost, Error: g.Err,
		})
	}
	return b
}

func encodeStatus(s Status) readingBody {
	b := readingBody{
		Node: s.Node, Driver: s.Driver, AgeMS: s.Age.Milliseconds(), GPUs: []gpuBody{},
		Cap: capState{Mode: s.Mode, PowerW: s.Power.Watts(), LeaseS: s.Lease.Seconds(), LeaseLeftS: s.Left.Seconds(), Reason: s.Reason},
	}
	for _, g := range s.GPUs {
		j := gpuBody{
			Index: g.Index, UUID: g.UUID, Model: g.Model, PowerW: watts(g.Power), LimitW: watts(g.Limit), DefaultLimitW: watts(g.Default),
			MinLimitW: watts(g.Least), MaxLimitW: watts(g.Most), Utilization: number(g.Use), TempC: number(g.Temp), Faults: g.Faults,
			Namespace: g.Namespace, Pod: g.Pod, Job: g.Job,
		}
		if g.Energy.OK {
			wh := float64(g.Energy.V) / float64(unit.WattHour)
			j.EnergyWh = &wh
		}
		b.GPUs = append(b.GPUs, j)
	}
	return b
}

// strict reads one JSON value of a request, with no key that is not known.
func strict(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the JSON value")
	}
	return nil
}

// decodeStatus reads the answer to GET /v1/gpus. A figure that cannot be is an error: nobody
// should plan with it.
func decodeStatus(b []byte) (Status, error) {
	var r readingBody
	if len(b) > maxAnswer {
		return Status{}, fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Status{}, err
	}
	switch {
	case r.GPUs == nil || r.Cap.Mode != ModeNone && r.Cap.Mode != ModeCap && r.Cap.Mode != ModeSafe:
		return Status{}, errors.New("it is no agent's reading: gpus or cap.mode is missing")
	case len(r.GPUs) > maxGPUs:
		return Status{}, fmt.Errorf("it tells of %d GPUs, %d is the most", len(r.GPUs), maxGPUs)
	case !within(r.Cap.PowerW, MaxPower.Watts()), !within(r.Cap.LeaseS, MaxLease.Seconds()), !within(r.Cap.LeaseLeftS, MaxLease.Seconds()), r.AgeMS < 0:
		return Status{}, errors.New("its cap's figures cannot be")
	}
	s := Status{
		Node: r.Node, Driver: r.Driver, Mode: r.Cap.Mode, Power: unit.Watts(r.Cap.PowerW), Reason: r.Cap.Reason,
		Lease: seconds(r.Cap.LeaseS), Left: seconds(r.Cap.LeaseLeftS), Age: time.Duration(min(r.AgeMS, MaxLease.Milliseconds())) * time.Millisecond,
	}
	for _, j := range r.GPUs {
		g, err := j.gpu()
		if err != nil {
			return Status{}, fmt.Errorf("GPU %d: %w", j.Index, err)
		}
		s.GPUs = append(s.GPUs, g)
	}
	return s, nil
}

func (j gpuBody) gpu() (compute.GPU, error) {
	g := compute.GPU{Index: j.Index, UUID: j.UUID, Model: j.Model, Faults: j.Faults, Namespace: j.Namespace, Pod: j.Pod, Job: j.Job}
	if j.Index < 0 {
		return g, errors.New("its index is below zero")
	}
	for _, f := range []struct {
		name string
		from *float64
		most float64
		to   func(float64)
	}{
		{"power_w", j.PowerW, 1e5, func(v float64) { g.Power = site.Some(unit.Watts(v)) }},
		{"energy_wh", j.EnergyWh, 1e12, func(v float64) { g.Energy = site.Some(unit.WattHours(v)) }},
		{"limit_w", j.LimitW, 1e5, func(v float64) { g.Limit = site.Some(unit.Watts(v)) }},
		{"default_limit_w", j.DefaultLimitW, 1e5, func(v float64) { g.Default = site.Some(unit.Watts(v)) }},
		{"min_limit_w", j.MinLimitW, 1e5, func(v float64) { g.Least = site.Some(unit.Watts(v)) }},
		{"max_limit_w", j.MaxLimitW, 1e5, func(v float64) { g.Most = site.Some(unit.Watts(v)) }},
		{"utilization", j.Utilization, 1, func(v float64) { g.Use = site.Some(v) }},
	} {
		if f.from == nil {
			continue
		}
		if !within(*f.from, f.most) {
			return g, fmt.Errorf("%s %g is not between 0 and %g", f.name, *f.from, f.most)
		}
		f.to(*f.from)
	}
	if j.TempC != nil {
		g.Temp = site.Some(*j.TempC)
	}
	return g, nil
}

// decodeHeld reads the answer to a cap.
func decodeHeld(b []byte) (Outcome, error) {
	var r heldBody
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&r); err != nil {
		return Outcome{}, err
	}
	if r.GPUs == nil || len(r.GPUs) > maxGPUs {
		return Outcome{}, errors.New("it does not tell what was set")
	}
	o := Outcome{Warning: r.Warning}
	for _, g := range r.GPUs {
		if !within(g.SetW, 1e5) || !within(g.OriginalW, 1e5) {
			return Outcome{}, fmt.Errorf("GPU %d: its limit cannot be", g.Index)
		}
		h := Held{Index: g.Index, UUID: g.UUID, Set: unit.Watts(g.SetW), Original: unit.Watts(g.OriginalW), Clamped: g.Clamped, Lost: g.Lost, Err: g.Error}
		if h.Set == 0 && h.Err == "" {
			h.Err = "the agent tells no limit" // not set is never taken for set
		}
		o.GPUs = append(o.GPUs, h)
	}
	return o, nil
}

func within(v, most float64) bool { return v >= 0 && v <= most }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
