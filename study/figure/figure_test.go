package figure

import (
	"encoding"
	"fmt"
	"testing"
	"time"
)

func TestReadAndPrint(t *testing.T) {
	for _, c := range []struct {
		into interface {
			encoding.TextUnmarshaler
			fmt.Stringer
		}
		text, want string
	}{
		{new(Dollars), "4.7 $B", "4.7 $B"},
		{new(Dollars), "1,500 $", "1500 $"},
		{new(Dollars), "150_000 $k", "150 $M"},
		{new(Dollars), "-2 $M", "-2 $M"},
		{new(PerMW), "8.0 $M/MW", "8 $M/MW"},
		{new(PerMW), "3600 $/kW", "3.6 $M/MW"},
		{new(PerTH), "6.5 $/TH", "6.5 $/TH"},
		{new(PerGPU), "42 $k/GPU", "42000 $/GPU"},
		{new(PerGPUHour), "2.35 $/GPU-h", "2.35 $/GPU-hour"},
		{new(Months), "10 years", "120 months"},
		{new(Months), "1 month", "1 month"},
		{new(Month), "2026-03", "2026-03"},
	} {
		if err := c.into.UnmarshalText([]byte(c.text)); err != nil || c.into.String() != c.want {
			t.Errorf("%q: %v, %v; want %s", c.text, c.into, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, into := range map[string]encoding.TextUnmarshaler{
		"8.0": new(PerMW), "8 MW": new(PerMW), "": new(Dollars), "x $": new(Dollars), "1.5 months": new(Months), "-3 months": new(Months),
		"2026": new(Month), "1999-01": new(Month), "hearsay": new(Origin), "3 $/GPU": new(PerGPUHour),
	} {
		if err := into.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, into)
		}
	}
}

func TestMonth(t *testing.T) {
	m := MonthOf(2028, time.February)
	if m.Hours() != 29*24 || m.String() != "2028-02" || (m+11).String() != "2029-01" || (m+11).Calendar() != time.January {
		t.Errorf("%v has %v hours; eleven on it is %v", m, m.Hours(), m+11)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"8.0 $M/MW", "14 months", "2026-03", "1e9 $", "--1 $"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		for _, into := range []encoding.TextUnmarshaler{new(Dollars), new(PerMW), new(PerTH), new(PerGPU), new(PerGPUHour), new(Months), new(Month), new(Origin)} {
			_ = into.UnmarshalText([]byte(s))
		}
	})
}
