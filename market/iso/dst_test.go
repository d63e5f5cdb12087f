package iso

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// writer writes a day of starts as an operator would; the price of the i-th is i.
type writer struct {
	name, zone string
	step       time.Duration
	ask        Ask
	write      func(starts []time.Time, loc *time.Location) string
}

func writers(t *testing.T) []writer {
	second := func(at time.Time) string { // whether the clock shows this hour for the second time
		if at.Add(-time.Hour).Format("15") == at.Format("15") {
			return "Y"
		}
		return "N"
	}
	mapped := func(ending bool, zone string) Map {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return Map{Time: "when", Price: "p", Zone: loc, Length: 30 * time.Minute, Ending: ending}
	}
	return []writer{
		{"nyiso day-ahead", newYork, time.Hour, Ask{Operator: "nyiso", Kind: DayAhead, Zone: "WEST"}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("\"Time Stamp\",\"Name\",\"PTID\",\"LBMP ($/MWHr)\"\n")
			for i, s := range starts {
				fmt.Fprintf(&b, "%q,\"CAPITL\",1,7\n%[1]q,\"WEST\",2,%d\n", s.In(loc).Format("01/02/2006 15:04"), i)
			}
			return b.String()
		}},
		{"nyiso real-time", newYork, 5 * time.Minute, Ask{Operator: "nyiso", Kind: RealTime, Zone: "WEST"}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("\"Time Stamp\",\"Name\",\"PTID\",\"LBMP ($/MWHr)\"\n")
			for i, s := range starts {
				fmt.Fprintf(&b, "%q,\"WEST\",2,%d\n", s.Add(5*time.Minute).In(loc).Format("01/02/2006 15:04:05"), i)
			}
			return b.String()
		}},
		{"nyiso reserves", newYork, time.Hour, Ask{Operator: "nyiso", Kind: Reserve, Ahead: true, Zone: "WEST"}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("Time Stamp,Time Zone,Name,PTID,10 Min Spinning Reserve ($/MWHr)\n")
			for i, s := range starts {
				fmt.Fprintf(&b, "%s,%s,WEST,2,%d\n", s.In(loc).Format("01/02/2006 15:04"), s.In(loc).Format("MST"), i)
			}
			return b.String()
		}},
		{"ercot day-ahead", "America/Chicago", time.Hour, Ask{Operator: "ercot", Kind: DayAhead, Zone: "LZ_WEST"}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag\n")
			for i, s := range starts {
				at := s.In(loc)
				fmt.Fprintf(&b, "%s,%02d:00,LZ_WEST,%d,%s\n", at.Format("01/02/2006"), at.Hour()+1, i, second(at))
			}
			return b.String()
		}},
		{"ercot real-time", "America/Chicago", 15 * time.Minute, Ask{Operator: "ercot", Kind: RealTime, Zone: "LZ_WEST"}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag\n")
			for i, s := range starts {
				at := s.In(loc)
				fmt.Fprintf(&b, "%s,%d,%d,LZ_WEST,LZ,%d,%s\n", at.Format("01/02/2006"), at.Hour()+1, at.Minute()/15+1, i, second(at))
			}
			return b.String()
		}},
		{"csv by start", "Europe/Berlin", 30 * time.Minute, Ask{Operator: "csv", Kind: DayAhead, Map: mapped(false, "Europe/Berlin")}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("when,p\n")
			for i, s := range starts {
				fmt.Fprintf(&b, "%s,%d\n", s.In(loc).Format("2006-01-02 15:04"), i)
			}
			return b.String()
		}},
		{"csv by end", "Europe/Berlin", 30 * time.Minute, Ask{Operator: "csv", Kind: DayAhead, Map: mapped(true, "Europe/Berlin")}, func(starts []time.Time, loc *time.Location) string {
			var b strings.Builder
			b.WriteString("when,p\n")
			for i, s := range starts {
				fmt.Fprintf(&b, "%s,%d\n", s.Add(30*time.Minute).In(loc).Format("2006-01-02 15:04"), i)
			}
			return b.String()
		}},
	}
}

// Days of 23, 24 and 25 hours come back as they were written: each interval once, none
// invented, none lost, in every report with local times.
func TestDaysOfAllLengths(t *testing.T) {
	for _, w := range writers(t) {
		loc, err := time.LoadLocation(w.zone)
		if err != nil {
			t.Fatal(err)
		}
		days := map[string]float64{"2026-03-08": 23, "2025-11-02": 25, "2026-07-01": 24}
		if strings.HasPrefix(w.zone, "Europe") {
			days = map[string]float64{"2026-03-29": 23, "2025-10-26": 25, "2026-07-01": 24}
		}
		for day, hours := range days {
			from, err := time.ParseInLocation(time.DateOnly, day, loc)
			if err != nil {
				t.Fatal(err)
			}
			to := from.AddDate(0, 0, 1)
			if to.Sub(from).Hours() != hours {
				t.Fatalf("%s in %s has %v", day, w.zone, to.Sub(from))
			}
			var starts []time.Time
			for s := from; s.Before(to); s = s.Add(w.step) {
				starts = append(starts, s)
			}
			r, err := Read("day.csv", []byte(w.write(starts, loc)), w.ask)
			if err != nil {
				t.Errorf("%s, %s: %v", w.name, day, err)
				continue
			}
			if len(r.Rows) != len(starts) || len(r.Problems) > 0 {
				t.Errorf("%s, %s: %d of %d rows, %q", w.name, day, len(r.Rows), len(starts), r.Problems)
				continue
			}
			for i, row := range r.Rows {
				if !row.Start.Equal(starts[i]) || row.Price != float64(i) || row.Length != w.step {
					t.Errorf("%s, %s: row %d is %+v, want %s", w.name, day, i, row, starts[i].UTC())
					break
				}
			}
		}
	}
}

// An hour that spring leaves out is told and becomes no price.
func TestTheHourThatIsNot(t *testing.T) {
	for _, tc := range []struct {
		ask  Ask
		text string
	}{
		{Ask{Operator: "nyiso", Kind: DayAhead, Zone: "WEST"}, "Time Stamp,Name,PTID,LBMP ($/MWHr)\n03/08/2026 01:00,WEST,2,1\n03/08/2026 02:00,WEST,2,5\n"},
		{Ask{Operator: "ercot", Kind: DayAhead, Zone: "LZ_WEST"}, "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag\n03/08/2026,02:00,LZ_WEST,1,N\n03/08/2026,03:00,LZ_WEST,5,N\n"},
	} {
		r, err := Read("x.csv", []byte(tc.text), tc.ask)
		if err != nil || len(r.Rows) != 1 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "x.csv:3: 2026-03-08 02:00 is not on that day's clock") {
			t.Errorf("%s: %v, %v", tc.ask.Operator, r, err)
		}
	}
}
