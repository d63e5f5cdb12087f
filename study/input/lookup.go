package input

import (
	"slices"

	"switchyard/study/figure"
)

// Months is how many months the study has.
func (f *File) Months() int { return 12 * f.Years }

// End is the first month after the study.
func (f *File) End() figure.Month { return f.Start + figure.Month(f.Months()) }

// Index is the number of a month from Start; below zero before it, Months and more after the study.
func (f *File) Index(m figure.Month) int { return int(m - f.Start) }

// PUEOf is utility power over critical load in AI halls in a month of the calendar, January being 0.
func (f *File) PUEOf(calendar int) float64 {
	if len(f.Site.PUEByMonth) == 12 {
		return f.Site.PUEByMonth[calendar]
	}
	return f.Site.PUE.Is
}

// HallIndex is the hall's place in Halls; -1 where there is none of the name.
func (f *File) HallIndex(id string) int {
	return slices.IndexFunc(f.Halls, func(h Hall) bool { return h.ID == id })
}

// Lease returns the lease of the name, or nil.
func (f *File) Lease(id string) *Lease {
	return find(f.Leases, func(s *Lease) bool { return s.ID == id })
}

// Cloud returns the GPU cloud of the name, or nil.
func (f *File) Cloud(id string) *Cloud {
	return find(f.Clouds, func(c *Cloud) bool { return c.ID == id })
}

// Sale returns the sale of the name, or nil.
func (f *File) Sale(id string) *Sale { return find(f.Sales, func(s *Sale) bool { return s.ID == id }) }

// Greenfield returns the greenfield of the name, or nil.
func (f *File) Greenfield(id string) *Greenfield {
	return find(f.Greenfields, func(g *Greenfield) bool { return g.ID == id })
}

// Financing returns the financing of the name, or nil, which is equity alone.
func (f *File) Financing(id string) *Financing {
	return find(f.Financings, func(n *Financing) bool { return n.ID == id })
}

// Option returns the option of the name, or nil.
func (f *File) Option(id string) *Option {
	return find(f.Options, func(o *Option) bool { return o.ID == id })
}

func find[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}
