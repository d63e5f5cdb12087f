package iso

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// octopus reads unit rates as Octopus Energy and those who copied it give them: results, newest
// first, in pence per kWh without tax, each from valid_from to valid_to or for good; next is
// the address of the next page.
func octopus(r *reader, doc []byte) error {
	var in struct {
		Next    string `json:"next"`
		Detail  string `json:"detail"`
		Results []struct {
			Value any    `json:"value_exc_vat"`
			From  string `json:"valid_from"`
			To    string `json:"valid_to"`
			// Method tells rates of those who pay by direct debit from the others; the first is taken.
			Method string `json:"payment_method"`
		} `json:"results"`
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	switch {
	case in.Results == nil && in.Detail != "":
		return fmt.Errorf("the server says %.200q", in.Detail)
	case in.Results == nil:
		return errors.New("the answer has no field results")
	case r.ask.Kind != RealTime && r.ask.Kind != DayAhead:
		return ErrOther
	}
	r.next = in.Next
	for i, v := range in.Results {
		if r.line = i + 1; v.Method == "NON_DIRECT_DEBIT" {
			continue
		}
		from, err := time.Parse(time.RFC3339, v.From)
		if err != nil {
			r.bad("time", "the time %.40q is not like 2026-07-01T14:00:00Z", v.From)
			continue
		}
		length := 365 * 24 * time.Hour // for good: until a newer rate begins
		if v.To != "" {
			to, err := time.Parse(time.RFC3339, v.To)
			if err != nil || !from.Before(to) {
				r.bad("time", "the interval from %.40q to %.40q is none", v.From, v.To)
				continue
			}
			length = to.Sub(from)
		}
		r.add(from, length, plain(v.Value), "energy", "")
	}
	return nil
}
