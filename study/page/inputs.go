package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchyard/study"
	"switchyard/study/figure"
	"switchyard/study/input"
)

// inputGroup is a part of the study file.
type inputGroup struct {
	ID, Name, key string
	Rows          []inputRow
}

// inputRow is one figure with where it comes from.
type inputRow struct {
	Path, Value, From, Mark, Source, Line string
}

// partNames are the parts of a study file, as a person calls them.
func partNames() [][2]string {
	return [][2]string{
		{"site", "Site and connection"},
		{"halls", "Halls"},
		{"power", "Power"},
		{"bitcoin", "Bitcoin"},
		{"leases", "Leases"},
		{"gpu_clouds", "GPU clouds"},
		{"sales", "Sales"},
		{"greenfields", "Greenfields"},
		{"financings", "Financings"},
		{"tax", "Tax"},
		{"options", "Options"},
		{"limits", "Limits"},
		{"scenarios", "Scenarios"},
	}
}

// partOf is the part of the study file to which a figure belongs; figures of the whole have none.
func partOf(path string) string {
	key, _, nested := strings.Cut(path, ".")
	key, _, listed := strings.Cut(key, "[")
	if !nested && !listed {
		return ""
	}
	return key
}

// inputsOf groups figures by the part of the file, in the file's order.
func inputsOf(ps []input.Provenance) (out []inputGroup) {
	for _, p := range ps {
		key := partOf(p.Path)
		at := slices.IndexFunc(out, func(g inputGroup) bool { return g.key == key })
		if at < 0 {
			g := inputGroup{key: key, ID: "in-study", Name: "The study"}
			if key != "" {
				g.ID, g.Name = fmt.Sprintf("in-%d", len(out)+1), key
			}
			for _, n := range partNames() {
				if n[0] == key {
					g.ID, g.Name = "in-"+key, n[1]
				}
			}
			out, at = append(out, g), len(out)
		}
		out[at].Rows = append(out[at].Rows, inputRowOf(p))
	}
	return out
}

func inputRowOf(p input.Provenance) inputRow {
	x := inputRow{Path: p.Path, Value: p.Value, From: string(p.From), Mark: mark(p.From), Source: p.Source, Line: none}
	if p.From == "" {
		x.From = "not told"
	}
	if p.Line > 0 {
		x.Line = strconv.Itoa(p.Line)
	}
	return x
}

// mark is the class of an origin's colour: m0 is the surest.
func mark(o figure.Origin) string {
	if k := slices.Index(figure.Origins(), o); k >= 0 {
		return fmt.Sprintf("m%d", k)
	}
	return fmt.Sprintf("m%d", len(figure.Origins())-1)
}

// origin counts the figures of one origin.
type origin struct {
	Name, Mark string
	Count      int
	Share      string // of all, for the bar's width
}

func originsOf(groups ...[]input.Provenance) (out []origin) {
	total := 0
	for _, o := range figure.Origins() {
		n := 0
		for _, ps := range groups {
			for _, p := range ps {
				if p.From == o || p.From == "" && o == figure.Assumption {
					n++
				}
			}
		}
		total += n
		out = append(out, origin{Name: string(o), Mark: mark(o), Count: n})
	}
	for k := range out {
		out[k].Share = fmt.Sprintf("%.2f", 100*float64(out[k].Count)/float64(max(total, 1)))
	}
	return out
}

// linksOf leads from an option to the parts of the file that its figures rest on.
func linksOf(o study.Option, in []inputGroup) (out []link) {
	keys := []string{"halls", "power", "bitcoin"}
	switch o.Kind {
	case "host":
		keys = append(keys, "leases")
	case "cloud":
		keys = append(keys, "gpu_clouds")
	case "sell":
		keys = append(keys, "sales")
	case "greenfield":
		keys = append(keys, "greenfields", "leases")
	}
	if o.Debt > 0 {
		keys = append(keys, "financings")
	}
	keys = append(keys, "tax", "site", "")
	for _, k := range keys {
		for _, g := range in {
			if g.key == k {
				out = append(out, link{"#" + g.ID, g.Name})
			}
		}
	}
	return out
}

// covenantOf finds the lenders' covenant among the inputs, where there is one and only one.
func covenantOf(r *study.Report) float64 {
	found := 0.0
	for _, ps := range [][]input.Provenance{r.Given, r.Assumed} {
		for _, p := range ps {
			if !strings.HasPrefix(p.Path, "financings") || !strings.HasSuffix(p.Path, ".covenant") {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(p.Value), 64)
			if err != nil || !finite(v) || v <= 0 || found != 0 && v != found {
				return 0
			}
			found = v
		}
	}
	return found
}
