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

// entsoeSeries is one TimeSeries of a document; what is not listed is not needed.
type entsoeSeries struct {
	Contract string `xml:"contract_MarketAgreement.type"`
	Currency string `xml:"currency_Unit.name"`
	Measure  string `xml:"price_Measure_Unit.name"`
	Curve    string `xml:"curveType"`
	Sequence string `xml:"classificationSequence_AttributeInstanceComponent.position"`
	In       string `xml:"in_Domain.mRID"`
	Area     string `xml:"outBiddingZone_Domain.mRID"`
	Periods  []struct {
		Span struct {
			Start string `xml:"start"`
			End   string `xml:"end"`
		} `xml:"timeInterval"`
		Resolution string `xml:"resolution"`
		Points     []struct {
			Position int    `xml:"position"`
			Price    string `xml:"price.amount"`
			Quantity string `xml:"quantity"`
		} `xml:"Point"`
	} `xml:"Period"`
}

// entsoe reads the transparency platform's A44 (day-ahead prices) and A65 (loads). Times are
// UTC. Positions number the intervals of a period; one that is left out repeats the value
// before it (curve A03), and stays without a row in a curve A01. Prices are per MWh in the
// currency of the document, euro almost everywhere.
func entsoe(r *reader, doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var root string
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && root != "" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the answer is not XML that can be read: %.120w", err)
		}
		s, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if root == "" {
			if root = s.Name.Local; root == "Acknowledgement_MarketDocument" {
				return acknowledged(d)
			}
			kind := map[string]bool{
				"Publication_MarketDocument": r.ask.Kind == DayAhead || r.ask.Kind == RealTime,
				"GL_MarketDocument":          r.ask.Kind == Load,
			}
			right, known := kind[root]
			if !known {
				return fmt.Errorf("the answer is a %.60s and neither prices nor loads", root)
			}
			if !right {
				return ErrOther
			}
			continue
		}
		if s.Name.Local == "TimeSeries" {
			var ts entsoeSeries
			if err := d.DecodeElement(&ts, &s); err != nil {
				return fmt.Errorf("the answer is not XML that can be read: %.120w", err)
			}
			r.line, _ = d.InputPos()
			ts.into(r)
		}
	}
}

func (ts *entsoeSeries) into(r *reader) {
	if ts.Contract != "" && ts.Contract != "A01" {
		return // intraday auctions stand in the same document
	}
	if ts.Sequence != "" && ts.Sequence != "1" {
		return // a second auction's prices beside the first's
	}
	if ts.Measure != "" && ts.Measure != "MWH" {
		r.bad("unit", "prices are per %.10s and not per MWH", ts.Measure)
		return
	}
	zone, product := ts.In, "energy"
	if r.ask.Kind == Load {
		zone, product = ts.Area, "load"
	}
	if want := EIC(r.ask.Zone); want != "" && zone != "" && !strings.EqualFold(zone, want) {
		r.wants(zone)
		return
	}
	for _, p := range ts.Periods {
		start, err := time.Parse("2006-01-02T15:04Z", p.Span.Start)
		end, err2 := time.Parse("2006-01-02T15:04Z", p.Span.End)
		step, ok := map[string]time.Duration{"PT60M": time.Hour, "PT1H": time.Hour, "PT30M": 30 * time.Minute, "PT15M": 15 * time.Minute}[p.Resolution]
		if err != nil || err2 != nil || !ok || !start.Before(end) || end.Sub(start) > 400*24*time.Hour {
			r.bad("period", "the period from %.30q to %.30q in steps of %.10q is none", p.Span.Start, p.Span.End, p.Resolution)
			continue
		}
		count := int(end.Sub(start) / step)
		values := make([]string, count)
		for _, pt := range p.Points {
			if pt.Position < 1 || pt.Position > count {
				r.bad("position", "the position %d is not one of the period's 1 to %d", pt.Position, count)
				continue
			}
			if values[pt.Position-1] = pt.Price; r.ask.Kind == Load {
				values[pt.Position-1] = pt.Quantity
			}
			if values[pt.Position-1] == "" {
				values[pt.Position-1] = "null"
			}
		}
		last := ""
		for i, v := range values {
			if v == "" && ts.Curve != "A01" {
				v = last
			}
			if last = v; v != "" {
				r.add(start.Add(time.Duration(i)*step), step, v, product, zone)
			}
		}
	}
}

// acknowledged reads why the platform has no document.
func acknowledged(d *xml.Decoder) error {
	var code, text string
	for {
		t, err := d.Token()
		if err != nil {
			break
		}
		if s, ok := t.(xml.StartElement); ok {
			switch s.Name.Local {
			case "code":
				_ = d.DecodeElement(&code, &s) // stays empty
			case "text":
				_ = d.DecodeElement(&text, &s)
			}
		}
	}
	text = strings.TrimSpace(text)
	if code == "999" && strings.Contains(strings.ToLower(text), "no matching data") {
		return fmt.Errorf("%w: ENTSO-E says %.200q", ErrNone, text)
	}
	return fmt.Errorf("ENTSO-E refuses (%.10s): %.200q", code, text)
}

// EIC returns the code of a bidding zone that is written as "DE_LU" or "DE-LU", or the code
// itself where it is one already. Other words come back as they are.
func EIC(zone string) string {
	if code, ok := eics()[strings.ReplaceAll(strings.ToUpper(zone), "-", "_")]; ok {
		return code
	}
	return zone
}

// eics are the bidding zones by their usual names.
func eics() map[string]string {
	return map[string]string{
		"SI": "10YSI-ELES-----O", //nolint:misspell // the code's own letters
		"AT": "10YAT-APG------L", "BE": "10YBE----------2", "BG": "10YCA-BULGARIA-R", "CH": "10YCH-SWISSGRIDZ",
		"CZ": "10YCZ-CEPS-----N", "DE_LU": "10Y1001A1001A82H", "DK_1": "10YDK-1--------W", "DK1": "10YDK-1--------W",
		"DK_2": "10YDK-2--------M", "DK2": "10YDK-2--------M", "EE": "10Y1001A1001A39I", "ES": "10YES-REE------0",
		"FI": "10YFI-1--------U", "FR": "10YFR-RTE------C", "GR": "10YGR-HTSO-----Y", "HR": "10YHR-HEP------M",
		"HU": "10YHU-MAVIR----U", "IE_SEM": "10Y1001A1001A59C", "IT_NORD": "10Y1001A1001A73I", "LT": "10YLT-1001A0008Q",
		"LV": "10YLV-1001A00074", "NL": "10YNL----------L", "NO1": "10YNO-1--------2", "NO2": "10YNO-2--------T",
		"NO3": "10YNO-3--------J", "NO4": "10YNO-4--------9", "NO5": "10Y1001A1001A48H", "PL": "10YPL-AREA-----S",
		"PT": "10YPT-REN------W", "RO": "10YRO-TEL------P", "SE1": "10Y1001A1001A44P", "SE2": "10Y1001A1001A45N",
		"SE3": "10Y1001A1001A46L", "SE4": "10Y1001A1001A47J", "SK": "10YSK-SEPS-----K",
	}
}
