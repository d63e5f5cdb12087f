package openadr

import (
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/signal"
	"switchyard/signal/openadr/event"
)

// The shapes that are sent. They hold what the specification defines and nothing else.
type (
	reportOut struct {
		ProgramID   string          `json:"programID,omitempty"` // 3.0 only
		EventID     string          `json:"eventID"`
		ClientName  string          `json:"clientName"`
		Name        string          `json:"reportName"`
		Descriptors []descriptorOut `json:"payloadDescriptors"`
		Resources   []resourceOut   `json:"resources"`
	}
	descriptorOut struct {
		ObjectType string `json:"objectType"`
		Type       string `json:"payloadType"`
		Reading    string `json:"readingType,omitempty"`
		Units      string `json:"units,omitempty"`
	}
	resourceOut struct {
		Name      string        `json:"resourceName"`
		Intervals []intervalOut `json:"intervals"`
	}
	intervalOut struct {
		ID       int64        `json:"id"`
		Period   *periodOut   `json:"intervalPeriod,omitempty"`
		Payloads []payloadOut `json:"payloads"`
	}
	periodOut struct {
		Start    string `json:"start"`
		Duration string `json:"duration"`
	}
	payloadOut struct {
		Type   string `json:"type"`
		Values []any  `json:"values"`
	}
)

// aggregated is the resource name of a report over several resources.
const aggregated = "AGGREGATED_REPORT"

// site is what reports tell of, read once for each.
type siteNow struct {
	meter     signal.Meter
	metering  *metering
	curtailed bool
	level     int
	at        time.Time
}

// state is the site's OPERATING_STATE.
func (s *siteNow) state() string {
	switch {
	case !s.meter.Power.OK:
		return "ERROR" // not addressable: no reading
	case s.curtailed:
		return "RUNNING_CURTAILED"
	}
	return "NORMAL"
}

// reportable says why a descriptor cannot be met; nil when it can.
func reportable(d event.ReportDescriptor) error {
	units := event.Text(d.Units)
	switch d.Type {
	case "OPERATING_STATE", "SIMPLE_LEVEL":
		return nil
	case "USAGE":
		if _, ok := energyScale(units); !ok {
			return fmt.Errorf("report %s in %s is not made: KWH is", d.Type, event.Quote(units))
		}
	case "DEMAND", "READING", "SETPOINT", "LOAD_SHED_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE":
		if _, ok := event.PowerScale(units); !ok {
			return fmt.Errorf("report %s in %s is not made: KW is", d.Type, event.Quote(units))
		}
	default:
		return fmt.Errorf("report %s is not made here", event.Quote(d.Type))
	}
	ahead := d.Historical != nil && !*d.Historical
	if ahead && (d.Type == "USAGE" || d.Type == "DEMAND" || d.Type == "READING") {
		return fmt.Errorf("a forecast of %s is not made", d.Type)
	}
	return nil
}

func energyScale(units string) (wattHours float64, ok bool) {
	switch strings.ToUpper(units) {
	case "", "KWH":
		return 1e3, true
	case "WH":
		return 1, true
	case "MWH":
		return 1e6, true
	}
	return 0, false
}

// payloads are what one interval of a report holds. What was not measured is said to be
// missing and never told as zero.
func (s *siteNow) payloads(d event.ReportDescriptor, a, b time.Time) []payloadOut {
	missing := []payloadOut{{Type: "DATA_QUALITY", Values: []any{"MISSING"}}}
	one := func(v any) []payloadOut { return []payloadOut{{Type: d.Type, Values: []any{v}}} }
	power, _ := event.PowerScale(event.Text(d.Units))
	switch d.Type {
	case "OPERATING_STATE":
		return one(s.state())
	case "SIMPLE_LEVEL":
		return one(s.level)
	case "SETPOINT":
		if !s.meter.Limit.OK {
			return missing
		}
		return one(round(s.meter.Limit.V.Watts() / power))
	case "LOAD_SHED_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE":
		return one(round(s.meter.Flexible.Watts() / power))
	}
	u := s.metering.over(a, b)
	if u.known == 0 {
		return missing
	}
	var v float64
	switch {
	case d.Type == "USAGE":
		energy, _ := energyScale(event.Text(d.Units))
		v = u.mean.Watts() * b.Sub(a).Hours() / energy
	case event.Text(d.Reading) == "PEAK":
		v = u.peak.Watts() / power
	default:
		v = u.mean.Watts() / power
	}
	out := one(round(max(0, v)))
	if u.known < 0.95 {
		out = append(out, payloadOut{Type: "DATA_QUALITY", Values: []any{"ESTIMATED"}})
	}
	return out
}

// round keeps six digits after the point.
func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

// make composes one report over the given intervals.
func (s *siteNow) make(h *event.Held, o *obligation, name, client, resource string, over []event.Slot) reportOut {
	d := o.d
	if d.Aggregate != nil && *d.Aggregate {
		resource = aggregated
	}
	what := descriptorOut{ObjectType: "REPORT_PAYLOAD_DESCRIPTOR", Type: d.Type, Reading: reading(d)}
	if d.Type != "OPERATING_STATE" && d.Type != "SIMPLE_LEVEL" {
		if what.Units = strings.ToUpper(event.Text(d.Units)); what.Units == "" {
			what.Units = "KW"
			if d.Type == "USAGE" {
				what.Units = "KWH"
			}
		}
	}
	r := reportOut{EventID: h.Event.ID, ClientName: client, Name: name, Descriptors: []descriptorOut{what}}
	res := resourceOut{Name: resource, Intervals: []intervalOut{}}
	for _, w := range over {
		iv := intervalOut{ID: w.Number, Payloads: s.payloads(d, w.From, w.To)}
		if !w.To.IsZero() {
			iv.Period = &periodOut{Start: w.From.UTC().Format(time.RFC3339Nano), Duration: isoDuration(w.To.Sub(w.From))}
		}
		res.Intervals = append(res.Intervals, iv)
	}
	r.Resources = []resourceOut{res}
	return r
}

// reading is the reading type: what was asked for where it fits, else what it is.
func reading(d event.ReportDescriptor) string {
	switch d.Type {
	case "OPERATING_STATE", "SIMPLE_LEVEL", "SETPOINT":
		return "DIRECT_READ"
	case "LOAD_SHED_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE":
		return "ESTIMATED"
	case "USAGE":
		return "SUMMED"
	}
	if event.Text(d.Reading) == "PEAK" {
		return "PEAK"
	}
	return "MEAN"
}

// isoDuration writes a duration in hours, minutes and seconds.
func isoDuration(d time.Duration) string {
	if d <= 0 {
		return "PT0S"
	}
	var b strings.Builder
	b.WriteString("PT")
	if h := d / time.Hour; h > 0 {
		fmt.Fprintf(&b, "%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		fmt.Fprintf(&b, "%dM", m)
	}
	if s := d % time.Minute; s > 0 {
		text := fmt.Sprintf("%.9f", s.Seconds())
		b.WriteString(strings.TrimRight(strings.TrimRight(text, "0"), ".") + "S")
	}
	return b.String()
}
