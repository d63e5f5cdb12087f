package paper

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/johnfercher/maroto/v2/pkg/components/col"
	"github.com/johnfercher/maroto/v2/pkg/components/page"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/props"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/unit"
)

func (s *sheet) day(t time.Time) string { return t.In(s.zone).Format("2 January 2006") }

// front is who bills whom for what, and what is due when.
func (s *sheet) front() {
	name := "Invoice"
	switch {
	case s.draft():
		name = "Draft invoice"
	case s.inv.Total < 0:
		name = "Credit note"
	case s.inv.Closing:
		name = "Closing invoice"
	}
	s.m.AddRows(row.New(11).Add(put(grid, name, props.Text{Size: 20, Style: fontstyle.Bold, Color: dark})))
	if s.draft() {
		s.m.AddRows(row.New(6).Add(put(grid, "This is no invoice: it has no number and nothing is due by it.", props.Text{Size: 9, Style: fontstyle.Bold, Color: red})))
	}
	s.gap(2)
	number := s.inv.Number
	if s.draft() {
		number = "none, draft"
	}
	facts := [][2]string{
		{"Number", number},
		{"Date", s.day(s.inv.Issued)},
		{"Due", s.due()},
		{"Period", s.inv.Period.Name()},
		{"Contract", s.inv.Contract},
		{"Terms from", s.inv.Version.String()},
	}
	left, middle := party("From", s.inv.Seller), party("Bill to", s.inv.Customer)
	for i := range max(len(left), len(middle), len(facts)) {
		r := row.New()
		r.Add(cellOf(8, left, i), cellOf(8, middle, i))
		if i < len(facts) {
			r.Add(put(3, facts[i][0], props.Text{Size: 8, Color: gray, Top: 0.6}), put(5, facts[i][1], props.Text{Size: 8.5, Top: 0.4, Bottom: 0.8}))
		}
		s.m.AddRows(r)
	}
	s.gap(5)
	what, amount := "Amount due by "+s.due(), money(s.inv.Total)
	switch {
	case s.draft():
		what = "Comes to, as a draft"
	case s.inv.Total < 0:
		what, amount = "Credit in your favour, nothing is due", money(-s.inv.Total)
	case s.inv.Total == 0:
		what = "Nothing is due"
	}
	s.m.AddRows(row.New(11).Add(
		put(15, what, props.Text{Size: 10, Top: 3.4, Left: 3}),
		put(9, amount, props.Text{Size: 14, Style: fontstyle.Bold, Color: dark, Align: align.Right, Top: 2.6, Right: 3}),
	).WithStyle(shaded(pale)), row.New(6))
}

func (s *sheet) draft() bool { return s.inv.Draft || s.inv.Number == "" }

func (s *sheet) due() string {
	if s.inv.Total <= 0 {
		return "nothing"
	}
	return s.day(s.inv.Due)
}

// party is a block of who somebody is, line by line; the first two are set off.
func party(title string, p contract.Party) []string {
	out := append([]string{title, p.Name}, p.Address...)
	if p.TaxID != "" {
		out = append(out, "Tax ID "+p.TaxID)
	}
	if p.Email != "" {
		out = append(out, p.Email)
	}
	return out
}

func cellOf(size int, block []string, i int) core.Col {
	p := props.Text{Size: 8.5, Top: 0.4, Bottom: 0.4, Right: 3}
	switch {
	case i >= len(block):
		return col.New(size)
	case i == 0:
		p.Color, p.Size = gray, 8
	case i == 1:
		p.Style, p.Size = fontstyle.Bold, 9.5
	}
	return put(size, block[i], p)
}

// The table's columns, of the grid.
const (
	colNo, colText, colQuantity, colUnit, colRate, colAmount = 1, 9, 4, 3, 3, 4
)

func tableHead() core.Row {
	head := func(size int, name string, a align.Type) core.Col {
		return put(size, name, props.Text{Size: 8, Style: fontstyle.Bold, Color: white, Align: a, Top: 1.6, Left: 1, Right: 1})
	}
	return row.New(6.5).Add(
		head(colNo, "#", align.Left), head(colText, "Description", align.Left), head(colQuantity, "Quantity", align.Right),
		head(colUnit, "Unit", align.Left), head(colRate, "Rate", align.Right), head(colAmount, "Amount", align.Right),
	).WithStyle(shaded(dark))
}

// table prints the lines; each page of it begins with the columns' names.
func (s *sheet) table() {
	s.m.AddRows(tableHead())
	for i, l := range s.inv.Lines {
		if l.Kind == invoice.Tax || l.Kind == invoice.PrepayCredit {
			continue // these stand with the totals
		}
		figure := func(size int, v string) core.Col {
			return put(size, v, props.Text{Size: 8.5, Align: align.Right, Top: 1.4, Bottom: 1.6, Left: 1, Right: 1})
		}
		plain := props.Text{Size: 8.5, Top: 1.4, Bottom: 1.6, Left: 1, Right: 1, VerticalPadding: 0.7}
		small := plain
		small.Color = gray
		if s.keep(5 + 4*float64(1+len([]rune(l.Text))/38)) {
			s.m.AddRows(tableHead())
		}
		s.m.AddRows(row.New().Add(
			put(colNo, strconv.Itoa(i+1), small), put(colText, l.Text, plain), figure(colQuantity, grouped(l.Quantity, 0, 3)),
			put(colUnit, l.Unit, plain), figure(colRate, rate(l.Rate)), figure(colAmount, money(l.Billed())),
		).WithStyle(under(rule)))
	}
}

// totals is what the lines come to, tax, and what was paid ahead.
func (s *sheet) totals() {
	var sub, taxed unit.Money
	type sum struct {
		name   string
		amount unit.Money
	}
	var taxes, prepaid []sum
	for _, l := range s.inv.Lines {
		switch l.Kind {
		case invoice.Tax:
			taxes = append(taxes, sum{l.Text, l.Billed()})
			taxed += l.Billed()
		case invoice.PrepayCredit:
			prepaid = append(prepaid, sum{l.Text, l.Billed()})
		default:
			sub += l.Billed()
		}
	}
	sums := append([]sum{{"Subtotal", sub}}, taxes...)
	if len(prepaid) > 0 {
		sums = append(append(sums, sum{"Total of the month", sub + taxed}), prepaid...)
	}
	s.keep(float64(len(sums))*9 + 12)
	for _, x := range sums {
		s.m.AddRows(row.New().Add(col.New(6),
			put(13, x.name, props.Text{Size: 8.5, Align: align.Right, Top: 1.6, Bottom: 0.8, Right: 3}),
			put(5, money(x.amount), props.Text{Size: 8.5, Align: align.Right, Top: 1.6, Bottom: 0.8, Right: 1})))
	}
	name := "Total due, " + s.inv.Currency
	switch {
	case s.draft():
		name = "Total so far, " + s.inv.Currency
	case s.inv.Total < 0:
		name = "Credit, " + s.inv.Currency
	}
	bold := props.Text{Size: 10.5, Style: fontstyle.Bold, Color: dark, Align: align.Right, Top: 2, Right: 3}
	right := bold
	right.Right = 1
	s.m.AddRows(row.New(1.5), row.New(8).Add(
		col.New(10), put(8, name, bold).WithStyle(shaded(pale)), put(6, money(s.inv.Total), right).WithStyle(shaded(pale))))
	s.gap(6)
}

// payment tells where to pay what by when.
func (s *sheet) payment() {
	if s.draft() || s.inv.Total <= 0 || len(s.inv.Seller.Pay) == 0 {
		return
	}
	s.heading("How to pay", float64(len(s.inv.Seller.Pay))*5+8)
	lines := append([]string{fmt.Sprintf("Please pay %s by %s.", money(s.inv.Total), s.due())}, s.inv.Seller.Pay...)
	if !strings.Contains(strings.ToLower(strings.Join(s.inv.Seller.Pay, " ")), "reference") {
		lines = append(lines, "Reference: "+s.inv.Number)
	}
	s.paragraphs(lines, props.Text{Size: 8.5, Top: 0.5, Bottom: 0.6})
	s.gap(4)
}

func (s *sheet) paragraphs(lines []string, p props.Text) {
	for _, l := range lines {
		s.m.AddRows(row.New().Add(put(grid, l, p)))
	}
}

// shownExclusions bounds the list on paper; all are in the JSON.
const shownExclusions = 10

// service is what was delivered of what was promised, with what does not count and why.
func (s *sheet) service() {
	v := s.inv.Service
	if v == nil {
		return
	}
	s.heading("Delivery against the service level", 26)
	facts := [][2]string{
		{"Promised availability", percent(v.Promised)},
		{"Reached", percent(v.Reached)},
		{"Time lost, of " + duration(v.Counted) + " that count", duration(v.Lost)},
		{"Power delivered, of " + grouped(v.Wanted.MegawattHours(), 0, 3) + " MWh wanted", grouped(v.Delivered.MegawattHours(), 0, 3) + " MWh"},
		{"Credit, given without being claimed", money(v.Credit)},
	}
	for i, f := range facts {
		p := props.Text{Size: 8.5, Top: 1.2, Bottom: 1, Left: 3}
		q := p
		q.Align, q.Right, q.Left, q.Style = align.Right, 3, 0, fontstyle.Bold
		if i == 1 && v.Reached < v.Promised {
			q.Color = red
		}
		s.m.AddRows(row.New().Add(put(17, f[0], p), put(7, f[1], q)).WithStyle(shaded(pale)))
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		s.keep(12)
		s.gap(1.5)
		s.paragraphs([]string{title}, props.Text{Size: 8.5, Style: fontstyle.Bold, Bottom: 0.8})
		if n := len(lines); n > shownExclusions {
			lines = append(lines[:shownExclusions:shownExclusions], fmt.Sprintf("and %d more, in the invoice's JSON", n-shownExclusions))
		}
		s.paragraphs(lines, props.Text{Size: 8, Left: 3, Bottom: 0.9, VerticalPadding: 0.6})
	}
	list("Counts against the promise", v.Breaches)
	var excluded []string
	for _, x := range v.Excluded {
		excluded = append(excluded, strings.TrimSpace(fmt.Sprintf("%s to %s (%s): %s  %s", s.moment(x.From), s.moment(x.To), duration(x.To.Sub(x.From)), x.Why, x.Ref)))
	}
	list("Does not count", excluded)
	s.gap(4)
}

func (s *sheet) moment(t time.Time) string { return t.In(s.zone).Format("2006-01-02 15:04 MST") }

func (s *sheet) notes() {
	if len(s.inv.Notes) == 0 {
		return
	}
	s.heading("Notes", 6)
	s.paragraphs(s.inv.Notes, props.Text{Size: 8.5, Top: 0.4, Bottom: 0.8, VerticalPadding: 0.6})
}

// shownNotes bounds the notes of one line's evidence on paper; all are in the JSON.
const shownNotes = 12

// appendix ties each line to its intervals.
func (s *sheet) appendix() {
	if len(s.inv.Lines) == 0 {
		return
	}
	s.m.AddPages(page.New())
	s.m.AddRows(row.New(9).Add(put(grid, "Evidence", props.Text{Size: 15, Style: fontstyle.Bold, Color: dark})))
	s.paragraphs([]string{
		"Each line rests on 5-minute settlement intervals. The link, on the seller's Switchyard, lists them; the SHA-256 is of those rows as they stood when this was made. " +
			"Readings that came later are corrected on a later invoice.",
	}, props.Text{Size: 8.5, Color: gray, VerticalPadding: 0.7, Bottom: 2})
	for i, l := range s.inv.Lines {
		e := l.Evidence
		quality := fmt.Sprintf("%s intervals", grouped(float64(e.Intervals), 0, 0))
		switch {
		case e.Estimated == 0 && e.Missing == 0:
			quality += ", all measured"
		default:
			quality += fmt.Sprintf(", %d estimated, %d missing", e.Estimated, e.Missing)
		}
		s.keep(24)
		s.m.AddRows(row.New().Add(
			put(1, strconv.Itoa(i+1), props.Text{Size: 8, Color: gray, Top: 1.4}),
			put(18, l.Text, props.Text{Size: 8.5, Style: fontstyle.Bold, Top: 1.2, Bottom: 0.6, Right: 2}),
			put(5, money(l.Billed()), props.Text{Size: 8.5, Align: align.Right, Top: 1.2}),
		))
		gray8 := props.Text{Size: 8, Color: gray, Bottom: 0.5, VerticalPadding: 0.5}
		tiny := props.Text{Size: 6.5, Family: mono, Color: gray, Bottom: 0.6}
		s.indent(s.moment(e.From)+" to "+s.moment(e.To)+"  ·  "+quality, gray8)
		if e.SHA256 != "" {
			s.indent("sha256 "+e.SHA256, tiny)
		}
		for _, part := range strings.SplitAfter(strings.Replace(e.Link, "?", "? ", 1), " ") {
			s.indent(part, tiny)
		}
		notes := e.Notes
		if n := len(notes); n > shownNotes {
			notes = append(notes[:shownNotes:shownNotes], fmt.Sprintf("and %d more, in the invoice's JSON", n-shownNotes))
		}
		for _, n := range notes {
			s.indent(n, gray8)
		}
		s.m.AddRows(row.New(1.5).WithStyle(under(rule)))
	}
}

func (s *sheet) indent(value string, p props.Text) {
	s.m.AddRows(row.New().Add(col.New(1), col.New(23).Add(text.New(broken(value, 110), p))))
}

// money prints an amount with its cents: "-$1,234.50".
func money(m unit.Money) string { return m.String() }

// rate prints dollars per unit with two to six decimals.
func rate(f float64) string {
	if f < 0 {
		return "-$" + grouped(-f, 2, 6)
	}
	return "$" + grouped(f, 2, 6)
}

// grouped prints a figure with commas between thousands and from least to most decimals.
func grouped(f float64, least, most int) string {
	whole, rest, _ := strings.Cut(strconv.FormatFloat(f, 'f', most, 64), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	for len(rest) > least && rest[len(rest)-1] == '0' {
		rest = rest[:len(rest)-1]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}

func percent(r unit.Ratio) string {
	thousandths := int64(float64(r)*1e5 + 1e-6)
	return fmt.Sprintf("%d.%03d %%", thousandths/1000, thousandths%1000)
}

// duration prints hours and minutes: "1 h 30 min".
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, sec := int64(d/time.Hour), int64(d%time.Hour/time.Minute), int64(d%time.Minute/time.Second)
	var parts []string
	if h > 0 {
		parts = append(parts, grouped(float64(h), 0, 0)+" h")
	}
	if m > 0 {
		parts = append(parts, strconv.FormatInt(m, 10)+" min")
	}
	if sec > 0 {
		parts = append(parts, strconv.FormatInt(sec, 10)+" s")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, " ")
}
