package iso

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// pjm reads Data Miner 2 feeds as CSV or JSON: da_hrl_lmps, rt_hrl_lmps, rt_fivemin_hrl_lmps
// and rt_unverified_fivemin_lmps, ancillary_services and da_ancillary_services, inst_load and
// hrl_load_metered. Times are taken from datetime_beginning_utc. A zone is a pnode's name or
// number. Rows that a newer version has replaced (row_is_current false) are left out.
func pjm(r *reader, doc []byte) error {
	if text := strings.TrimSpace(string(doc[:min(len(doc), 64)])); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return pjmJSON(r, doc)
	}
	var p *pjmReport
	return r.lines(doc, func(f []string) error {
		if p == nil {
			var err error
			p, err = pjmHead(r, f)
			return err
		}
		p.row(f)
		return nil
	})
}

type pjmReport struct {
	r                             *reader
	when, end                     int
	zones                         []int // columns that may name the zone
	value, product, current, unit int
	length                        time.Duration
}

func pjmHead(r *reader, f []string) (*pjmReport, error) {
	h := heads(f)
	p := &pjmReport{r: r}
	var ok bool
	if p.when, ok = h.has("datetime_beginning_utc"); !ok {
		return nil, fmt.Errorf("there is no column %q: it is no feed of Data Miner 2 with prices or loads", "datetime_beginning_utc")
	}
	p.end, _ = h.has("datetime_ending_utc")
	p.current, _ = h.has("row_is_current")
	p.product, _ = h.has("ancillary_service")
	p.unit, _ = h.has("unit")
	for _, name := range []string{"pnode_name", "name", "pnode_id", "area", "load_area"} {
		if i, ok := h.has(name); ok {
			p.zones = append(p.zones, i)
		}
	}
	there := map[Kind]int{}
	if p.product >= 0 {
		there[Reserve], _ = h.has("value")
		p.length = time.Hour
	} else {
		for name, kind := range map[string]Kind{"total_lmp_da": DayAhead, "total_lmp_rt": RealTime, "instantaneous_load": Load, "mw": Load} {
			if i, ok := h.has(name); ok {
				there[kind] = i
			}
		}
	}
	if len(there) == 0 {
		return nil, errors.New("there is no column total_lmp_rt, total_lmp_da, ancillary_service, instantaneous_load or mw")
	}
	if p.value, ok = there[r.ask.Kind]; !ok {
		return nil, ErrOther
	}
	if r.ask.Kind == DayAhead {
		p.length = time.Hour
	}
	if strings.Contains(r.name, "ancillary_services") && strings.Contains(r.name, "da_ancillary") != r.ask.Ahead {
		return nil, ErrOther // the two feeds look the same but for their names
	}
	return p, nil
}

func (p *pjmReport) row(f []string) {
	zone := ""
	for _, i := range p.zones {
		if name := at(f, i); zone == "" || strings.EqualFold(name, p.r.ask.Zone) {
			zone = name
		}
	}
	product := "energy"
	switch p.r.ask.Kind {
	case Load:
		want := p.r.ask.Zone
		if product = "load"; want == "" {
			want = "PJM RTO"
		}
		if !strings.EqualFold(zone, want) && (p.r.ask.Zone != "" || !strings.EqualFold(zone, "RTO")) {
			return
		}
	case Reserve:
		if unit := strings.ToLower(at(f, p.unit)); unit != "" && !strings.Contains(unit, "price") && !strings.Contains(unit, "$") {
			return // ratios of mileage stand in the same feed
		}
		product = at(f, p.product)
	default:
		if !p.r.wants(zone) {
			return
		}
	}
	if c := at(f, p.current); strings.EqualFold(c, "false") || c == "0" {
		return
	}
	t, ok := pjmTime(at(f, p.when))
	if !ok {
		p.r.bad("time", "the time %.40q is not like 2026-07-01T14:05:00", at(f, p.when))
		return
	}
	length := p.length
	if end, ok := pjmTime(at(f, p.end)); ok && end.After(t) && end.Sub(t) <= 24*time.Hour {
		length = end.Sub(t)
	}
	p.r.add(t, length, at(f, p.value), product, zone)
}

func pjmTime(s string) (time.Time, bool) {
	for _, form := range []string{"2006-01-02T15:04:05", "1/2/2006 3:04:05 PM", "1/2/2006 15:04", time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// pjmJSON reads the API's answer, an object with items, or the plain list of a download.
func pjmJSON(r *reader, doc []byte) error {
	var in struct {
		Items []map[string]any `json:"items"`
		Links []struct {
			Rel  string `json:"rel"`
			Href string `json:"href"`
		} `json:"links"`
		Message string `json:"message"`
		Errors  []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	var err error
	if strings.HasPrefix(strings.TrimSpace(string(doc[:min(len(doc), 64)])), "[") {
		err = d.Decode(&in.Items)
	} else {
		err = d.Decode(&in)
	}
	switch {
	case err != nil:
		return fmt.Errorf("the answer is not JSON: %w", err)
	case len(in.Errors) > 0:
		return fmt.Errorf("PJM says %.200q", in.Errors[0].Message)
	case len(in.Items) == 0 && in.Message != "":
		return fmt.Errorf("PJM says %.200q", in.Message)
	case len(in.Items) == 0:
		return ErrNone
	}
	for _, l := range in.Links {
		if l.Rel == "next" {
			r.next = l.Href
		}
	}
	var names []string
	for name := range keys(in.Items[0]) {
		names = append(names, name)
	}
	p, err := pjmHead(r, names)
	if err != nil {
		return err
	}
	fields := make([]string, len(names))
	for i, item := range in.Items {
		r.line = i + 1
		for j, name := range names {
			fields[j] = plain(item[name])
		}
		p.row(fields)
	}
	return nil
}
