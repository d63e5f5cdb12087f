// Package cloudevents owns usage as others take it: each row of the record as CloudEvents 1.0,
// written to a file or sent to a metering service such as OpenMeter, or as Lago's events.
//
// It never reads the record by itself and never computes a price. Ids are made of what an event
// says, so that sending again is harmless: a receiver that knows an id drops the event.
//
// Concurrency: the conversions are pure; a Sender belongs to one goroutine and blocks on the
// network until it is done or its context ends.
package cloudevents

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"switchyard/billing/usage"
	"switchyard/telemetry"
	"switchyard/unit"
)

// The types of events.
const (
	TypeEnergy = "switchyard.usage.energy"
	TypeGPU    = "switchyard.usage.gpu"
)

// Event is one CloudEvent in its JSON form.
type Event struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"` // the tenant
	Time            string `json:"time"`    // the interval's start: it counts to the month that it began in
	DataContentType string `json:"datacontenttype"`
	Data            Data   `json:"data"`
}

// Data is what an event says. Figures are what a revision adds to the one before it, and may
// then be negative: the sum over all events of a time is what was used in it, whichever
// corrections came. Energies are exact; hours are rounded to 3.6 microseconds.
type Data struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Revision int    `json:"revision"`
	Quality  string `json:"quality"`
	// Of energy.
	Critical json.Number `json:"critical_kwh,omitempty"`
	Billed   json.Number `json:"billed_kwh,omitempty"`
	Losses   json.Number `json:"losses_kwh,omitempty"`
	House    json.Number `json:"house_kwh,omitempty"`
	Cost     json.Number `json:"cost_usd,omitempty"`
	// Of GPU time.
	Model string      `json:"model,omitempty"`
	Sale  string      `json:"sale,omitempty"`
	Used  json.Number `json:"used_gpu_hours,omitempty"`
	Held  json.Number `json:"held_gpu_hours,omitempty"`

	start time.Time
}

// ID returns an event's id: the SHA-256, in hex, of the tenant, the meter ("energy", or
// "gpu/MODEL/SALE"), the interval's start and the revision.
func ID(tenant, meter string, start time.Time, revision int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", tenant, meter, start.Unix(), revision))
	return hex.EncodeToString(sum[:])
}

// Events turns rows into events. The rows are to come with all revisions, in their order, as
// usage.Record.Rows gives them with Revisions; of each the first event has all of it and later
// ones the differences. Of a row that says nothing (no energy, no GPU time) there is no event
// unless it corrects one. The sequence ends with the first error of the rows.
func Events(source string, rows iter.Seq2[usage.Row, error]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var last usage.Row
		for r, err := range rows {
			if err != nil {
				yield(Event{}, err)
				return
			}
			var was usage.Row
			if last.Tenant == r.Tenant && last.Start.Equal(r.Start) {
				was = last
			}
			last = r
			for _, e := range of(source, was, r) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// of returns the events of one row that follows another revision of itself, or the zero row.
func of(source string, was, r usage.Row) []Event {
	base := Data{
		From: stamp(r.Start), To: stamp(r.Start.Add(telemetry.Length)), Revision: r.Revision, Quality: r.Quality.String(), start: r.Start,
	}
	event := func(kind, meter string, d Data) Event {
		return Event{
			SpecVersion: "1.0", ID: ID(r.Tenant, meter, r.Start, r.Revision), Source: source, Type: kind, Subject: r.Tenant,
			Time: stamp(r.Start), DataContentType: "application/json", Data: d,
		}
	}
	var out []Event
	first := was.Tenant == ""
	if d := r.Billed - was.Billed; d != 0 || r.Critical != was.Critical || r.Cost != was.Cost && !first {
		e := base
		e.Critical, e.Billed = kWh(r.Critical-was.Critical), kWh(d)
		e.Losses, e.House = kWh(r.Losses-was.Losses), kWh(r.House-was.House)
		if r.Cost.OK {
			e.Cost = decimal(int64(r.Cost.V-was.Cost.Or(0)), 6)
		}
		out = append(out, event(TypeEnergy, "energy", e))
	}
	for _, g := range r.GPUs {
		before := gpuTime(was.GPUs, g)
		if g.Used == before.Used && g.Held == before.Held {
			continue
		}
		out = append(out, event(TypeGPU, meterOf(g), gpuData(base, g, before)))
	}
	for _, g := range was.GPUs { // what a correction took away altogether
		if after := gpuTime(r.GPUs, g); after.Model == "" {
			gone := usage.GPUTime{Model: g.Model, How: g.How}
			out = append(out, event(TypeGPU, meterOf(g), gpuData(base, gone, g)))
		}
	}
	return out
}

func meterOf(g usage.GPUTime) string { return "gpu/" + g.Model + "/" + string(g.How) }

func gpuTime(in []usage.GPUTime, like usage.GPUTime) usage.GPUTime {
	for _, g := range in {
		if g.Model == like.Model && g.How == like.How {
			return g
		}
	}
	return usage.GPUTime{}
}

func gpuData(d Data, g, was usage.GPUTime) Data {
	d.Model, d.Sale, d.Used, d.Held = g.Model, string(g.How), hours(g.Used-was.Used), hours(g.Held-was.Held)
	return d
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// kWh writes an energy exactly: a milliwatt-hour is the sixth place.
func kWh(e unit.Energy) json.Number { return decimal(int64(e), 6) }

// hours writes a duration to the billionth of an hour, 3.6 microseconds.
func hours(d time.Duration) json.Number {
	n := int64(d) / 3600
	if rest := int64(d) % 3600; rest >= 1800 {
		n++
	} else if rest <= -1800 {
		n--
	}
	return decimal(n, 9)
}

// decimal writes v with so many places and no zeros at its end.
func decimal(v int64, places int) json.Number {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	digits := strconv.FormatInt(v, 10)
	if len(digits) <= places {
		digits = strings.Repeat("0", places-len(digits)+1) + digits
	}
	whole, rest := digits[:len(digits)-places], strings.TrimRight(digits[len(digits)-places:], "0")
	if rest == "" {
		return json.Number(sign + whole)
	}
	return json.Number(sign + whole + "." + rest)
}
