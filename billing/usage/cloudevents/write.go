package cloudevents

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// Format is how events are written.
type Format string

// The formats.
const (
	Batch  Format = "batch"  // one JSON array: CloudEvents' batch format
	NDJSON Format = "ndjson" // one event a line
	Lago   Format = "lago"   // Lago's events, in its batch's envelope
)

// Formats returns all formats.
func Formats() []Format { return []Format{Batch, NDJSON, Lago} }

// ContentType returns the media type of a format as it is sent.
func (f Format) ContentType() string {
	switch f {
	case NDJSON:
		return "application/x-ndjson"
	case Lago:
		return "application/json"
	}
	return "application/cloudevents-batch+json"
}

// Codes are the names that Lago's billable metrics have for our types; empty ones are the
// defaults: "switchyard_energy" and "switchyard_gpu".
type Codes struct{ Energy, GPU string }

// lagoEvent is one event as Lago takes it.
type lagoEvent struct {
	Transaction  string `json:"transaction_id"`
	Subscription string `json:"external_subscription_id"`
	Code         string `json:"code"`
	Timestamp    int64  `json:"timestamp"`
	Properties   Data   `json:"properties"`
}

func (c Codes) lago(e Event) lagoEvent {
	code := c.Energy
	if code == "" {
		code = "switchyard_energy"
	}
	if e.Type == TypeGPU {
		if code = c.GPU; code == "" {
			code = "switchyard_gpu"
		}
	}
	return lagoEvent{e.ID, e.Subject, code, e.Data.start.Unix(), e.Data}
}

// Encode writes a whole body of events in a format.
func Encode(events []Event, f Format, c Codes) ([]byte, error) {
	var b bytes.Buffer
	n := 0
	err := write(&b, f, c, func(yield func(Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}, &n)
	return b.Bytes(), err
}

// Write streams events to w and returns how many; tell (nil: nobody) is told now and then.
func Write(w io.Writer, f Format, c Codes, events iter.Seq2[Event, error], tell func(n int)) (int, error) {
	n := 0
	out := bufio.NewWriterSize(w, 1<<16)
	err := write(out, f, c, func(yield func(Event, error) bool) {
		for e, err := range events {
			if tell != nil && n%1000 == 0 {
				tell(n)
			}
			if !yield(e, err) {
				return
			}
		}
	}, &n)
	if err != nil {
		return n, err
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("write usage: %w", err)
	}
	return n, nil
}

func write(w io.Writer, f Format, c Codes, events iter.Seq2[Event, error], n *int) error {
	open, between, end := "[\n", ",\n", "\n]\n"
	switch f {
	case NDJSON:
		open, between, end = "", "\n", "\n"
	case Lago:
		open, end = "{\"events\":[\n", "\n]}\n"
	}
	text := func(s string) error {
		if _, err := io.WriteString(w, s); err != nil {
			return fmt.Errorf("write usage: %w", err)
		}
		return nil
	}
	if err := text(open); err != nil {
		return err
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		var v any = e
		if f == Lago {
			v = c.lago(e)
		}
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
		if *n > 0 {
			if err := text(between); err != nil {
				return err
			}
		}
		if err := text(string(data)); err != nil {
			return err
		}
		*n++
	}
	if f == NDJSON && *n == 0 {
		return nil
	}
	return text(end)
}
