package driver

import (
	"bytes"
	_ "embed" // the table of models
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"switchyard/site"
	"switchyard/unit"
)

// Nameplate is what a maker publishes of a model: at the wall, at 25 to 35 deg C, within
// 5 to 10 %. A site file's figures come before it, and measurements before both.
type Nameplate struct {
	Power    unit.Power
	Hashrate unit.Hashrate
}

// Model is one row of the table of models: one bin of one model.
type Model struct {
	Make, Model string // "Antminer", "S19 XP"
	Nameplate
	Cooling   string // "air", "hydro" or "immersion"
	Algorithm string // "sha256"
	// Low is a mode of less power that the maker publishes; unknown if there is none.
	Low site.Opt[Nameplate]
	// Source names where the figures stand: a maker's page or a public list, with its year.
	Source string
}

// Models returns the table of models, the most sold bin of each model first. The caller may
// change what it gets.
func Models() []Model {
	list, _ := table() // a test reads the table: it has no faults
	return slices.Clone(list)
}

// LookupModel returns the nameplate of a model by its name, such as "Antminer S19 XP" or "s19xp".
// The brand, case, blanks and hyphens do not count; a suffix like "Hyd." does. A name may end
// in its bin, "S19 XP (141T)", or in a WhatsMiner's chip variant, "M60S_VK40"; a bin that is
// not listed is its family's first. A model that is not listed is unknown: nothing is guessed
// from its name.
func LookupModel(name string) (Nameplate, bool) {
	m, ok := FindModel(name)
	return m.Nameplate, ok
}

// FindModel is LookupModel with all that the table knows of the model.
func FindModel(name string) (Model, bool) {
	if len(name) > maxName {
		return Model{}, false
	}
	brand, rest := SplitBrand(name)
	rest, bin := cutBin(rest)
	var found []Model
	for _, key := range keys(rest) {
		for _, m := range byKey()[key] {
			if brand == "" || brand == m.Make {
				found = append(found, m)
			}
		}
		if found != nil {
			break
		}
	}
	if found == nil || slices.ContainsFunc(found, func(m Model) bool { return m.Make != found[0].Make }) {
		return Model{}, false
	}
	best := found[0]
	for _, m := range found {
		if bin > 0 && math.Abs(m.Hashrate.TH()-bin) < math.Abs(best.Hashrate.TH()-bin) && math.Abs(m.Hashrate.TH()-bin) < 0.01*bin {
			best = m
		}
	}
	return best, true
}

// brands are the words that a model's name may begin with, a longer one before its beginning.
func brands() [][2]string {
	return [][2]string{
		{"Bitmain", "Antminer"},
		{"Antminer", "Antminer"},
		{"MicroBT", "WhatsMiner"},
		{"WhatsMiner", "WhatsMiner"},
		{"Canaan", "Avalon"},
		{"AvalonMiner", "Avalon"},
		{"Avalon Miner", "Avalon"},
		{"Avalon Made", "Avalon"},
		{"Avalon", "Avalon"},
		{"Bitdeer", "SealMiner"},
		{"SealMiner", "SealMiner"},
		{"Auradine", "Auradine"},
		{"Teraflux", "Auradine"},
		{"Proto", "Proto"},
		{"Bitaxe", "Bitaxe"},
		{"ePIC", "ePIC"},
		{"Innosilicon", "Innosilicon"},
		{"Ebang", "Ebang"},
		{"Ebit", "Ebang"},
	}
}

// SplitBrand cuts the brand off a model's name: "Bitmain Antminer S19 XP" is Antminer, S19 XP.
// A name without a brand that is known comes back whole, with an empty brand.
func SplitBrand(name string) (brand, model string) {
	name = strings.Join(strings.Fields(name), " ")
	for range 3 { // "Canaan Avalon Miner 1246" has two
		for _, b := range brands() {
			word := b[0]
			if brand != "" && brand != b[1] || len(name) <= len(word) || !strings.EqualFold(name[:len(word)], word) {
				continue
			}
			rest := name[len(word):]
			if c := rest[0] | 0x20; c >= 'a' && c <= 'z' {
				continue // the beginning of another word
			}
			if rest = strings.TrimLeft(rest, " -_"); rest != "" {
				brand, name = b[1], rest
			}
		}
	}
	return brand, name
}

var (
	binForm     = regexp.MustCompile(`(?i)[ (_-]+(\d{2,4}(?:\.\d+)?) ?(?:th?(?:/s)?)?\)?$`)
	variantForm = regexp.MustCompile(`(?i)^(m\d+[a-z]*\+*)[ _-]*v[a-z]?\d{2,3}$`)
)

// maxName bounds the names that are looked up, in bytes.
const maxName = 200

// cutBin cuts the bin off a name: "S19 XP (141T)" is S19 XP, 141. Zero: it has none.
func cutBin(name string) (string, float64) {
	at := binForm.FindStringSubmatchIndex(name)
	if at == nil {
		return name, 0
	}
	bin, err := strconv.ParseFloat(name[at[2]:at[3]], 64)
	if err != nil {
		return name, 0
	}
	return name[:at[0]], bin
}

// keys returns the ways in which the table may spell a name, the likeliest first.
func keys(name string) []string {
	if m := variantForm.FindStringSubmatch(strings.TrimRight(name, ".")); m != nil {
		name = m[1]
	}
	key := plain(name)
	if key == "" {
		return nil
	}
	out := []string{key, key + "air"}
	if key[0] >= '0' && key[0] <= '9' && len(key) >= 4 {
		out = append(out, "a"+key) // Avalons say "1246" of themselves
	}
	return out
}

// plain is a name without what does not count in it.
func plain(model string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "", ".", "", "hydro", "hyd", "immersion", "imm").Replace(strings.ToLower(model))
}

//go:embed models.csv
var modelsCSV []byte

// table reads the embedded table, once.
var table = sync.OnceValues(func() ([]Model, error) { return parseModels(modelsCSV) })

// byKey finds the rows by the keys of their names, in the order of the table: tens of
// thousands of devices ask when a site starts.
var byKey = sync.OnceValue(func() map[string][]Model {
	list, _ := table() // a test reads the table: it has no faults
	index := map[string][]Model{}
	for _, m := range list {
		short, long := plain(m.Model), plain(m.Make+m.Model)
		index[short] = append(index[short], m)
		if long != short {
			index[long] = append(index[long], m)
		}
	}
	return index
})

// columns of models.csv, in their order.
func columns() []string {
	return []string{"make", "model", "th", "watts", "j_th", "cooling", "algorithm", "low_th", "low_watts", "source"}
}

// parseModels reads a table strictly and reports all its faults together.
func parseModels(data []byte) ([]Model, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(columns())
	head, err := r.Read()
	if err != nil || !slices.Equal(head, columns()) {
		return nil, fmt.Errorf("models: the first line must be %s", strings.Join(columns(), ","))
	}
	var out []Model
	var faults []error
	seen := map[string]int{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, errors.Join(faults...)
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return out, errors.Join(append(faults, fmt.Errorf("models: %w", err))...)
		}
		m, err := parseModel(row)
		if err != nil {
			faults = append(faults, fmt.Errorf("models, line %d: %w", line, err))
			continue
		}
		key := fmt.Sprintf("%s %s %g", m.Make, plain(m.Model), m.Hashrate.TH())
		if first := seen[key]; first > 0 {
			faults = append(faults, fmt.Errorf("models, line %d: the same as line %d", line, first))
		}
		seen[key] = line
		out = append(out, m)
	}
}

// yearForm is a year as sources name it.
var yearForm = regexp.MustCompile(`\b20[12]\d\b`)

func parseModel(row []string) (Model, error) {
	m := Model{Make: row[0], Model: row[1], Cooling: row[5], Algorithm: row[6], Source: row[9]}
	var faults []error
	figure := func(i int) float64 {
		f, err := strconv.ParseFloat(row[i], 64)
		if err != nil || f <= 0 || f > 100_000 {
			faults = append(faults, fmt.Errorf("%s: %q is not a figure above zero", columns()[i], row[i]))
		}
		return f
	}
	th, watts, j := figure(2), figure(3), figure(4)
	m.Nameplate = Nameplate{unit.Watts(watts), unit.Hashrate(th) * unit.TeraHash}
	if len(faults) == 0 && math.Abs(watts/th-j) > 0.02*j {
		faults = append(faults, fmt.Errorf("%g J/TH, and %g W by %g TH/s is %.1f", j, watts, th, watts/th))
	}
	if row[7] != "" || row[8] != "" {
		low := Nameplate{unit.Watts(figure(8)), unit.Hashrate(figure(7)) * unit.TeraHash}
		if m.Low = site.Some(low); low.Power >= m.Power || low.Hashrate >= m.Hashrate {
			faults = append(faults, errors.New("the low-power mode is not below the nameplate"))
		}
	}
	if m.Make == "" || m.Model == "" {
		faults = append(faults, errors.New("the make or the model is missing"))
	}
	if !slices.Contains([]string{"air", "hydro", "immersion"}, m.Cooling) {
		faults = append(faults, fmt.Errorf("cooling %q is none of air, hydro, immersion", m.Cooling))
	}
	if m.Algorithm != "sha256" {
		faults = append(faults, fmt.Errorf("algorithm %q is not sha256", m.Algorithm))
	}
	if !yearForm.MatchString(m.Source) {
		faults = append(faults, fmt.Errorf("the source %q names no page or list with its year", m.Source))
	}
	return m, errors.Join(faults...)
}
