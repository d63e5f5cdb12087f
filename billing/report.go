package billing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"switchyard/ledger"
	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Report is the profit and loss of a time, usually a day. The halls' energies, the named
// losses and the remainder sum to Energy exactly.
type Report struct {
	Date     string // "2026-01-31"
	Zone     string
	From, To time.Time
	// Complete says that every interval is in the record and posted.
	Complete bool
	Energy   unit.Energy // through the connection's meter
	Halls    []Hall
	Losses   []Loss
	// Remainder is what the connection metered and neither a hall nor a named loss used.
	Remainder     unit.Energy
	RemainderCost unit.Money
	Cost          unit.Money // energy and penalties, all halls and the remainder
	Revenue       unit.Money // mining and hosting
	Profit        unit.Money
	// Intervals are in the record, Expected make up the time.
	Intervals, Expected int
	Pending             int // intervals that wait for a price
	Short               unit.Energy
	Notes               []string // what a reader must know: gaps, pending prices, estimates
}

// Hall is one line of the report. All money is positive in the sense of its name.
type Hall struct {
	ID, Name   string
	Energy     unit.Energy // metered into the hall, less what flowed on to other nodes
	Losses     unit.Energy // its part of the named losses above it; its cost is in EnergyCost
	Mining     unit.Money
	Hosting    unit.Money
	EnergyCost unit.Money
	Penalty    unit.Money
	Profit     unit.Money
	PerMWh     unit.Price // profit per MWh of Energy; zero if it used none
	Quality    string     // "measured", or how many of its intervals were not
}

// Loss is the named loss of one node.
type Loss struct {
	Node, Name string
	Energy     unit.Energy
}

// RemainderPercent is the remainder's share of the energy, in per cent; zero if there was none.
func (r Report) RemainderPercent() float64 {
	if r.Energy == 0 {
		return 0
	}
	return 100 * float64(r.Remainder) / float64(r.Energy)
}

// DayReport reports one day, in the contracts' time zone.
func (b *Book) DayReport(ctx context.Context, year int, month time.Month, day int) (Report, error) {
	from := time.Date(year, month, day, 0, 0, 0, 0, b.c.Zone)
	return b.Report(ctx, from, time.Date(year, month, day+1, 0, 0, 0, 0, b.c.Zone))
}

// Report reports [from, to), which lie on interval boundaries.
func (b *Book) Report(ctx context.Context, from, to time.Time) (Report, error) {
	r := Report{
		Date: from.In(b.c.Zone).Format(time.DateOnly), Zone: b.c.Zone.String(), From: from.UTC(), To: to.UTC(),
		Expected: int(to.Sub(from) / telemetry.Length),
	}
	err := b.db.View(ctx, func(t *store.Tx) error {
		s := &sheet{lines: map[string]*Hall{}, quality: map[string]*[3]int{}}
		for i := range b.c.Tree.Len() {
			if n := b.c.Tree.Node(i); b.l.hall[i] {
				s.hall(string(n.ID)).Name = n.Name
			}
		}
		if err := s.energies(t, &r, b.c.Tree); err != nil {
			return err
		}
		if err := s.money(t, &r); err != nil {
			return err
		}
		s.finish(&r)
		return b.notes(t, &r, s)
	})
	if err != nil {
		return Report{}, fmt.Errorf("report %s: %w", r.Date, err)
	}
	return r, nil
}

// Profit returns what was posted for [from, to): income less energy and penalties.
func (b *Book) Profit(ctx context.Context, from, to time.Time) (unit.Money, error) {
	var sum unit.Money
	err := b.db.View(ctx, func(t *store.Tx) error {
		sum = 0
		for _, prefix := range []string{"income", "expense"} {
			sums, err := ledger.SumsIn(t, prefix, from, to)
			if err != nil {
				return err
			}
			for _, s := range sums {
				sum -= s.Amount
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("profit: %w", err)
	}
	return sum, nil
}

// sheet gathers the halls of a report, those of the tree in its order and then whichever
// else the record knows.
type sheet struct {
	order   []string
	lines   map[string]*Hall
	quality map[string]*[3]int // intervals by quality
	meter   [3]int             // of the connection
}

func (s *sheet) hall(id string) *Hall {
	h := s.lines[id]
	if h == nil {
		h = &Hall{ID: id, Name: id}
		s.lines[id] = h
		s.quality[id] = &[3]int{}
		s.order = append(s.order, id)
	}
	return h
}

func (s *sheet) energies(t *store.Tx, r *Report, tree *site.Tree) error {
	if err := t.QueryRow("SELECT COUNT(*), COUNT(CASE WHEN energy_posted = 0 OR mining_posted = 0 THEN 1 END) FROM billing_close WHERE start >= ? AND start < ?",
		r.From.Unix(), r.To.Unix()).Scan(&r.Intervals, &r.Pending); err != nil {
		return err
	}
	rows, err := t.Query(`SELECT kind, name, quality, COUNT(*), SUM(energy), SUM(share) FROM billing_use
		WHERE start >= ? AND start < ? GROUP BY kind, name, quality ORDER BY kind, name, quality`, r.From.Unix(), r.To.Unix())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	losses := map[string]int{}
	for rows.Next() {
		var kind, name string
		var q, n int
		var energy, share unit.Energy
		if err := rows.Scan(&kind, &name, &q, &n, (*int64)(&energy), (*int64)(&share)); err != nil {
			return err
		}
		switch kind {
		case useConnection:
			r.Energy += energy
			s.meter[quality(q)] += n
		case useRemainder:
			r.Remainder += energy
		case useHall:
			h := s.hall(name)
			h.Energy += energy
			h.Losses += share - energy
			s.quality[name][quality(q)] += n
		case useLoss:
			i, ok := losses[name]
			if !ok {
				i = len(r.Losses)
				losses[name] = i
				r.Losses = append(r.Losses, Loss{Node: name, Name: nodeTitle(tree, name)})
			}
			r.Losses[i].Energy += energy
		}
	}
	return rows.Err()
}

func nodeTitle(tree *site.Tree, id string) string {
	if i, ok := tree.Index(site.NodeID(id)); ok && tree.Node(i).Name != "" {
		return tree.Node(i).Name
	}
	return id
}

// money reads the ledger: it alone says what was earned and spent.
func (s *sheet) money(t *store.Tx, r *Report) error {
	byPart := map[string]string{}
	for _, id := range s.order {
		byPart[part(id)] = id
	}
	line := func(account, prefix string) *Hall {
		p, _, _ := strings.Cut(strings.TrimPrefix(account, prefix), ":")
		if id, ok := byPart[p]; ok {
			return s.hall(id)
		}
		return s.hall(p)
	}
	for _, top := range []string{"income", "expense"} {
		sums, err := ledger.SumsIn(t, top, r.From, r.To)
		if err != nil {
			return err
		}
		for account, sum := range sums {
			switch {
			case strings.HasPrefix(account, accountMining):
				line(account, accountMining).Mining -= sum.Amount
			case strings.HasPrefix(account, accountHosting):
				line(account, accountHosting).Hosting -= sum.Amount
			case strings.HasPrefix(account, accountEnergy):
				line(account, accountEnergy).EnergyCost += sum.Amount
			case strings.HasPrefix(account, accountPenalty):
				line(account, accountPenalty).Penalty += sum.Amount
				r.Short += sum.Energy
			case account == accountRemainder:
				r.RemainderCost += sum.Amount
			}
			if top == "income" {
				r.Revenue -= sum.Amount
			} else {
				r.Cost += sum.Amount
			}
		}
	}
	r.Profit = r.Revenue - r.Cost
	return nil
}

func (s *sheet) finish(r *Report) {
	for _, id := range s.order {
		h := s.lines[id]
		h.Profit = h.Mining + h.Hosting - h.EnergyCost - h.Penalty
		h.PerMWh = perMWh(h.Profit, h.Energy)
		h.Quality = describe(*s.quality[id])
		r.Halls = append(r.Halls, *h)
	}
}

func perMWh(m unit.Money, e unit.Energy) unit.Price {
	if e <= 0 {
		return 0
	}
	return unit.DollarsPerMWh(m.Dollars() / e.MegawattHours())
}

func describe(n [3]int) string {
	all := n[0] + n[1] + n[2]
	switch {
	case all == 0:
		return "no record"
	case n[site.Measured] == all:
		return "measured"
	}
	var parts []string
	for _, q := range []site.Quality{site.Estimated, site.Missing} {
		if n[q] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d of %d", q, n[q], all))
		}
	}
	return strings.Join(parts, ", ")
}

const maxNotes = 12

func (b *Book) notes(t *store.Tx, r *Report, s *sheet) error {
	have, err := closes(t, r.From, r.To)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	gaps := runs("", have, nil, r.From, r.To)
	for i, g := range gaps {
		if g.From.Equal(r.From) && g.To.Equal(r.To) {
			note("no record of any of it")
			break
		}
		if i == maxNotes {
			note("and %d more gaps in the record", len(gaps)-i)
			break
		}
		note("no record from %s to %s", b.clockTime(g.From), b.clockTime(g.To))
	}
	if r.Pending > 0 {
		note("waiting for a price, and not yet in the money above: %d of %d intervals", r.Pending, r.Intervals)
	}
	if q := describe(s.meter); q != "measured" && q != "no record" {
		note("the connection's meter: %s intervals", q)
	}
	if err := b.unread(t, r, note); err != nil {
		return err
	}
	if n := s.meter[site.Missing]; n > 0 {
		note("energy of a missing interval appears once the meter's register is read again; until then the remainder is less by it")
	}
	r.Complete = len(gaps) == 0 && r.Pending == 0 && r.Intervals == r.Expected
	return nil
}

// unread notes the groups whose devices were out of sight for a hundredth of their time or more.
func (b *Book) unread(t *store.Tx, r *Report, note func(string, ...any)) error {
	for _, g := range b.c.Groups {
		var missing, whole float64
		if err := t.QueryRow(`SELECT COALESCE(SUM(missing), 0), COALESCE(SUM(measured + estimated + missing), 0) FROM billing_interval
			WHERE subject = ? AND start >= ? AND start < ?`, g.ID, r.From.Unix(), r.To.Unix()).Scan(&missing, &whole); err != nil {
			return err
		}
		if whole > 0 && missing >= whole/100 {
			note("%s: %.1f %% of its devices' time told no power; its meter has it all the same", g.ID, 100*missing/whole)
		}
	}
	return nil
}

func (b *Book) clockTime(t time.Time) string { return t.In(b.c.Zone).Format("15:04") }

func closes(t *store.Tx, from, to time.Time) (map[int64]bool, error) {
	rows, err := t.Query("SELECT start FROM billing_close WHERE start >= ? AND start < ?", from.Unix(), to.Unix())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	have := map[int64]bool{}
	for rows.Next() {
		var s int64
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		have[s] = true
	}
	return have, rows.Err()
}
