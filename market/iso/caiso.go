package iso

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// caiso reads OASIS reports as SingleZip gives them: PRC_LMP (day-ahead), PRC_INTVL_LMP and
// PRC_RTPD_LMP (real-time, 5 and 15 minutes), PRC_AS (day-ahead reserves) and SLD_FCST with
// the run ACTUAL (loads). Times are GMT. The column of the price is named MW, VALUE or PRC by
// turns. Rows of congestion, losses and energy stand beside those of the price.
func caiso(r *reader, doc []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(doc), []byte("<")) {
		return oasisError(doc)
	}
	var c struct{ start, end, run, part, node, region, product, area, value int }
	headed := false
	return r.lines(doc, func(f []string) error {
		if !headed {
			headed = true
			h := heads(f)
			col, missing := h.all("intervalstarttime_gmt", "intervalendtime_gmt", "market_run_id")
			if missing != "" {
				return fmt.Errorf("there is no column %q: it is no report of OASIS with prices or loads", strings.ToUpper(missing))
			}
			c.start, c.end, c.run = col[0], col[1], col[2]
			c.part, _ = h.has("lmp_type")
			c.node, _ = h.has("node_id", "node")
			c.product, _ = h.has("anc_type")
			c.region, _ = h.has("anc_region")
			c.area, _ = h.has("tac_area_name")
			c.value, _ = h.has("mw", "value", "prc")
			kind := Load
			switch {
			case c.value < 0:
				return errors.New("there is no column MW, VALUE or PRC")
			case c.product >= 0:
				kind = Reserve
			case c.part >= 0:
				kind = RealTime
			}
			if ask := r.ask.Kind; kind != ask && (kind != RealTime || ask != DayAhead) {
				return ErrOther
			}
			return nil
		}
		start, err := time.Parse(time.RFC3339, at(f, c.start))
		end, err2 := time.Parse(time.RFC3339, at(f, c.end))
		if err != nil || err2 != nil || !start.Before(end) || end.Sub(start) > 24*time.Hour {
			r.bad("time", "the interval from %.40q to %.40q is none", at(f, c.start), at(f, c.end))
			return nil //nolint:nilerr // told, and the line left out
		}
		zone, product := at(f, c.node), "energy"
		switch r.ask.Kind {
		case Load:
			if zone, product = at(f, c.area), "load"; at(f, c.run) != "ACTUAL" {
				return nil // forecasts stand in the same report
			}
		case Reserve:
			zone, product = at(f, c.region), Product(at(f, c.product))
			if (at(f, c.run) == "DAM") != r.ask.Ahead {
				return ErrOther
			}
		default:
			if part := at(f, c.part); part != "LMP" {
				return nil
			}
			if (at(f, c.run) == "DAM") != (r.ask.Kind == DayAhead) {
				return ErrOther
			}
		}
		if !r.wants(zone) {
			return nil
		}
		r.add(start, end.Sub(start), at(f, c.value), product, zone)
		return nil
	})
}

// oasisError reads the XML that OASIS puts into the archive where it has no report to give.
func oasisError(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var code, text string
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.New("OASIS answers with XML that cannot be read")
		}
		s, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch s.Name.Local {
		case "ERR_CODE":
			_ = d.DecodeElement(&code, &s) // stays empty
		case "ERR_DESC":
			_ = d.DecodeElement(&text, &s)
		}
	}
	switch code = strings.TrimSpace(code); code {
	case "":
		return errors.New("OASIS answers with XML instead of CSV: the address needs resultformat=6")
	case "1000":
		return fmt.Errorf("%w: OASIS says %.200q", ErrNone, strings.TrimSpace(text))
	}
	return fmt.Errorf("OASIS refuses (%.20s): %.200q", code, strings.TrimSpace(text))
}
