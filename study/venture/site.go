package venture

import (
	"fmt"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/power"
	"switchyard/study/world/exact"
)

// Site is a study file, compiled to plain numbers: months counted from the study's first, MW, dollars.
type Site struct {
	months int
	start  figure.Month
	halls  []hall
	tariff *power.Tariff
	hours  []float64 // of each month
	dollar []float64 // what a dollar of Start has become: inflation, in annual steps
	pue    []float64 // of AI halls, by month

	leases map[string]*lease
	clouds map[string]*cloud
	sales  map[string]*sale
	fields map[string]*field
	draws  map[string]*curve // by financing
	usual  curve

	// waits says that halls cannot run before the site's own power comes, in month comes and with
	// chance.
	waits  bool
	comes  int
	chance float64
}

// hall is one that is decided on.
type hall struct {
	id          string
	mw          float64 // of the grid
	critical    float64 // MW once converted
	share       float64 // of the site's fixed-price blocks
	convertible bool
	capex       *figure.Spread[figure.PerMW]
	build       *figure.Spread[figure.Months]
	fleet       *mining.Fleet
}

// New compiles a file that Load has read. An error names what an option lacks.
func New(f *input.File) (*Site, error) {
	s := &Site{
		months: 12 * f.Years, start: f.Start, tariff: power.New(f),
		leases: map[string]*lease{}, clouds: map[string]*cloud{}, sales: map[string]*sale{}, fields: map[string]*field{},
		draws: map[string]*curve{}, usual: curveOf(Draw(nil)),
	}
	inflation := is(f.Inflation, 0)
	for t := range s.months {
		s.hours = append(s.hours, (f.Start + figure.Month(t)).Hours())
		s.dollar = append(s.dollar, exact.Pow(1+float64(inflation), float64(t/12)))
		s.pue = append(s.pue, pueOf(&f.Site, f.Start+figure.Month(t)))
	}
	s.chance = 1
	if f.Site.Status != "" && f.Site.Status != "energised" {
		s.waits, s.comes, s.chance = true, max(int(f.Site.Energised-f.Start), 0), float64(is(f.Site.Chance, 1))
	}
	for i := range f.Halls {
		s.halls = append(s.halls, s.hallOf(f, i))
	}
	for i := range f.Financings {
		c := curveOf(Draw(&f.Financings[i]))
		s.draws[f.Financings[i].ID] = &c
	}
	if err := s.compile(f); err != nil {
		return nil, err
	}
	for i := range f.Options {
		if o := &f.Options[i]; !s.knows(o) {
			return nil, fmt.Errorf("option %q is of kind %q with %q, which the study does not have", o.ID, o.Kind, o.With)
		}
	}
	return s, nil
}

// compile reads what options are with.
func (s *Site) compile(f *input.File) error {
	for i := range f.Leases {
		l, err := s.leaseOf(&f.Leases[i])
		if err != nil {
			return err
		}
		s.leases[f.Leases[i].ID] = l
	}
	for i := range f.Clouds {
		c, err := s.cloudOf(&f.Clouds[i])
		if err != nil {
			return err
		}
		s.clouds[f.Clouds[i].ID] = c
	}
	for i := range f.Sales {
		w, err := saleOf(&f.Sales[i])
		if err != nil {
			return err
		}
		s.sales[f.Sales[i].ID] = w
	}
	for i := range f.Greenfields {
		g, err := s.fieldOf(&f.Greenfields[i])
		if err != nil {
			return err
		}
		s.fields[f.Greenfields[i].ID] = g
	}
	return nil
}

func (s *Site) knows(o *input.Option) bool {
	switch o.Kind {
	case "mine":
		return true
	case "host":
		return s.leases[o.With] != nil
	case "cloud":
		return s.clouds[o.With] != nil
	case "sell":
		return s.sales[o.With] != nil
	case "greenfield":
		return s.fields[o.With] != nil
	}
	return false
}

func (s *Site) hallOf(f *input.File, i int) hall {
	in := &f.Halls[i]
	h := hall{
		id: in.ID, mw: is(in.Power, 0).Megawatts(), share: s.tariff.Share(i), convertible: in.Convertible,
		capex: in.Capex, build: in.Build, fleet: mining.New(f, i, s.tariff),
	}
	if h.critical = is(in.Critical, 0).Megawatts(); in.Critical == nil {
		h.critical = h.mw / meanPUE(&f.Site)
	}
	return h
}

// pueOf is the site's in a month of the calendar.
func pueOf(in *input.Site, m figure.Month) float64 {
	if len(in.PUEByMonth) == 12 {
		return in.PUEByMonth[int(m.Calendar())-1]
	}
	return is(in.PUE, 1)
}

func meanPUE(in *input.Site) float64 {
	if len(in.PUEByMonth) != 12 {
		return is(in.PUE, 1)
	}
	sum := 0.0
	for _, v := range in.PUEByMonth {
		sum += v
	}
	return sum / 12
}

// Fleet is what mines in a hall.
func (s *Site) Fleet(hall int) *mining.Fleet { return s.halls[hall].fleet }

// Months are those in which a hall may begin an option, ascending; nil where it may not take it.
// Mining on begins in month 0.
func (s *Site) Months(o *input.Option, hall int) []int {
	h := &s.halls[hall]
	if !s.allowed(o, h) {
		return nil
	}
	if o.Kind == "mine" {
		return []int{0}
	}
	from, to, every := 0, 60, 6
	if o.From != 0 {
		from = int(o.From - s.start)
	}
	if o.To != 0 {
		to = int(o.To - s.start)
	}
	if o.Every > 0 {
		every = int(o.Every)
	}
	var list []int
	for m := from; m <= to && m < s.months; m += every {
		if m >= 0 {
			list = append(list, m)
		}
	}
	return list
}

func (s *Site) allowed(o *input.Option, h *hall) bool {
	if (o.Kind == "host" || o.Kind == "cloud") && !h.convertible {
		return false
	}
	for _, id := range o.Halls {
		if id == h.id {
			return true
		}
	}
	return len(o.Halls) == 0
}

// is is a figure's value, or other where there is none.
func is[T any](f *figure.Figure[T], other T) T {
	if f == nil {
		return other
	}
	return f.Is
}
