package outlook

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"switchyard/unit"
)

const (
	weekHours   = 7 * 24
	weeksKept   = 8   // of each hour of the week
	risesKept   = 336 // a fortnight of hours
	upper       = 0.95
	evidence    = 24 // hours before anything is said
	maxLead     = 24 // hours beyond which a rise is as from any time
	priorCount  = 24 // hours that the belief in persistence counts as
	priorStays  = 0.9
	staleSample = 30 * time.Minute // after which a reading tells nothing of the hours between
)

// Profile learns a tenant's draw from readings: the mean and the highest of each hour of the
// week, how long a deviation from them lasts, and how far the draw rises within hours. It
// keeps a bounded amount and is serialised as JSON.
type Profile struct {
	zone *time.Location
	hour hourSum // that is being filled
	// weeks are the last weeks' hours by hour of the week, oldest first.
	weeks [weekHours][]hourStat
	last  []hourStat // the newest hours, oldest first
	seen  int
	// cross and square sum deviations from the mean with those an hour later.
	cross, square float64
	usual         float64 // mean of all hours, forgetting
	sorted        []float64
	rises         map[int]float64 // upper quantile by hours ahead, computed when asked
}

type hourSum struct {
	Start  time.Time  `json:"start"`
	Last   time.Time  `json:"last"`
	Energy float64    `json:"energy"` // W x s
	For    float64    `json:"for"`    // s
	High   unit.Power `json:"high"`
	Newest unit.Power `json:"newest"`
}

// hourStat is one whole hour.
type hourStat struct {
	At   int64      `json:"at"` // hours since 1970
	Mean unit.Power `json:"mean"`
	High unit.Power `json:"high"`
}

// NewProfile makes a Profile; hours of the week are in the zone.
func NewProfile(zone *time.Location) *Profile {
	if zone == nil {
		zone = time.UTC
	}
	return &Profile{zone: zone}
}

// Observe takes in one reading. Readings come in time's order; an older one is ignored.
func (p *Profile) Observe(at time.Time, draw unit.Power) {
	draw = max(draw, 0)
	h := &p.hour
	if !at.After(h.Last) {
		return
	}
	gap := at.Sub(h.Last)
	start := at.Truncate(time.Hour)
	if !h.Start.Equal(start) {
		if !h.Start.IsZero() && gap <= staleSample {
			h.add(h.Start.Add(time.Hour).Sub(h.Last), h.Newest)
		}
		p.close()
		p.hour = hourSum{Start: start, Last: at, High: draw, Newest: draw}
		if gap <= staleSample {
			p.hour.add(at.Sub(start), h.Newest)
		}
		p.hour.Newest = draw
		return
	}
	if gap <= staleSample {
		h.add(gap, h.Newest)
	}
	h.Last, h.Newest, h.High = at, draw, max(h.High, draw)
}

func (h *hourSum) add(d time.Duration, p unit.Power) {
	if d > 0 {
		h.Energy += p.Watts() * d.Seconds()
		h.For += d.Seconds()
	}
}

// close takes up the hour that is being filled, if most of it was seen.
func (p *Profile) close() {
	h := p.hour
	if h.For < 1800 {
		return
	}
	s := hourStat{At: h.Start.Unix() / 3600, Mean: unit.Watts(h.Energy / h.For), High: h.High}
	if n := len(p.last); n > 0 && p.last[n-1].At == s.At-1 {
		before := p.last[n-1]
		x := before.Mean.Watts() - p.mean(before.At).Watts()
		y := s.Mean.Watts() - p.mean(s.At).Watts()
		p.cross = p.cross*0.998 + x*y
		p.square = p.square*0.998 + x*x
	}
	p.seen++
	p.usual += (s.Mean.Watts() - p.usual) / float64(min(p.seen, weekHours))
	slot := &p.weeks[p.slot(s.At)]
	*slot = append(*slot, s)
	if len(*slot) > weeksKept {
		*slot = slices.Delete(*slot, 0, 1)
	}
	p.last = append(p.last, s)
	if len(p.last) > risesKept {
		p.last = slices.Delete(p.last, 0, 1)
	}
	p.rises = nil
}

// slot is the hour of the week of an hour since 1970.
func (p *Profile) slot(hour int64) int {
	t := time.Unix(hour*3600, 0).In(p.zone)
	return int(t.Weekday())*24 + t.Hour()
}

// mean is what is usual in an hour: the mean of the last weeks' same hours, drawn towards
// the mean of all the more the fewer there are.
func (p *Profile) mean(hour int64) unit.Power {
	sum := p.usual
	s := p.weeks[p.slot(hour)]
	for _, x := range s {
		sum += x.Mean.Watts()
	}
	return unit.Watts(sum / float64(len(s)+1))
}

// stays is the share of a deviation that is left an hour later.
func (p *Profile) stays() float64 {
	unitSquare := 1.0
	if p.square > 0 && len(p.last) > 0 {
		unitSquare = p.square / float64(len(p.last))
	}
	r := (p.cross + priorCount*priorStays*unitSquare) / (p.square + priorCount*unitSquare)
	return min(max(r, 0), 0.999)
}

// Ready says whether enough was seen to expect anything.
func (p *Profile) Ready() bool { return p.seen >= evidence }

// Expect returns what the tenant is expected to draw in the mean over [from, to), and what it
// stays below with a chance of about 95 per cent, given its draw now. Before a day of
// readings the mean is the draw now, and the bound is as far off as can be: the caller holds
// it to the contract.
func (p *Profile) Expect(now time.Time, draw unit.Power, from, to time.Time) (mean, most unit.Power) {
	if !p.Ready() {
		return draw, unit.Power(math.MaxInt64 / 4)
	}
	at := from.Add(to.Sub(from) / 2)
	lead := max(at.Sub(now).Hours(), 0)
	left := math.Pow(p.stays(), lead)
	hour := at.Unix() / 3600
	usual := p.mean(hour)
	mean = max(usual+(draw-p.mean(now.Unix()/3600)).Scale(left), 0)
	near := draw.Watts() + p.rise(int(math.Ceil(to.Sub(now).Hours())))
	far := p.high(hour)
	most = unit.Watts(left*near + (1-left)*max(far, usual.Watts()))
	return mean, max(most, mean)
}

// high is what the hours around an hour of the week stayed below in the last weeks, by their
// highest readings.
func (p *Profile) high(hour int64) float64 {
	all := p.sorted[:0]
	for d := int64(-1); d <= 1; d++ {
		for _, x := range p.weeks[p.slot(hour+d)] {
			all = append(all, x.High.Watts())
		}
	}
	if len(all) < 6 { // too few of this hour: any hour may come
		for _, x := range p.last {
			all = append(all, x.High.Watts())
		}
	}
	p.sorted = all
	return quantile(all, upper)
}

// rise is how far above an hour's mean the highest of the hours up to lead later stayed.
func (p *Profile) rise(lead int) float64 {
	lead = min(max(lead, 1), maxLead)
	if v, ok := p.rises[lead]; ok {
		return v
	}
	var all []float64
	for i := range p.last {
		high := 0.0
		for j := i; j < len(p.last) && p.last[j].At-p.last[i].At <= int64(lead); j++ {
			high = max(high, p.last[j].High.Watts()-p.last[i].Mean.Watts())
		}
		all = append(all, high)
	}
	if p.rises == nil {
		p.rises = map[int]float64{}
	}
	p.rises[lead] = quantile(all, upper)
	return p.rises[lead]
}

// quantile sorts the figures and returns the one at share q, the next higher if it lies between two.
func quantile(all []float64, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(math.Ceil(q*float64(len(all)))), len(all)-1)]
}

type profileWire struct {
	Version int          `json:"version"`
	Hour    hourSum      `json:"hour"`
	Weeks   [][]hourStat `json:"weeks"`
	Last    []hourStat   `json:"last"`
	Seen    int          `json:"seen"`
	Cross   float64      `json:"cross"`
	Square  float64      `json:"square"`
	Usual   float64      `json:"usual"`
}

// MarshalJSON writes what was learned.
func (p *Profile) MarshalJSON() ([]byte, error) {
	return json.Marshal(profileWire{1, p.hour, p.weeks[:], p.last, p.seen, p.cross, p.square, p.usual})
}

// UnmarshalJSON takes up what was learned before a restart; the zone stays as it is.
func (p *Profile) UnmarshalJSON(b []byte) error {
	var w profileWire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("read a tenant's profile: %w", err)
	}
	if w.Version != 1 || len(w.Weeks) != weekHours || len(w.Last) > risesKept || w.Seen < 0 {
		return fmt.Errorf("read a tenant's profile: version %d with %d hours of a week and %d hours is not one", w.Version, len(w.Weeks), len(w.Last))
	}
	for _, s := range w.Weeks {
		if len(s) > weeksKept {
			return fmt.Errorf("read a tenant's profile: %d weeks of an hour, %d are kept", len(s), weeksKept)
		}
	}
	zone := p.zone
	if zone == nil {
		zone = time.UTC
	}
	*p = Profile{zone: zone, hour: w.Hour, last: w.Last, seen: w.Seen, cross: w.Cross, square: w.Square, usual: w.Usual}
	copy(p.weeks[:], w.Weeks)
	return nil
}
