package iso

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

func keys[V any](m map[string]V) func(func(string) bool) { return maps.Keys(m) }

// ercot reads the reports of the Texas market: NP4-190 (day-ahead settlement point prices),
// NP6-905 (real-time ones, 15 minutes), NP6-788 (prices of each dispatch run), NP4-188 (day-ahead
// reserve prices) and NP6-345 (system load), as CSV or as the public API's JSON. Hours are
// numbered by their end in Central time; DSTFlag (or RepeatedHourFlag) is Y in the second of
// the repeated hours of autumn.
func ercot(r *reader, doc []byte) error {
	loc, err := place("America/Chicago")
	if err != nil {
		return err
	}
	e := &ercotReport{r: r, loc: loc}
	if trimmed := strings.TrimLeft(string(doc[:min(len(doc), 64)]), " \r\n\t"); strings.HasPrefix(trimmed, "{") {
		return e.api(doc)
	}
	headed := false
	return r.lines(doc, func(f []string) error {
		if !headed {
			headed = true
			return e.head(f)
		}
		e.row(f)
		return nil
	})
}

type ercotReport struct {
	r                        *reader
	loc                      *time.Location
	day, hour, quarter, flag int
	run                      int // the column of a dispatch run's time, if the report has one
	zone, value, product     int
	length                   time.Duration
}

// head takes the columns' names, which CSV and JSON write alike but for the case.
func (e *ercotReport) head(f []string) error {
	h := heads(f)
	e.day, _ = h.has("deliverydate", "operday", "operatingday")
	e.hour, _ = h.has("hourending", "deliveryhour")
	e.quarter, _ = h.has("deliveryinterval")
	e.flag, _ = h.has("dstflag", "repeatedhourflag")
	e.run, _ = h.has("scedtimestamp")
	e.zone, _ = h.has("settlementpointname", "settlementpoint")
	e.product, _ = h.has("ancillarytype")
	e.length = time.Hour
	kind := DayAhead
	var there bool
	switch {
	case e.product >= 0:
		kind = Reserve
		e.value, there = h.has("mcpc")
	case e.zone >= 0 && e.run >= 0:
		kind, e.length = RealTime, 5*time.Minute
		e.value, there = h.has("lmp")
	case e.zone >= 0 && e.quarter >= 0:
		kind, e.length = RealTime, 15*time.Minute
		e.value, there = h.has("settlementpointprice")
	case e.zone >= 0:
		e.value, there = h.has("settlementpointprice")
	default:
		kind = Load
		want := strings.ToLower(e.r.ask.Zone)
		if want == "" {
			want = "total"
		}
		if e.value, there = h.has(want); !there && e.day >= 0 && e.r.ask.Kind == Load {
			return fmt.Errorf("there is no column %q of loads; there are %s", want, strings.Join(f, ", "))
		}
	}
	if _, total := h.has("total"); kind == Load && total && e.r.ask.Kind != Load {
		return ErrOther
	}
	if !there || e.run < 0 && (e.day < 0 || e.hour < 0) {
		return fmt.Errorf("the columns are those of none of the ERCOT reports that are known: %.120s", strings.Join(f, ","))
	}
	if kind != e.r.ask.Kind {
		return ErrOther
	}
	return nil
}

func (e *ercotReport) row(f []string) {
	zone, product := at(f, e.zone), "energy"
	switch e.r.ask.Kind {
	case Load:
		product, zone = "load", e.r.ask.Zone
	case Reserve:
		product, zone = strings.ToLower(at(f, e.product)), ""
	default:
		if !e.r.wants(zone) {
			return
		}
	}
	w, err := e.wall(f)
	if err != nil {
		e.r.bad("time", "%v", err)
		return
	}
	flag := strings.ToLower(at(f, e.flag))
	t, err := flagged(w, e.loc, flag == "y" || flag == "true")
	if err != nil {
		e.r.bad("hour", "%v", err)
		return
	}
	e.r.add(t, e.length, at(f, e.value), product, zone)
}

// wall returns the clock's time at the start of the row.
func (e *ercotReport) wall(f []string) (time.Time, error) {
	if e.run >= 0 {
		for _, form := range []string{"01/02/2006 15:04:05", "2006-01-02T15:04:05"} {
			if t, err := time.Parse(form, at(f, e.run)); err == nil {
				return t, nil
			}
		}
		return time.Time{}, fmt.Errorf("the time %.40q is not like 07/01/2026 14:05:12", at(f, e.run))
	}
	day, err := time.Parse("01/02/2006", at(f, e.day))
	if err != nil {
		if day, err = time.Parse(time.DateOnly, at(f, e.day)); err != nil {
			return day, fmt.Errorf("the date %.40q is not like 07/01/2026", at(f, e.day))
		}
	}
	hour, _, _ := strings.Cut(at(f, e.hour), ":")
	n, err := strconv.Atoi(hour)
	if err != nil || n < 1 || n > 24 {
		return day, fmt.Errorf("the hour %.40q is not one of 1 to 24", at(f, e.hour))
	}
	quarter := 1
	if e.quarter >= 0 {
		if quarter, err = strconv.Atoi(at(f, e.quarter)); err != nil || quarter < 1 || quarter > 4 {
			return day, fmt.Errorf("the interval %.40q is not one of 1 to 4", at(f, e.quarter))
		}
	}
	return day.Add(time.Duration(n-1)*time.Hour + time.Duration(quarter-1)*15*time.Minute), nil
}

// api reads the public API's answer: the columns' names, and rows as lists.
func (e *ercotReport) api(doc []byte) error {
	var in struct {
		Fields []struct {
			Name string `json:"name"`
		} `json:"fields"`
		Data  [][]any `json:"data"`
		Links struct {
			Next struct {
				Href string `json:"href"`
			} `json:"next"`
		} `json:"_links"`
		Message string `json:"message"`
	}
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if len(in.Fields) == 0 {
		if in.Message != "" {
			return fmt.Errorf("ERCOT says %.200q", in.Message)
		}
		return fmt.Errorf("the answer has no list of fields")
	}
	var names []string
	for _, f := range in.Fields {
		names = append(names, f.Name)
	}
	if err := e.head(names); err != nil {
		return err
	}
	e.r.next = in.Links.Next.Href
	fields := make([]string, 0, len(names))
	for i, row := range in.Data {
		e.r.line = i + 1
		fields = fields[:0]
		for _, v := range row {
			fields = append(fields, plain(v))
		}
		e.row(fields)
	}
	return nil
}

// plain writes a JSON value as a CSV would.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return "?"
}
