package page

import (
	"strings"

	"switchyard/study"
)

// evenRow is one figure at which an option breaks even.
type evenRow struct {
	ID, Hall, Title, Of, Now     string
	Nothing, Alternative, Mining string
	Rival                        string // the best alternative in the expected case
	First                        bool   // of its option's
}

// evens are the break-evens of what is chosen, and of the other options.
func evens(r *study.Report) (chosen, others []evenRow) {
	for k, o := range r.Options {
		x := rowOf(r, o)
		var rows []evenRow
		for _, b := range o.Breakevens {
			at := -1
			for i := range rows {
				if rows[i].Of == b.Of {
					at = i
				}
			}
			if at < 0 {
				at = len(rows)
				rows = append(rows, evenRow{
					ID: optionID(k), Hall: o.Hall, Title: x.Title, Of: b.Of, Now: cents(b.Now) + " " + b.Unit,
					Nothing: none, Alternative: none, Mining: none, First: at == 0,
				})
			}
			// Its unit stands beside what is expected.
			text := strings.ReplaceAll(b.Text, " "+b.Unit, "")
			switch row := &rows[at]; b.Against {
			case study.AgainstNothing:
				row.Nothing = text
			case study.AgainstAlternative:
				row.Alternative, row.Rival = text, b.Alternative
			case study.AgainstMining:
				row.Mining = text
			}
		}
		if x.Chosen {
			chosen = append(chosen, rows...)
		} else {
			others = append(others, rows...)
		}
	}
	return chosen, others
}
