package modbus

import (
	"strings"
	"testing"
	"time"

	"switchyard/signal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// TestALimitBelowFirmLoadIsOneLine goes through the book that a site keeps.
func TestALimitBelowFirmLoadIsOneLine(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 20 * mw}})
	if err != nil {
		t.Fatal(err)
	}
	b := signal.NewBook(signal.Options{
		Tree: tree, Sources: []signal.Terms{{Name: Name, Protocol: "modbus", Silent: true}}, Now: func() time.Time { return time.Now().UTC() },
		Firm: func(site.NodeID) unit.Power { return 3 * mw }, Meter: meter,
	})
	f, err := New(sitefile.Face{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.host = b
	f.set(t, regEnable, 1, 0, 1000, 0, 0)
	var lines []string
	for _, e := range b.Turn(time.Now()) {
		if e.Kind == signal.Refused {
			lines = append(lines, e.Text)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "below the 3 MW contracted") {
		t.Errorf("lines %q", lines)
	}
	if c := b.At(time.Now()); len(c.Limits) != 1 || c.Limits[0].Power != mw {
		t.Errorf("limits %+v", c.Limits)
	}
	held := b.Said(Name)
	if len(held) != 1 {
		t.Fatalf("held %+v", held)
	}
	again, err := New(sitefile.Face{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Resume(held)
	if got := again.now.holding()[regLimit+1]; got != 1000 {
		t.Errorf("after a restart the register reads %d", got)
	}
}
