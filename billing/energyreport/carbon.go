package energyreport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"switchyard/unit"
)

// maxCSV bounds a CSV file in bytes, maxRows in rows: ten years of hours.
const (
	maxCSV  = 32 << 20
	maxRows = 100_000
)

// Factors are what a MWh of the grid emitted, by time: kg of CO2 equivalent, the average of the
// place. A factor holds until the next, and for an hour at the most.
type Factors struct {
	Source string // where they are from, for the reader
	at     []int64
	kg     []float64
}

// ParseFactors reads CSV with the columns "time" and "kg_per_mwh" (or "kg/MWh"), in any order;
// others are passed over. A time is RFC 3339, or "2026-10-01 00:00" in the zone. All faults are
// told with their line.
func ParseFactors(name string, data []byte, zone *time.Location) (*Factors, error) {
	f := &Factors{Source: name}
	type pair struct {
		at int64
		kg float64
	}
	var pairs []pair
	err := table(name, data, []string{"time", "kg_per_mwh"}, func(line int, cell func(string) string) error {
		t, err := parseTime(cell("time"), zone)
		if err != nil {
			return err
		}
		kg, err := number(cell("kg_per_mwh"))
		if err != nil {
			return fmt.Errorf("kg_per_mwh: %w", err)
		}
		if kg > 5000 {
			return fmt.Errorf("kg_per_mwh: %g is more than any plant emits: is it in grams? (1 g/kWh is 1 kg/MWh)", kg)
		}
		pairs = append(pairs, pair{t.Unix(), kg})
		return nil
	})
	if err != nil {
		return nil, err
	}
	sort.SliceStable(pairs, func(i, k int) bool { return pairs[i].at < pairs[k].at })
	for i, p := range pairs {
		if i > 0 && p.at == pairs[i-1].at {
			return nil, fmt.Errorf("%s: %s stands twice; where clocks go back, write times with their offset", name, time.Unix(p.at, 0).UTC().Format(time.RFC3339))
		}
		f.at, f.kg = append(f.at, p.at), append(f.kg, p.kg)
	}
	return f, nil
}

// At returns the factor that holds at t, in kg/MWh; false where none does.
func (f *Factors) At(t time.Time) (float64, bool) {
	if f == nil {
		return 0, false
	}
	at := t.Unix()
	i, found := slices.BinarySearch(f.at, at)
	if !found {
		i--
	}
	if i < 0 || at-f.at[i] >= 3600 {
		return 0, false
	}
	return f.kg[i], true
}

// Contract is energy bought with a claim on how it was made, or the factor for what is bought
// without one.
type Contract struct {
	Name string
	// Kind is "rec", "ppa" or "supplier", or "residual": the mix for all energy that no other covers.
	Kind  string
	MWh   float64 // that it covers in the month; of a residual mix zero
	KgMWh float64
}

// ParseContracts reads CSV with the columns name, kind, mwh and kg_per_mwh.
func ParseContracts(name string, data []byte) ([]Contract, error) {
	var out []Contract
	residual := false
	err := table(name, data, []string{"name", "kind", "mwh", "kg_per_mwh"}, func(_ int, cell func(string) string) error {
		c := Contract{Name: cell("name"), Kind: strings.ToLower(cell("kind"))}
		var err error
		switch c.Kind {
		case "residual":
			if residual {
				return errors.New("kind: there is one residual mix already")
			}
			residual = true
			if cell("mwh") != "" {
				return errors.New("mwh: a residual mix covers all that is left; leave it empty")
			}
		case "rec", "ppa", "supplier":
			if c.MWh, err = number(cell("mwh")); err != nil {
				return fmt.Errorf("mwh: %w", err)
			}
		default:
			return fmt.Errorf("kind: %q; it can be rec, ppa, supplier or residual", c.Kind)
		}
		if c.KgMWh, err = number(cell("kg_per_mwh")); err != nil {
			return fmt.Errorf("kg_per_mwh: %w", err)
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// marketBased returns the kg of e by contracts, what they cover, and the MWh that have no factor.
func marketBased(contracts []Contract, e unit.Energy) (kg float64, open float64) {
	left := max(e.MegawattHours(), 0)
	residual := -1
	for i, c := range contracts {
		if c.Kind == "residual" {
			residual = i
			continue
		}
		part := min(c.MWh, left)
		kg += part * c.KgMWh
		left -= part
	}
	if left > 0 && residual >= 0 {
		return kg + left*contracts[residual].KgMWh, 0
	}
	return kg, left
}

func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 || v > 1e9 {
		return 0, fmt.Errorf("%q is no number of 0 or more", s)
	}
	return v, nil
}

func parseTime(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf(`time: %q; write it like "2026-10-01T00:00:00Z", or "2026-10-01 00:00" in the site's time zone`, s)
}

const maxFaults = 20

// table reads CSV with a header and hands each row to fn; faults are gathered with their lines.
func table(name string, data []byte, need []string, fn func(line int, cell func(string) string) error) error {
	if len(data) > maxCSV {
		return fmt.Errorf("%s: more than the %d bytes allowed", name, maxCSV)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.TrimLeadingSpace, r.FieldsPerRecord, r.Comment = true, -1, '#'
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: the first line must name the columns %s", name, strings.Join(need, ", "))
	}
	column := map[string]int{}
	for i, h := range head {
		column[canonical(h)] = i
	}
	for _, n := range need {
		if _, ok := column[n]; !ok {
			return fmt.Errorf("%s:1: there is no column %q; it has %s", name, n, strings.Join(head, ", "))
		}
	}
	var errs []error
	for rows := 0; len(errs) < maxFaults; rows++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		switch {
		case err != nil: // it says the line itself
			return errors.Join(append(errs, fmt.Errorf("%s: %w", name, err))...)
		case rows >= maxRows:
			return fmt.Errorf("%s: more than the %d rows allowed", name, maxRows)
		}
		line, _ := r.FieldPos(0)
		err = fn(line, func(n string) string {
			if i := column[n]; i < len(cells) {
				return strings.TrimSpace(cells[i])
			}
			return ""
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", name, line, err))
		}
	}
	return errors.Join(errs...)
}

// canonical is a column's name without what people write differently.
func canonical(h string) string {
	h = strings.ToLower(strings.TrimSpace(h))
	h = strings.NewReplacer(" ", "_", "kg/mwh", "kg_per_mwh", "kgco2e/mwh", "kg_per_mwh", "kgco2/mwh", "kg_per_mwh").Replace(h)
	return h
}
