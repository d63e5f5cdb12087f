package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/study"
	"switchyard/study/figure"
	"switchyard/study/input"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	look4  = flag.String("pages", "", "a folder to write the sample's pages to, to look at them")
)

func originOf(s string) figure.Origin { return figure.Origin(s) }

func written(t *testing.T, r *study.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func comparedPage(t *testing.T, rs ...*study.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Compare(&b, rs); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// other is the sample as it would be with another lease and another seed.
func other() *study.Report {
	r := sample()
	r.Study, r.Seed, r.File = "Sample Ridge, cheaper lease", 8, "cheaper.yaml"
	r.Given[9].Value = "120 $/kW-month"
	r.Given = append(r.Given, input.Provenance{Path: "limits.crew", Value: "25 MW", From: figure.Quote})
	r.Portfolio.NPV, r.Portfolio.Expected = dist(160e6, 90e6), 150e6
	r.Best = r.Best[:3]
	return r
}

// bare is a report of nothing but its frame.
func bare() *study.Report { return &study.Report{Study: "bare", Start: "2027-01", Months: 12} }

// without is the sample without random futures.
func without() *study.Report {
	r := sample()
	r.Paths, r.Portfolio.NPV, r.Portfolio.Fan, r.Portfolio.Histogram, r.World, r.Flexible = 0, study.Dist{}, nil, nil, study.World{}, nil
	for k := range r.Options {
		o := &r.Options[k]
		o.NPV, o.Fan, o.PathDSCR, o.Breach = study.Dist{}, nil, nil, nil
	}
	for k := range r.Best {
		r.Best[k].NPV = study.Dist{}
	}
	return r
}

func pages(t *testing.T) map[string]string {
	return map[string]string{
		"sample": written(t, sample()), "bare": written(t, bare()), "without": written(t, without()),
		"compare": comparedPage(t, sample(), other()), "mixed": comparedPage(t, sample(), bare(), without()),
	}
}

// TestPagesStandAlone: well formed, nothing fetched, every link leads to a place that is there once,
// and no figure is a fault of printing.
func TestPagesStandAlone(t *testing.T) {
	for name, text := range pages(t) {
		if *look4 != "" {
			if err := os.WriteFile(filepath.Join(*look4, name+".html"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, bad := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "javascript:", "NaN", "+Inf", "-Inf", "Infinity", "%!", "ZgotmplZ", "<nil>", "0xc0"} {
			if at := strings.Index(text, bad); at >= 0 {
				t.Errorf("%s holds %q: …%s…", name, bad, text[max(0, at-80):min(len(text), at+80)])
			}
		}
		ids := map[string]int{}
		var links []string
		tags(t, name, text, func(e xml.StartElement) {
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "id":
					ids[a.Value]++
				case "href", "src", "action", "data", "srcset":
					links = append(links, a.Value)
				}
			}
		})
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s: %q is the id of %d places", name, id, n)
			}
		}
		for _, l := range links {
			if id, ok := strings.CutPrefix(l, "#"); !ok || ids[id] == 0 {
				t.Errorf("%s: the link %q leads nowhere in the page", name, l)
			}
		}
	}
}

// tags reads the page as XML, which is stricter than a browser: what is opened is closed, and
// attributes are quoted.
func tags(t *testing.T, name, text string, each func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		switch e := tok.(type) {
		case xml.StartElement:
			each(e)
		}
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s is not well formed: %v", name, err)
		}
	}
}

// TestSectionsInOrder: a board reads from the top.
func TestSectionsInOrder(t *testing.T) {
	text := written(t, sample())
	at := 0
	for _, id := range []string{"findings", "best", "options", "cash", "timing", "spread", "debt", "tornado", "scenarios", "regret", "waiting", "world", "statements", "sector", "energy", "inputs", "assumed", "method"} {
		k := strings.Index(text, `id="`+id+`"`)
		if k < at {
			t.Errorf("%s is missing or stands too early", id)
		}
		at = k
	}
}

// TestEveryChartIsThere, each with its name for those who cannot see it, and its drawing for a telephone.
func TestEveryChartIsThere(t *testing.T) {
	text := written(t, sample())
	for _, title := range []string{"Cash flow by source", "Conversion timing", "Net cash by year", "Net present value over all futures", "Debt and its cover", "What moves the value", "When to convert North", "Price of bitcoin", "Hashprice, $/PH/day", "Difficulty", "Price of power, $/MWh", "Rents by kind of lease", "Yearly cash of Mine on, North"} {
		if n := strings.Count(text, `aria-label="`+title+`"><desc>`); n < 2 {
			t.Errorf("%q is drawn %d times", title, n)
		}
	}
}

// TestNothingIsMarkup: names and sources are a user's text, and stay text wherever they stand.
func TestNothingIsMarkup(t *testing.T) {
	const evil = `<script>alert("x")</script>'"><img src=x onerror=alert(1)>`
	r := sample()
	r.Study, r.Note, r.Site, r.Version, r.File, r.Hash, r.Start = evil, evil, evil, evil, evil, evil, evil
	for k := range r.Given {
		g := &r.Given[k]
		g.Path, g.Value, g.Source, g.From = evil+"["+g.Path, evil, evil, figure.Origin(evil)
	}
	r.Findings = append(r.Findings, study.Finding{Hall: evil, Option: evil, Kind: evil, Month: evil, Text: evil})
	for k := range r.Options {
		o := &r.Options[k]
		o.Hall, o.Name, o.Title, o.Start, o.DebtWhy, o.NoIRR, o.ProjectIRR = evil+o.Hall, evil, evil, evil, evil, evil, study.Rate{None: evil}
		for i := range o.Timing {
			o.Timing[i].Month += evil
		}
		for i := range o.Years {
			o.Years[i].Label = evil
			o.Fan[i].Label = evil
		}
	}
	for k := range r.Best {
		b := &r.Best[k]
		b.Hall, b.Option, b.Title, b.Start, b.Alone = evil+b.Hall, evil, evil, evil, evil
	}
	f := &r.Flexible[0]
	f.Hall, f.Today = evil, evil
	for k := range f.Dates {
		f.Dates[k].Option, f.Dates[k].Share = evil, map[string]float64{evil: 0.1}
	}
	r.Portfolio.Bound = []string{evil}
	for k := range r.Portfolio.Years {
		r.Portfolio.Years[k].Label, r.Portfolio.Fan[k].Label = evil, evil
	}
	for k := range r.Portfolio.Months.Labels {
		r.Portfolio.Months.Labels[k] = evil
	}
	r.Tornado[0] = study.Bar{Input: evil, Low: evil, High: evil, Basis: evil, NPVLow: 1, NPVHigh: 2}
	r.Scenarios[0].Name, r.Regret.Scenarios[0], r.Regret.Decisions[0] = evil, evil, evil
	r.World.Halvings = append(r.World.Halvings, evil)
	r.Sector.Ours[0] = study.Deal{Name: evil, Date: evil, Kind: evil, Note: evil, Source: evil, Rate: 3}
	r.Energy[0].What, r.Energy[0].Method, r.Energy[0].Source = evil, evil, evil
	for name, text := range map[string]string{"page": written(t, r), "comparison": comparedPage(t, r, sample())} {
		tags(t, name, text, func(e xml.StartElement) {
			if n := e.Name.Local; n == "script" || n == "img" {
				t.Fatalf("%s: a name became the element %s", name, n)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") {
					t.Fatalf("%s: a name became the attribute %s", name, a.Name.Local)
				}
			}
		})
		if strings.Contains(text, "<script") || strings.Contains(text, "<img") {
			t.Errorf("%s holds a name as markup", name)
		}
		if strings.Count(text, "&lt;script&gt;") < 4 {
			t.Errorf("%s does not show the names at all", name)
		}
	}
}

var (
	styles  = regexp.MustCompile(`(?s)<style>.*?</style>`)
	closed  = regexp.MustCompile(`(?s)<details>.*?</details>`)
	drawing = regexp.MustCompile(`(?s)<svg.*?</svg>`)
	breaks  = regexp.MustCompile(`</(tr|p|h1|h2|h3|li|dd|dt|summary|section|div)>`)
	cells   = regexp.MustCompile(`</(td|th|small)>`)
	anyTag  = regexp.MustCompile(`<[^>]*>`)
	spaces  = regexp.MustCompile(`[ \t]+`)
	lines   = regexp.MustCompile(`\n\s*`)
)

// plainText is what a reader reads: a line a row, a bar between cells, no drawings.
func plainText(page string) string {
	kept := 0
	s := closed.ReplaceAllStringFunc(drawing.ReplaceAllString(styles.ReplaceAllString(page, ""), ""), func(d string) string {
		if kept++; kept > 3 {
			return "" // the other options' years are as the first's
		}
		return d
	})
	s = cells.ReplaceAllString(strings.ReplaceAll(s, "\n", " "), " | ")
	s = anyTag.ReplaceAllString(breaks.ReplaceAllString(s, "\n"), "")
	s = spaces.ReplaceAllString(strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s), " ")
	return strings.TrimSpace(lines.ReplaceAllString(s, "\n")) + "\n"
}

// TestGolden holds the words and figures of the pages; their values are the sample's, which
// TestFigures checks by hand.
func TestGolden(t *testing.T) {
	for name, page := range map[string]string{"sample.txt": written(t, sample()), "compare.txt": comparedPage(t, sample(), other())} {
		file := filepath.Join("testdata", name)
		got := plainText(page)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("%s (-want +got), -update writes it anew:\n%s", name, d)
		}
	}
}
