package paper

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/col"
	"github.com/johnfercher/maroto/v2/pkg/components/page"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/consts/border"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/consts/pagesize"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"
	"github.com/johnfercher/maroto/v2/pkg/repository"
	"github.com/jung-kurt/gofpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"

	"switchyard/billing/invoice"
)

// Size is the paper's.
type Size string

// The sizes of paper. Auto takes Letter where the seller's address ends like one in North
// America, and A4 elsewhere.
const (
	Auto   Size = "auto"
	A4     Size = "a4"
	Letter Size = "letter"
)

// The families, and how many columns a page has.
const (
	sans = "go"
	mono = "gomono"
	grid = 24
)

var (
	ink   = &props.Color{Red: 28, Green: 36, Blue: 48}
	gray  = &props.Color{Red: 96, Green: 106, Blue: 120}
	red   = &props.Color{Red: 176, Green: 32, Blue: 32}
	white = &props.Color{Red: 255, Green: 255, Blue: 255}
	dark  = &props.Color{Red: 32, Green: 54, Blue: 84}
	pale  = &props.Color{Red: 238, Green: 242, Blue: 247}
	rule  = &props.Color{Red: 206, Green: 213, Blue: 222}
)

var northAmerica = regexp.MustCompile(`(?i)(\b[A-Z]{2}\s+\d{5}(-\d{4})?|\b[A-Z]\d[A-Z]\s?\d[A-Z]\d|\b(usa|u\.s\.a\.|united states|canada))\s*$`)

func (s Size) page(inv invoice.Invoice) pagesize.Type {
	switch s {
	case A4:
		return pagesize.A4
	case Letter:
		return pagesize.Letter
	}
	if n := len(inv.Seller.Address); n > 0 && northAmerica.MatchString(inv.Seller.Address[n-1]) {
		return pagesize.Letter
	}
	return pagesize.A4
}

// PDF returns the invoice as a document to send.
func PDF(inv invoice.Invoice, size Size) ([]byte, error) {
	inOrder()
	// The library writes into the bytes of a font.
	fonts, err := repository.New().
		AddUTF8FontFromBytes(sans, fontstyle.Normal, slices.Clone(goregular.TTF)).
		AddUTF8FontFromBytes(sans, fontstyle.Bold, slices.Clone(gobold.TTF)).
		AddUTF8FontFromBytes(mono, fontstyle.Normal, slices.Clone(gomono.TTF)).Load()
	if err != nil {
		return nil, fmt.Errorf("draw invoice %s: %w", inv.Number, err)
	}
	s := &sheet{inv: inv, zone: time.UTC}
	if z, err := time.LoadLocation(inv.Zone); err == nil {
		s.zone = z
	}
	s.m = maroto.New(s.config(size, fonts))
	if err := s.m.RegisterHeader(s.letterhead()...); err != nil {
		return nil, fmt.Errorf("draw invoice %s: %w", inv.Number, err)
	}
	if err := s.m.RegisterFooter(s.foot()...); err != nil {
		return nil, fmt.Errorf("draw invoice %s: %w", inv.Number, err)
	}
	s.front()
	s.table()
	s.totals()
	s.payment()
	s.service()
	s.notes()
	s.appendix()
	doc, err := s.m.Generate()
	if err != nil {
		return nil, fmt.Errorf("draw invoice %s: %w", inv.Number, err)
	}
	return dated(doc.GetBytes(), inv.Issued), nil
}

// inOrder has the PDF library write its objects in one order and not in that of a map. It is
// the library's switch for all documents; there is none for one.
var inOrder = sync.OnceFunc(func() { gofpdf.SetDefaultCatalogSort(true) })

var modified = regexp.MustCompile(`/ModDate \(D:\d{14}\)`)

// dated puts the invoice's date where the library writes the machine's; the length stays, and
// so do all places in the document.
func dated(doc []byte, issued time.Time) []byte {
	return modified.ReplaceAll(doc, []byte("/ModDate (D:"+issued.UTC().Format("20060102150405")+")"))
}

// sheet is a document in the making.
type sheet struct {
	inv  invoice.Invoice
	zone *time.Location
	m    core.Maroto
}

func (s *sheet) config(size Size, fonts []*entity.CustomFont) *entity.Config {
	return config.NewBuilder().
		WithPageSize(size.page(s.inv)).WithLeftMargin(18).WithRightMargin(18).WithTopMargin(14).WithBottomMargin(12).
		WithMaxGridSize(grid).WithCustomFonts(fonts).
		WithDefaultFont(&props.Font{Family: sans, Style: fontstyle.Normal, Size: 9, Color: ink}).
		WithPageNumber(props.PageNumber{Pattern: "Page {current} of {total}", Place: props.RightBottom, Family: sans, Size: 7.5, Color: gray}).
		WithTitle(s.title(), true).WithAuthor(s.inv.Seller.Name, true).WithCreator("Switchyard", true).
		WithCreationDate(s.inv.Issued.UTC()).WithSequentialMode().Build()
}

// title is what the document is called.
func (s *sheet) title() string {
	switch {
	case s.inv.Draft || s.inv.Number == "":
		return "Draft invoice for " + s.inv.Period.Name()
	case s.inv.Total < 0:
		return "Credit note " + s.inv.Number
	}
	return "Invoice " + s.inv.Number
}

func (s *sheet) letterhead() []core.Row {
	return []core.Row{
		row.New(7).Add(
			put(15, s.inv.Seller.Name, props.Text{Size: 12, Style: fontstyle.Bold, Color: dark}),
			put(9, s.title(), props.Text{Size: 8.5, Color: gray, Align: align.Right, Top: 1.2}),
		).WithStyle(under(dark)),
		row.New(4),
	}
}

func (s *sheet) foot() []core.Row {
	parts := []string{s.inv.Seller.Name}
	if s.inv.Seller.TaxID != "" {
		parts = append(parts, "Tax ID "+s.inv.Seller.TaxID)
	}
	if s.inv.Seller.Email != "" {
		parts = append(parts, s.inv.Seller.Email)
	}
	// The text hangs below its row, beside the page's number, which the library puts there.
	return []core.Row{row.New(6).Add(put(19, strings.Join(parts, "  ·  "), props.Text{Size: 7.5, Color: gray, Top: 6}))}
}

// put is a cell with text; words too long for any line are cut so that none runs out of it.
func put(size int, value string, p props.Text) core.Col {
	return col.New(size).Add(text.New(broken(value, size*4), p))
}

// broken puts a space into each word longer than most.
func broken(value string, most int) string {
	words := strings.Fields(value)
	for i, w := range words {
		r := []rune(w)
		var parts []string
		for len(r) > most {
			parts, r = append(parts, string(r[:most])), r[most:]
		}
		words[i] = strings.Join(append(parts, string(r)), " ")
	}
	return strings.Join(words, " ")
}

func under(c *props.Color) *props.Cell {
	return &props.Cell{BorderType: border.Bottom, BorderColor: c, BorderThickness: 0.3}
}

func shaded(c *props.Color) *props.Cell { return &props.Cell{BackgroundColor: c} }

func (s *sheet) gap(mm float64) { s.m.AddRows(row.New(mm)) }

// heading begins a section and keeps it together with what follows, so far as keep reaches.
func (s *sheet) heading(name string, keep float64) {
	s.keep(keep + 8)
	s.m.AddRows(row.New(6).Add(put(grid, name, props.Text{Size: 10, Style: fontstyle.Bold, Color: dark})), row.New(1))
}

// keep goes to a new page where less than so many millimetres are left, and says whether it did.
func (s *sheet) keep(mm float64) bool {
	const margins = 15 // which the library leaves out, less the letterhead, which it counts twice
	if s.m.FitlnCurrentPage(mm + margins) {
		return false
	}
	s.m.AddPages(page.New())
	return true
}
