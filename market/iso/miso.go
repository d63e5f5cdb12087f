package iso

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// est is MISO's time: Eastern standard time all the year, so that each day has 24 hours.
func est() *time.Location { return time.FixedZone("EST", -5*3600) }

// miso reads the daily reports da_expost_lmp, da_exante_lmp, rt_lmp_final and rt_lmp_prelim
// (CSV, a line a node with HE 1 to HE 24), the five-minute table of the public API (headers and
// data), its consolidated table of the newest interval, and its total load.
func miso(r *reader, doc []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(doc), []byte("{")) {
		return misoJSON(r, doc)
	}
	var day time.Time
	var hours []int // column of each hour, by its start
	realTime := strings.Contains(strings.ToLower(r.name), "_rt_")
	return r.lines(doc, func(f []string) error {
		first := strings.ToLower(at(f, 0))
		switch {
		case hours == nil && first == "node":
			return misoHead(r, f, &day, realTime, &hours)
		case hours == nil:
			if strings.Contains(first, "real") && strings.Contains(first, "lmp") {
				realTime = true
			}
			if t, err := time.ParseInLocation("01/02/2006", at(f, 0), est()); err == nil {
				day = t
			}
			if at(f, 0) != "" && r.line > 10 {
				return fmt.Errorf("there is no line that begins with Node, Type, Value, HE 1")
			}
			return nil
		}
		if !strings.EqualFold(at(f, 2), "LMP") || !r.wants(at(f, 0)) {
			return nil
		}
		for h, column := range hours {
			r.add(day.Add(time.Duration(h)*time.Hour), time.Hour, at(f, column), "energy", at(f, 0))
		}
		return nil
	})
}

func misoHead(r *reader, f []string, day *time.Time, realTime bool, hours *[]int) error {
	if day.IsZero() { // a report without its four lines of preamble has the day in its name
		var err error
		if *day, err = time.ParseInLocation("20060102", r.name[:min(8, len(r.name))], est()); err != nil {
			return fmt.Errorf("neither a line nor the name of the report says of which day it is")
		}
	}
	h := heads(f)
	for n := 1; n <= 24; n++ {
		i, ok := h["he "+strconv.Itoa(n)]
		if !ok {
			return fmt.Errorf("there is no column HE %d", n)
		}
		*hours = append(*hours, i)
	}
	if (r.ask.Kind == RealTime) != realTime || r.ask.Kind != RealTime && r.ask.Kind != DayAhead {
		return ErrOther
	}
	return nil
}

func misoJSON(r *reader, doc []byte) error {
	var in struct {
		Headers []string `json:"headers"`
		Data    [][]any  `json:"data"`
		LMPData *struct {
			RefID string `json:"RefId"`
			Five  struct {
				Nodes []struct {
					Name string `json:"name"`
					LMP  any    `json:"LMP"`
				} `json:"PricingNode"`
			} `json:"FiveMinLMP"`
		} `json:"LMPData"`
		LoadInfo *misoLoad `json:"LoadInfo"`
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	switch {
	case in.LoadInfo != nil:
		return in.LoadInfo.read(r)
	case r.ask.Kind != RealTime:
		return ErrOther
	case in.LMPData != nil:
		t, err := refID(in.LMPData.RefID)
		if err != nil {
			return err
		}
		for i, n := range in.LMPData.Five.Nodes {
			if r.line = i + 1; r.wants(n.Name) {
				r.add(t, 5*time.Minute, plain(n.LMP), "energy", n.Name)
			}
		}
		return nil
	}
	h := heads(in.Headers)
	c, missing := h.all("interval", "cpnode", "lmp")
	if missing != "" {
		return fmt.Errorf("the answer has neither LMPData nor LoadInfo nor a column %s", strings.ToUpper(missing))
	}
	fields := make([]string, 0, len(in.Headers))
	for i, row := range in.Data {
		r.line = i + 1
		fields = fields[:0]
		for _, v := range row {
			fields = append(fields, plain(v))
		}
		if !r.wants(at(fields, c[1])) {
			continue
		}
		t, err := time.ParseInLocation("2006-01-02T15:04:05", at(fields, c[0]), est())
		if err != nil {
			r.bad("time", "the time %.40q is not like 2026-07-01T14:05:00", at(fields, c[0]))
			continue
		}
		r.add(t, 5*time.Minute, at(fields, c[2]), "energy", at(fields, c[1]))
	}
	return nil
}

// refID reads "25-Jun-2026 - Interval 02:25 EST", the start of the five minutes.
func refID(s string) (time.Time, error) {
	t, err := time.ParseInLocation("2-Jan-2006 - Interval 15:04 EST", strings.TrimSpace(s), est())
	if err != nil {
		return t, fmt.Errorf("the interval %.60q is not like 25-Jun-2026 - Interval 02:25 EST", s)
	}
	return t, nil
}

// misoLoad is the total load: five-minute values of the day so far.
type misoLoad struct {
	RefID string `json:"RefId"`
	Five  []struct {
		Load struct {
			Time  string `json:"Time"`
			Value any    `json:"Value"`
		} `json:"Load"`
	} `json:"FiveMinTotalLoad"`
}

func (l *misoLoad) read(r *reader) error {
	if r.ask.Kind != Load {
		return ErrOther
	}
	newest, err := refID(l.RefID)
	if err != nil {
		return err
	}
	for i, v := range l.Five {
		r.line = i + 1
		clock, err := time.Parse("15:04", v.Load.Time)
		if err != nil {
			r.bad("time", "the time %.40q is not like 14:05", v.Load.Time)
			continue
		}
		y, m, d := newest.Date()
		t := time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, est())
		r.add(t, 5*time.Minute, plain(v.Load.Value), "load", "")
	}
	return nil
}
