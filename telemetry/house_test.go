package telemetry

import (
	"testing"
	"time"

	"switchyard/unit"
)

func TestTheHouseIsTheLeastOfTenMinutes(t *testing.T) {
	var h House
	const kw = unit.Kilowatt
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	if h.Power(at) != 0 {
		t.Error("a house that was never seen draws something")
	}
	for m := range 4 {
		h.Observe(at.Add(time.Duration(m)*time.Minute), 5*kw)
	}
	if got := h.Power(at.Add(3 * time.Minute)); got != 0 {
		t.Errorf("four minutes are believed: %s", got)
	}
	for m := 4; m < 10; m++ {
		h.Observe(at.Add(time.Duration(m)*time.Minute), 8*kw) // a ramp elsewhere
		h.Observe(at.Add(time.Duration(m)*time.Minute+30*time.Second), 6*kw)
	}
	if got := h.Power(at.Add(9 * time.Minute)); got != 5*kw {
		t.Errorf("the house draws %s", got)
	}
	for m := 10; m < 16; m++ {
		h.Observe(at.Add(time.Duration(m)*time.Minute), 7*kw)
	}
	if got := h.Power(at.Add(15 * time.Minute)); got != 6*kw {
		t.Errorf("once the first minutes are old it draws %s", got)
	}
	h.Observe(at.Add(16*time.Minute), -3*kw)
	if got := h.Power(at.Add(16 * time.Minute)); got != 0 {
		t.Errorf("a negative rest is %s", got)
	}
	if got := h.Power(at.Add(2 * time.Hour)); got != 0 {
		t.Errorf("two hours later %s is still believed", got)
	}
}
