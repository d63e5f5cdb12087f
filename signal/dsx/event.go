package dsx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	// maxPayload bounds an event in bytes, and with it the signed data.
	maxPayload = 64 << 10
	maxText    = 200 // of an attribute
	namespace  = "grid/v1/"

	typeSet    = "grid.loadtarget.set.v1"
	typeStatus = "grid.powerstate.status.v1"
	typeBreach = "grid.powerbreach.alert.v1"
)

// event is a CloudEvent in structured JSON. Attributes that we neither need nor send are left out.
type event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            string          `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Subject         string          `json:"subject"`
	TraceParent     string          `json:"traceparent"`
	TraceState      string          `json:"tracestate,omitempty"`
	CorrelationID   string          `json:"correlationid,omitempty"`
	Data            json.RawMessage `json:"data"`

	at time.Time // Time, read
}

// traceparent is the form of the W3C's trace context.
func traceparent() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)
}

// readEvent reads the envelope of a load target from source and returns it with its signed
// data, not yet verified.
func readEvent(payload []byte, source string) (event, string, error) {
	var e event
	if len(payload) > maxPayload {
		return e, "", fmt.Errorf("it has more than %d bytes", maxPayload)
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return e, "", fmt.Errorf("it is not a CloudEvent in JSON: %w", plain(err))
	}
	for name, v := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type, "correlationid": e.CorrelationID, "tracestate": e.TraceState} {
		if len(v) > maxText {
			return e, "", fmt.Errorf("its %s has more than %d characters", name, maxText)
		}
	}
	kind, _, _ := mime.ParseMediaType(e.DataContentType)
	switch {
	// The binding says 1.0.2, the CloudEvents specification of that version says 1.0.
	case e.SpecVersion != "1.0.2" && e.SpecVersion != "1.0":
		return e, "", fmt.Errorf("its specversion is %s, not 1.0.2", show(e.SpecVersion))
	case e.Type != typeSet:
		return e, "", fmt.Errorf("its type is %s, not %s", show(e.Type), typeSet)
	case e.Source != source:
		return e, "", fmt.Errorf("its source is %s, not %s", show(e.Source), source)
	case e.ID == "":
		return e, "", errors.New("its id is missing")
	case e.DataContentType != "" && kind != "application/json":
		return e, "", fmt.Errorf("its datacontenttype is %s, not application/json", show(e.DataContentType))
	}
	var err error
	if e.at, err = time.Parse(time.RFC3339Nano, e.Time); err != nil {
		return e, "", fmt.Errorf("its time is %s, not an ISO 8601 time", show(e.Time))
	}
	var signed string
	switch data := bytes.TrimSpace(e.Data); {
	case len(data) == 0 || string(data) == "null":
		return e, "", errors.New("its data is missing")
	case data[0] != '"' || json.Unmarshal(data, &signed) != nil:
		return e, "", errors.New("its data is not signed: a JWS in compact form is wanted")
	}
	if e.CorrelationID == "" || !isID(e.CorrelationID) {
		e.CorrelationID = e.ID
	}
	if !isID(e.CorrelationID) {
		return e, "", errors.New("neither its correlationid nor its id is a UUID")
	}
	return e, signed, nil
}

// isID says whether s is a UUID in its usual form; status events must carry one.
func isID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}

// makeEvent wraps signed data. trace is what is to be continued; empty starts a new trace.
func makeEvent(agent, kind, correlation, trace, state string, now time.Time, signed string) ([]byte, error) {
	data, err := json.Marshal(signed)
	if err != nil {
		return nil, err
	}
	return json.Marshal(event{
		SpecVersion: "1.0.2", ID: uuid.NewString(), Source: "//" + namespace + "dsx-flex-agent/" + agent, Type: kind,
		Time: iso(now), DataContentType: "application/json", Subject: strings.Split(kind, ".")[1],
		TraceParent: span(trace), TraceState: state, CorrelationID: correlation, Data: data,
	})
}

// span returns a traceparent that continues trace with a span of its own.
func span(trace string) string {
	id := uuid.New()
	hex := func(b []byte) string { return fmt.Sprintf("%x", b) }
	if m := traceparent().FindStringSubmatch(trace); m != nil {
		return "00-" + m[1] + "-" + hex(id[8:]) + trace[52:]
	}
	root := uuid.New()
	return "00-" + hex(root[:]) + "-" + hex(id[8:]) + "-00"
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// plain turns an error of the JSON decoder into words of the message's own.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is a %s", show(wrong.Field), strings.Fields(wrong.Value + " ")[0])
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("syntax error at byte %d", syntax.Offset)
	}
	return errors.New("it ends early")
}

// show is a short, printable form of what was said, in quotes.
func show(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(s, "?"))
}
