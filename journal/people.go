package journal

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/site"
)

// HoldEntry makes the entry of what a person did to a device or a group called name.
func HoldEntry(at time.Time, name, text string) Entry {
	return Entry{At: at, Subject: name, Device: site.DeviceID(name), Kind: KindHold, Code: site.ReasonHold, Text: text}
}

// LimitEntry makes the entry of a limit that was "set" or "cleared" by who, or that "began" or "ended".
func LimitEntry(at time.Time, m site.Limit, who, verb string) Entry {
	until := ", until cleared"
	if !m.To.IsZero() {
		until = ", until " + m.To.Format("15:04 MST")
	}
	var text string
	switch verb {
	case "set":
		text = fmt.Sprintf("a limit of %s set by %s%s", m.Power, who, until)
	case "cleared":
		text = fmt.Sprintf("a limit of %s cleared by %s", m.Power, who)
	case "began":
		text = fmt.Sprintf("the limit of %s by %s begins%s", m.Power, who, until)
	default:
		text = fmt.Sprintf("the limit of %s by %s is over", m.Power, who)
	}
	return Entry{At: at, Subject: string(m.Node), Kind: KindLimit, Code: site.ReasonLimit, Text: text + Because(m.Note)}
}

// Because appends a person's note to a sentence; nothing where there is none.
func Because(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}

// SignalEntry makes the entry of what befell a signal of the grid, or of a source of them
// being lost or back. id is the sender's word for the signal; empty where it is about the source.
func SignalEntry(at time.Time, kind Kind, source, id, what, text string) Entry {
	detail, err := json.Marshal(map[string]string{"source": source, "id": id, "event": what})
	if err != nil { // texts always marshal
		detail = nil
	}
	e := Entry{At: at, Subject: "signal:" + source, Kind: kind, Text: text, Detail: detail}
	if kind == KindLost {
		e.Code = site.ReasonLost
	}
	return e
}
