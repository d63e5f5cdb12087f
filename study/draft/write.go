package draft

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"switchyard/study/figure"
)

//go:embed draft.tmpl
var text string

// Write returns the study file. Every figure says where it comes from; what is an assumption says
// so, and why it is believed.
func Write(s Site) ([]byte, error) {
	t, err := template.New("study").Funcs(template.FuncMap{
		"figure": Value.yaml, "word": word, "comment": comment, "assumed": Assumed, "month": month, "ids": ids, "add": func(a, b int) int { return a + b },
	}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the draft's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s.filled()); err != nil {
		return nil, fmt.Errorf("write the draft of %s: %w", s.Name, err)
	}
	return b.Bytes(), nil
}

// filled puts an assumption wherever a figure is needed that nobody told.
func (s Site) filled() Site {
	if strings.TrimSpace(s.Name) == "" {
		s.Name = "the site"
	}
	s.PUE = s.PUE.Or(Assumed("1.25", "air-cooled AI hall in a temperate place, believed; ask the designer"))
	s.MiningPUE = s.MiningPUE.Or(Assumed("1.03", "fans and transformers of a mining hall, believed"))
	p := &s.Power
	if p.Prices == "" {
		p.Flat = p.Flat.Or(Assumed("45 $/MWh", "believed: no price file was there; the study sees no spikes with it"))
	}
	b := &s.Bitcoin
	b.Price = b.Price.Or(Assumed("90 $k", "believed; write today's price"))
	b.Difficulty = b.Difficulty.Or(Assumed("1.5e14", "believed; write today's difficulty"))
	if b.Height == 0 {
		b.Height, b.HeightFrom = HeightAt(s.Start), "height: a block in ten minutes since block 840,000 of 2024-04-20"
	}
	if len(s.Leases) == 0 {
		s.Leases = []Lease{{
			ID: "hosting", Tenant: "an AI tenant", Kind: "modified",
			Rate:      Assumed("130 $/kW-month", "believed: public hosting deals of 2024 and 2025 lie between 102 and 159"),
			Escalator: Assumed("3 %", "believed: as in several public leases"),
			Term:      Assumed("10 years", "believed: as in several public leases"),
		}}
	}
	leases := make([]Lease, len(s.Leases))
	for i, l := range s.Leases {
		l.Escalator = l.Escalator.Or(Assumed("0 %", "the contract names none"))
		l.Term = l.Term.Or(Assumed("10 years", "believed: the contract names no end"))
		leases[i] = l
	}
	s.Leases = leases
	return s
}

// HeightAt is about which block is found at the start of a month: the halving of block 840,000
// came eleven days before May of 2024, and a month has 4,383 blocks of ten minutes.
func HeightAt(m figure.Month) int64 {
	return 840_000 + 11*144 + int64(m-figure.MonthOf(2024, 5))*4383
}

// yaml writes the value with its provenance.
func (v Value) yaml() string {
	out := "{is: " + word(v.Is) + ", from: " + string(v.From)
	if v.Source != "" {
		out += ", source: " + quoted(v.Source)
	}
	return out + "}"
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./$%+-][A-Za-z0-9_./$%+ -]*$`)

// word writes a word as YAML, in quotation marks where it needs them.
func word(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "~", "":
		return quoted(s)
	}
	if plain.MatchString(s) && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "%") && !strings.HasSuffix(s, " ") {
		return s
	}
	return quoted(s)
}

// quoted writes s in quotation marks.
func quoted(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean) + `"`
}

// comment makes lines of a comment that is indented so far, at most some ninety letters long each.
func comment(indent int, s string) string {
	pad := strings.Repeat(" ", indent) + "#"
	var out strings.Builder
	line := pad
	for w := range strings.FieldsSeq(s) {
		if len(line)+1+len(w) > 100 && line != pad {
			out.WriteString(line + "\n")
			line = pad
		}
		line += " " + w
	}
	out.WriteString(line)
	return out.String()
}

func month(m figure.Month) string { return m.String() }

// ids lists the halls as YAML.
func ids(halls []Hall) string {
	var out []string
	for _, h := range halls {
		out = append(out, word(h.ID))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// Number prints a figure without an exponent, to at most four decimals.
func Number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
