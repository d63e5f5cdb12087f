package iso

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// nem is the time of Australia's national market: UTC+10 all the year.
func nem() *time.Location { return time.FixedZone("AEST", 10*3600) }

// aemo reads NEMWEB's files of records (C a comment, I the columns of a table, D a row), of
// them DISPATCH PRICE and DREGION (prices and reserves of five minutes), PREDISPATCH
// REGION_PRICES (the coming hours, as day-ahead) and DISPATCH REGIONSUM (load); and the
// summary that the operator's own page shows. SETTLEMENTDATE and DATETIME are the end of the
// interval. Rows of an intervention's second run are left out.
func aemo(r *reader, doc []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(doc), []byte("{")) {
		return aemoSummary(r, doc)
	}
	tables, other := false, false
	var t *aemoTable
	err := r.lines(doc, func(f []string) error {
		switch at(f, 0) {
		case "I":
			var known bool
			t, known = aemoHead(r, f)
			other = other || known && t == nil
			tables = tables || t != nil
		case "D":
			if t != nil {
				t.row(f)
			}
		case "C":
		default:
			return errors.New("the lines do not begin with C, I or D: it is no file of NEMWEB")
		}
		return nil
	})
	if err != nil || tables {
		return err
	}
	if other {
		return ErrOther
	}
	return ErrNone
}

type aemoTable struct {
	r                    *reader
	when, region, second int
	values               map[int]string // column to product
	length               time.Duration
}

// aemoHead looks whether a table is one that is asked for; known says that it is one of those
// that are read at all.
func aemoHead(r *reader, f []string) (t *aemoTable, known bool) {
	h := heads(f)
	t = &aemoTable{r: r, values: map[int]string{}, length: 5 * time.Minute}
	name := strings.ToUpper(at(f, 1) + "." + at(f, 2))
	var kinds []Kind
	t.when, _ = h.has("settlementdate")
	switch name {
	case "DISPATCH.PRICE", "DREGION.":
		kinds = []Kind{RealTime, Reserve}
		if _, ok := h.has("totaldemand"); ok {
			kinds = append(kinds, Load)
		}
	case "PREDISPATCH.REGION_PRICES", "PREDISPATCH.PRICE", "PDREGION.":
		kinds, t.length = []Kind{DayAhead, Reserve}, 30*time.Minute
		if t.when, _ = h.has("datetime"); t.when < 0 {
			t.when, _ = h.has("periodid")
		}
	case "DISPATCH.REGIONSUM":
		kinds = []Kind{Load}
	default:
		return nil, false
	}
	var ok bool
	for _, k := range kinds {
		ok = ok || k == r.ask.Kind
	}
	if r.ask.Kind == Reserve && r.ask.Ahead != (t.length > 5*time.Minute) {
		ok = false
	}
	t.region, _ = h.has("regionid")
	t.second, _ = h.has("intervention")
	switch r.ask.Kind {
	case Load:
		t.column(h, "totaldemand", "load")
	case Reserve:
		for name := range h {
			if service, is := strings.CutSuffix(name, "rrp"); is && (strings.HasPrefix(name, "raise") || strings.HasPrefix(name, "lower")) {
				t.column(h, name, service)
			}
		}
	default:
		t.column(h, "rrp", "energy")
	}
	if !ok || t.when < 0 || t.region < 0 || len(t.values) == 0 {
		return nil, true
	}
	return t, true
}

func (t *aemoTable) column(h header, name, product string) {
	if i, ok := h[name]; ok {
		t.values[i] = product
	}
}

func (t *aemoTable) row(f []string) {
	region := at(f, t.region)
	if s := at(f, t.second); s != "" && s != "0" || !t.r.wants(region) {
		return
	}
	end, err := time.ParseInLocation("2006/01/02 15:04:05", at(f, t.when), nem())
	if err != nil {
		t.r.bad("time", "the time %.40q is not like 2026/07/01 14:05:00", at(f, t.when))
		return
	}
	for i := range f {
		if p := t.values[i]; p != "" {
			t.r.add(end.Add(-t.length), t.length, f[i], p, region)
		}
	}
}

func aemoSummary(r *reader, doc []byte) error {
	var in struct {
		Summary []struct {
			End    string `json:"SETTLEMENTDATE"`
			Region string `json:"REGIONID"`
			Price  any    `json:"PRICE"`
			Demand any    `json:"TOTALDEMAND"`
		} `json:"ELEC_NEM_SUMMARY"`
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if in.Summary == nil {
		return errors.New("the answer has no field ELEC_NEM_SUMMARY")
	}
	if r.ask.Kind != RealTime && r.ask.Kind != Load {
		return ErrOther
	}
	total := newSum(r.ask.Zone)
	for i, s := range in.Summary {
		r.line = i + 1
		end, err := time.ParseInLocation("2006-01-02T15:04:05", s.End, nem())
		if err != nil {
			r.bad("time", "the time %.40q is not like 2026-07-01T14:05:00", s.End)
			continue
		}
		start := end.Add(-5 * time.Minute)
		if r.ask.Kind == Load {
			if v, ok := r.number(plain(s.Demand)); ok {
				total.add(start, s.Region, v)
			}
			continue
		}
		if r.wants(s.Region) {
			r.add(start, 5*time.Minute, plain(s.Price), "energy", s.Region)
		}
	}
	total.into(r)
	return nil
}
