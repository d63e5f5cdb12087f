package contract

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"
	"time"

	"switchyard/unit"
)

// At returns the version in force at t; false before the first, after the last and in a gap.
func (c *Contract) At(t time.Time) (Version, bool) { return c.On(DateOf(t, c.Location())) }

// On returns the version in force on a day.
func (c *Contract) On(day Date) (Version, bool) {
	i := c.index(day)
	if i < 0 {
		return Version{}, false
	}
	return c.Versions[i], true
}

// index returns which version holds on a day; -1: none.
func (c *Contract) index(day Date) int {
	for i := len(c.Versions) - 1; i >= 0; i-- {
		if v := c.Versions[i]; !day.Before(v.From) {
			if !v.To.IsZero() && !day.Before(v.To) {
				return -1
			}
			return i
		}
	}
	return -1
}

// RateOn returns the rent per kW and month of critical load on a day: the version's rate,
// raised by the escalator at each anniversary of Start that has come. The power of the escalator
// is taken from the base each time, exactly, and rounded once to the micro-dollar, so that no
// year's rounding is carried into the next: year n has rate x (1 + escalator)^(n-1). Before Start
// it is the rate itself. Zero where no colocation is sold.
func (v Version) RateOn(day Date) unit.CapacityRate {
	if v.Colocation == nil {
		return 0
	}
	years := int64(day.yearsSince(v.start()))
	e := billionths(v.Colocation.Escalator)
	if years == 0 || e == 0 {
		return v.Colocation.Rate
	}
	years = min(years, lastYear-firstYear)
	num := new(big.Int).Exp(big.NewInt(billionth+e), big.NewInt(years), nil)
	den := new(big.Int).Exp(big.NewInt(billionth), big.NewInt(years), nil)
	return unit.CapacityRate(over(num.Mul(num, big.NewInt(int64(v.Colocation.Rate))), den))
}

// start is when the escalator's first year begins; a Version made by hand may not say.
func (v Version) start() Date {
	if v.Start.IsZero() {
		return v.From
	}
	return v.Start
}

// CriticalOn returns the critical load on which rent is owed on a day: the newest step of the
// ramp, all of it where there is no ramp, nothing before the ramp's first step and where no
// colocation is sold.
func (v Version) CriticalOn(day Date) unit.Power {
	if v.Colocation == nil {
		return 0
	}
	if len(v.Colocation.Steps) == 0 {
		return v.Colocation.Critical
	}
	var p unit.Power
	for _, s := range v.Colocation.Steps {
		if !day.Before(s.From) {
			p = s.Critical
		}
	}
	return p
}

// Piece is rent of days of one month on which the same terms, load and rate hold.
type Piece struct {
	From, To Date // the first day, and the first after the last
	Critical unit.Power
	Rate     unit.CapacityRate
	// Days of the month's Of days: the part of a month's rent that is owed.
	Days, Of int
	// Amount is owed, in micro-dollars, not negative. The pieces of a month sum to the month's
	// exact rent rounded once: each is what the rounded running sum grows by.
	Amount unit.Money
}

// GPUPiece is GPUs reserved in one month under the same terms, owed whether used or not.
type GPUPiece struct {
	From, To Date
	Model    string
	GPUs     int
	Rate     unit.Money // per GPU-hour
	// Held is how long each of the GPUs is held: the real time from From to To, which a change of
	// clocks makes an hour longer or shorter.
	Held   time.Duration
	Amount unit.Money
}

// Hours returns the GPU-hours: GPUs times hours held.
func (p GPUPiece) Hours() float64 { return float64(p.GPUs) * p.Held.Hours() }

// StoragePiece is storage of one month under the same terms, by its days.
type StoragePiece struct {
	From, To Date
	TB       float64
	Rate     unit.Money // per TB and month
	Days, Of int
	Amount   unit.Money
}

// Stretch is the part of a month in which one version holds, with what it makes owed whether
// used or not.
type Stretch struct {
	Version    Version
	From, To   Date
	Start, End time.Time // the moments at which From and To begin
	Space      []Piece
	// Upkeep is the operating costs of a net lease, by the same days as Space.
	Upkeep  []Piece
	GPUs    []GPUPiece
	Storage []StoragePiece
}

// Rent returns what is owed for the stretch whether used or not: rent of critical load, reserved
// GPU-hours and storage. It is what credits and prepayment are shares of. Upkeep is no part of it.
func (s Stretch) Rent() unit.Money {
	var m unit.Money
	for _, p := range s.Space {
		m = add(m, p.Amount)
	}
	for _, p := range s.GPUs {
		m = add(m, p.Amount)
	}
	for _, p := range s.Storage {
		m = add(m, p.Amount)
	}
	return m
}

// Month returns the stretches of a month such as "2026-10", in order; none where nothing is agreed.
func (c *Contract) Month(month string) ([]Stretch, error) {
	first, err := ParseMonth(month)
	if err != nil {
		return nil, err
	}
	return c.stretches(first, first.AddMonths(1)), nil
}

// Rent returns the rent of critical load of a month such as "2026-10" as pieces, in order.
func (c *Contract) Rent(month string) ([]Piece, error) {
	stretches, err := c.Month(month)
	var out []Piece
	for _, s := range stretches {
		out = append(out, s.Space...)
	}
	return out, err
}

// Owed returns what a month such as "2026-10" makes owed whether used or not: the sum of its
// stretches' Rent.
func (c *Contract) Owed(month string) (unit.Money, error) {
	stretches, err := c.Month(month)
	return sum(stretches), err
}

func sum(stretches []Stretch) unit.Money {
	var m unit.Money
	for _, s := range stretches {
		m = add(m, s.Rent())
	}
	return m
}

// Total returns what the contract makes owed whether used or not in its first so many months,
// from the first version's first day: the total contract value that is announced of a lease.
// Power passed through, upkeep, overage and GPU time on demand are no part of it. It is at most
// what Money counts.
func Total(c *Contract, months int) unit.Money {
	if len(c.Versions) == 0 {
		return 0
	}
	from := c.Versions[0].From
	return c.between(from, from.AddMonths(max(months, 0)))
}

// Value returns what the contract makes owed whether used or not until its last version's end;
// zero where it has none.
func (c *Contract) Value() unit.Money {
	n := len(c.Versions)
	if n == 0 || c.Versions[n-1].To.IsZero() {
		return 0
	}
	return c.between(c.Versions[0].From, c.Versions[n-1].To)
}

func (c *Contract) between(from, to Date) unit.Money {
	if end := (Date{lastYear + 1, 1, 1}); end.Before(to) {
		to = end
	}
	var m unit.Money
	for from.Before(to) {
		next := from.firstOfMonth().AddMonths(1)
		if to.Before(next) {
			next = to
		}
		m = add(m, sum(c.stretches(from, next)))
		from = next
	}
	return m
}

// stretches returns the stretches of [from, to), which lie in one month.
func (c *Contract) stretches(from, to Date) []Stretch {
	var out []Stretch
	zone := c.Location()
	rent, upkeep := &running{month: from}, &running{month: from}
	for day := from; day.Before(to); {
		i := c.index(day)
		end := day.AddDays(1)
		for end.Before(to) && c.index(end) == i {
			end = end.AddDays(1)
		}
		if i >= 0 {
			s := Stretch{Version: c.Versions[i], From: day, To: end, Start: day.In(zone), End: end.In(zone)}
			s.fill(rent, upkeep)
			out = append(out, s)
		}
		day = end
	}
	return out
}

// fill reckons what is owed for the stretch.
func (s *Stretch) fill(rent, upkeep *running) {
	v := s.Version
	if v.Colocation != nil {
		rate, year := v.RateOn(s.From), s.From.yearsSince(v.start())
		for day := s.From; day.Before(s.To); day = day.AddDays(1) {
			if y := day.yearsSince(v.start()); y != year {
				rate, year = v.RateOn(day), y
			}
			critical := v.CriticalOn(day)
			if critical == 0 {
				continue
			}
			s.Space = appendDay(s.Space, day, critical, rate)
			if v.Colocation.Upkeep > 0 {
				s.Upkeep = appendDay(s.Upkeep, day, critical, v.Colocation.Upkeep)
			}
		}
		rent.amounts(s.Space)
		upkeep.amounts(s.Upkeep)
	}
	if v.Cloud == nil {
		return
	}
	held := s.End.Sub(s.Start)
	for _, r := range v.Cloud.Reserved {
		amount := over(product(int64(r.Rate), int64(r.GPUs), int64(held)), big.NewInt(int64(time.Hour)))
		s.GPUs = append(s.GPUs, GPUPiece{From: s.From, To: s.To, Model: r.Model, GPUs: r.GPUs, Rate: r.Rate, Held: held, Amount: unit.Money(amount)})
	}
	if t := v.Cloud.Storage; t != nil {
		p := StoragePiece{From: s.From, To: s.To, TB: t.TB, Rate: t.Rate, Days: s.From.Days(s.To), Of: s.From.daysInMonth()}
		const gb = 1000 // storage is counted in whole GB
		p.Amount = unit.Money(over(product(int64(t.Rate), int64(math.Round(t.TB*gb)), int64(p.Days)), product(gb, int64(p.Of))))
		s.Storage = []StoragePiece{p}
	}
}

// appendDay adds a day to the last piece, or begins another.
func appendDay(ps []Piece, day Date, critical unit.Power, rate unit.CapacityRate) []Piece {
	if n := len(ps); n > 0 && ps[n-1].To == day && ps[n-1].Critical == critical && ps[n-1].Rate == rate {
		ps[n-1].To = day.AddDays(1)
		ps[n-1].Days++
		return ps
	}
	return append(ps, Piece{From: day, To: day.AddDays(1), Critical: critical, Rate: rate, Days: 1, Of: day.daysInMonth()})
}

// running is the exact rent of a month so far, and what of it pieces have taken.
type running struct {
	month Date
	exact big.Int // micro-dollars x mW / kW x days
	taken int64
}

// amounts gives each piece what the rounded running sum grows by.
func (r *running) amounts(ps []Piece) {
	den := product(int64(unit.Kilowatt), int64(r.month.daysInMonth()))
	for i := range ps {
		p := &ps[i]
		r.exact.Add(&r.exact, product(int64(p.Rate), int64(p.Critical), int64(p.Days)))
		to := over(&r.exact, den)
		p.Amount = unit.Money(to - r.taken)
		r.taken = to
	}
}

// Models returns the GPU models that the version sells, sorted, each once.
func (v Version) Models() []string {
	if v.Cloud == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, r := range v.Cloud.Reserved {
		seen[r.Model] = true
	}
	for m := range v.Cloud.OnDemand {
		seen[m] = true
	}
	for m := range v.Cloud.Interruptible {
		seen[m] = true
	}
	return slices.SortedFunc(maps.Keys(seen), cmp.Compare[string])
}
