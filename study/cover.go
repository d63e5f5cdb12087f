package study

import (
	"fmt"
	"math"

	"switchyard/study/finance"
)

// cover is how often cash for debt service covers the service due: by month that of the twelve months to
// it, from the twelfth month of service on; least the lowest of them and mean that of all months with service.
// A loan of less than twelve months has its mean as the lowest. NaN: no service is due.
type cover struct {
	by          []float64
	least, mean float64
	below       int // months below the covenant that coverOf was asked for, and the first of them
	first       int
}

const twelve = 12

// coverOf reckons with service from month from on.
func coverOf(cash, due []float64, from int, covenant float64) cover {
	c := cover{by: make([]float64, len(due)), least: math.NaN(), mean: math.NaN(), first: -1}
	var money, owed, allMoney, allOwed float64
	for t := range due {
		c.by[t] = math.NaN()
		if t < from {
			continue
		}
		money, owed = money+cash[t], owed+due[t]
		if t >= from+twelve {
			money, owed = money-cash[t-twelve], owed-due[t-twelve]
		}
		if due[t] <= 0 {
			continue
		}
		allMoney, allOwed = allMoney+cash[t], allOwed+due[t]
		if t >= from+twelve-1 {
			c.see(t, money/owed, covenant)
		}
	}
	if allOwed > 0 {
		c.mean = allMoney / allOwed
		if math.IsNaN(c.least) {
			c.see(from, c.mean, covenant)
			c.by[from] = math.NaN() // it is of no twelve months
		}
	}
	return c
}

func (c *cover) see(t int, ratio, covenant float64) {
	const rounding = 1e-9
	c.by[t] = ratio
	if !(c.least <= ratio) {
		c.least = ratio
	}
	if ratio < covenant-rounding {
		if c.below == 0 {
			c.first = t
		}
		c.below++
	}
}

// covers are an option's or the site's before tax and after it.
type covers struct{ before, after cover }

// coversOf reckons on a project's rows, whose service is due from month from on. What a sale brings is no cash for
// debt service, and bears the tax of its month first.
func coversOf(rows *[finance.Rows][]float64, from int, covenant float64) covers {
	left := make([]float64, len(rows[finance.Due]))
	for t := range left {
		tax := rows[finance.TaxPaid][t] // below zero where it is paid
		if sold := rows[finance.SaleCash][t]; tax < 0 && sold > 0 {
			tax = math.Min(0, tax+sold)
		}
		left[t] = rows[finance.CFADS][t] + tax
	}
	return covers{coverOf(rows[finance.CFADS], rows[finance.Due], from, covenant), coverOf(left, rows[finance.Due], from, covenant)}
}

// siteCovers are those of all that the site does: its cash for debt service, its own costs off, over the service
// of all its loans, from the first month in which any is due.
func siteCovers(s *sheet) covers {
	from := 0
	for from < len(s.rows[finance.Due]) && s.rows[finance.Due][from] <= 0 {
		from++
	}
	return coversOf(&s.rows, from, 0)
}

// ofYears puts the cover of the twelve months to a year's last month of service in the place of the year's.
func (c *cover) ofYears(years []Year) {
	for y := range years {
		delete(years[y].Rows, finance.Cover.Key())
		for t := 12*y + 11; t >= 12*y; t-- {
			if !math.IsNaN(c.by[t]) {
				years[y].Rows[finance.Cover.Key()] = cents(c.by[t])
				break
			}
		}
	}
}

// cover tells what the tax leaves of an option's cover, and that by year; a finding says where it is below the
// covenant, which lenders test before tax.
func (x *expectation) cover(f *future) (out []Finding) {
	e, w, v := x.e, x.w, &f.out
	covenant := e.termsOf(f.candidate).Covenant
	w.run(f.candidate, f.loan, true)
	if w.res.Debt <= 0 {
		return nil
	}
	c := coversOf(&w.res.Row, w.venture.Operate, covenant)
	v.TaxedDSCR, v.TaxedMean = some(c.after.least), some(c.after.mean)
	c.before.ofYears(v.Years)
	if c.after.below == 0 {
		return nil
	}
	return []Finding{{Hall: v.Hall, Option: v.Name, Kind: "covenant", Month: e.month(c.after.first), Text: fmt.Sprintf(
		"after tax, DSCR over twelve months is below the covenant of %.2f in %s, at worst %.3f; before tax, as loans are sized and covenants tested here, it is %.2f at worst",
		covenant, counted(c.after.below, "month", "months"), c.after.least, c.before.least)}}
}

// leastCover is the site's lowest DSCR in the world that w holds, with the loans that the expected case sized.
func (e *engine) leastCover(w *worker, all []future, best choices) *float64 {
	s := e.newSheet()
	for _, c := range best {
		var loan *finance.Loan
		for k := range all {
			if all[k].candidate == c {
				loan = all[k].loan
			}
		}
		w.run(c, loan, true)
		s.add(w.venture, w.res)
		s.add(w.before, w.rest)
	}
	e.fixed(w, e.empty(best), s)
	return some(siteCovers(s).before.least)
}
