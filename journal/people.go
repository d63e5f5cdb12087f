package journal

import (
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
