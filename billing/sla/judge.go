package sla

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// overshoot is how much more than the right's power a curtailment may have taken back and still
// be the right's: what meters and ramps make of an order, not a bargain.
const overshoot = 0.01

// rightUse is how the year's right was used.
type rightUse struct {
	before, used, beyond time.Duration
	consented            []level // all that was consented to, within the assessed time
}

// judge says of each event whether it is excluded and why, and makes of all together the times
// that are.
func (a *assessor) judge() {
	type judged struct {
		usage.Event
		at       span // clipped to what is assessed
		excluded bool
		why      string
	}
	var events []judged
	var maintenance, curtailment, dark, dim, told []span
	var powers, lacking []level
	year := a.year()
	for _, e := range a.in.Events {
		ok, why := a.excludes(e)
		whole := span{e.From, e.To}
		if e.To.IsZero() || e.To.After(a.all.to) {
			whole.to = a.all.to // it goes on
		}
		at := whole.clip(a.all)
		if ok && e.Kind == usage.Curtailment { // earlier ones have used the right
			curtailment = append(curtailment, whole.clip(span{year, a.all.to}))
		}
		if !at.from.Before(at.to) {
			continue
		}
		switch e.Kind {
		case usage.Outage:
			dark = append(dark, at)
		case usage.Brownout:
			dim = append(dim, at)
			lacking = append(lacking, level{at, lacks(e)})
		case usage.Maintenance:
			dark = append(dark, at)
			if ok {
				maintenance = append(maintenance, at)
			}
		case usage.Curtailment:
			dim = append(dim, at)
			if e.Consented != "" {
				a.right.consented = append(a.right.consented, level{at, int64(max(e.Power, 0))})
			}
			if ok {
				powers = append(powers, level{at, int64(max(e.Power, 0))})
			} else {
				lacking = append(lacking, level{at, lacks(e)})
			}
		}
		events = append(events, judged{e, at, ok, why})
		told = append(told, at)
	}
	a.told = union(told...)
	a.maintained = union(maintenance...)
	if most := a.in.SLA.Maintenance; most > 0 {
		a.maintained = a.maintained.first(most)
	}
	allowed := a.withinRight(union(curtailment...))
	// What an outage took does not become a curtailment by one being on at the time.
	a.dark = union(dark...).minus(a.maintained)
	a.curtailed = allowed.minus(a.maintained).minus(a.dark)
	a.dim = union(dim...).minus(a.maintained).minus(a.dark).minus(a.curtailed)
	for _, e := range events {
		a.f.Evidence = append(a.f.Evidence, a.line(e.Event, e.at, e.excluded, e.why, allowed))
	}
	slices.SortStableFunc(a.f.Evidence, func(x, y Line) int {
		return cmp.Or(x.Start.Compare(y.Start), x.End.Compare(y.End), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Power, y.Power),
			cmp.Compare(x.Ref, y.Ref), cmp.Compare(x.Why, y.Why))
	})
	a.excused = within(powers, a.curtailed)
	a.lacking = within(lacking, a.dim)
}

// lacks is the power that an event tells of; all there is where it does not say.
func lacks(e usage.Event) int64 {
	if e.Power <= 0 {
		return math.MaxInt64
	}
	return int64(e.Power)
}

// year returns when the calendar year of the month began, in the contract's zone.
func (a *assessor) year() time.Time {
	zone := a.in.Zone
	if zone == nil {
		zone = time.UTC
	}
	return contract.Date{Year: contract.DateOf(a.in.From, zone).Year, Month: time.January, Day: 1}.In(zone)
}

// withinRight bounds curtailment of the year to the right, the earliest first, notes how it was
// used, and returns what of it lies in the assessed time.
func (a *assessor) withinRight(curtailment spans) spans {
	var within spans
	for _, r := range a.rights() {
		part := curtailment
		if r.curtail != nil {
			part = curtailment.first(r.curtail.Hours)
		}
		within = within.or(part.and(spans{r.span}))
	}
	a.right.used = within.in(a.all)
	a.right.before = within.length() - a.right.used
	a.right.beyond = curtailment.in(a.all) - a.right.used
	return within.and(spans{a.all})
}

// inForce is a right, or none, for as long as it holds.
type inForce struct {
	span
	curtail *contract.Curtail
}

// rights are what holds from the calendar year's beginning to the end of what is assessed.
func (a *assessor) rights() []inForce {
	out := []inForce{{span{a.year(), a.all.to}, a.in.Curtail}}
	for _, r := range a.in.Later {
		out[len(out)-1].to = r.From
		out = append(out, inForce{span{r.From, a.all.to}, r.Curtail})
	}
	return out
}

// rightAt is the right that holds at a time.
func (a *assessor) rightAt(t time.Time) *contract.Curtail {
	c := a.in.Curtail
	for _, r := range a.in.Later {
		if !t.Before(r.From) {
			c = r.Curtail
		}
	}
	return c
}

// excludes says whether an event is of a kind, and was done in a way, that the contract
// excludes; and why, or why not.
func (a *assessor) excludes(e usage.Event) (bool, string) {
	switch e.Kind {
	case usage.Maintenance:
		return a.excludesMaintenance(e)
	case usage.Curtailment:
		return a.excludesCurtailment(e)
	case usage.Outage:
		return false, "counts as down, as far as the meter shows it"
	case usage.Brownout:
		return false, fmt.Sprintf("counts where less than %v of what was wanted was delivered", a.in.SLA.Delivered)
	}
	return false, "counts by what its intervals show: the power delivered of what was wanted"
}

func (a *assessor) excludesMaintenance(e usage.Event) (bool, string) {
	if !slices.Contains(a.in.SLA.Excluded, contract.AnnouncedMaintenance) {
		return false, "counts: the contract does not exclude maintenance"
	}
	if e.Announced.IsZero() {
		return false, "counts: it was not announced"
	}
	notice, needed := e.From.Sub(e.Announced), a.in.SLA.Notice
	if notice < needed || notice < 0 {
		return false, fmt.Sprintf("counts: announced %s before, and %s is needed", strictyaml.Duration(max(notice, 0).Round(time.Second)), strictyaml.Duration(needed))
	}
	return true, fmt.Sprintf("excluded: maintenance announced %s before", strictyaml.Duration(notice.Round(time.Second)))
}

func (a *assessor) excludesCurtailment(e usage.Event) (bool, string) {
	if !slices.Contains(a.in.SLA.Excluded, contract.ConsentedCurtailment) {
		return false, "counts: the contract does not exclude curtailment"
	}
	if e.Consented == "" {
		return false, "counts: the tenant did not consent to it"
	}
	c := a.rightAt(e.From)
	if c == nil {
		return true, "excluded: " + e.Consented
	}
	if most := c.Power + c.Power.Scale(overshoot); e.Power > most {
		return false, fmt.Sprintf("counts: %v was taken back, and the right is to %v", e.Power, c.Power)
	}
	notice := "notice not recorded"
	if !e.Announced.IsZero() {
		told := e.From.Sub(e.Announced)
		notice = "told " + strictyaml.Duration(max(told, 0).Round(time.Second)) + " before"
		if told < c.Notice {
			return false, fmt.Sprintf("counts: %s, and %s is needed", notice, strictyaml.Duration(c.Notice))
		}
	}
	if c.Notice == 0 {
		return true, "excluded: " + e.Consented
	}
	return true, fmt.Sprintf("excluded: %s, %s", e.Consented, notice)
}

// line makes an event evidence.
func (a *assessor) line(e usage.Event, at span, excluded bool, why string, within spans) Line {
	l := Line{Event: e, Start: at.from, End: at.to, Verdict: why}
	if !excluded {
		return l
	}
	of := a.maintained
	l.Cause = contract.AnnouncedMaintenance
	bound := "the month's " + strictyaml.Duration(a.in.SLA.Maintenance) + " of maintenance"
	if e.Kind == usage.Curtailment {
		of, l.Cause = within, contract.ConsentedCurtailment
		if c := a.rightAt(at.from); c != nil {
			bound = "the year's right of " + strictyaml.Duration(c.Hours)
		}
	}
	l.Excluded = of.in(at)
	switch over := at.length() - l.Excluded; {
	case l.Excluded == 0:
		l.Cause, l.Verdict = "", "counts: beyond "+bound
	case over > 0:
		l.Verdict = fmt.Sprintf("%s; %s of it counts, beyond %s", why, Minutes(over), bound)
	}
	return l
}

// curtailment says how the right was used and what is owed for energy not drawn.
func (a *assessor) curtailment() {
	consented := highest(a.right.consented)
	rights := a.rights()
	if len(consented) == 0 && !slices.ContainsFunc(rights, func(r inForce) bool { return r.curtail != nil }) {
		return
	}
	c := Curtailed{Before: a.right.before, Used: a.right.used, Beyond: a.right.beyond}
	for _, r := range rights {
		var energy unit.Energy
		for _, l := range consented {
			energy += unit.Power(l.power).Over(max(l.clip(r.span).length(), 0))
		}
		c.NotDrawn += energy
		if r.curtail != nil {
			c.Right = r.curtail.Hours
			c.Payment += r.curtail.CurtailmentPayment(energy)
		}
	}
	a.f.Curtailed = &c
}

// Text prints the evidence as one sentence in the zone: when, what, how much, why, the verdict
// and where to look it up.
func (l Line) Text(zone *time.Location) string {
	const form = "2006-01-02 15:04:05 MST"
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s", l.Kind, l.Start.In(zone).Format(form), l.End.In(zone).Format(form))
	if l.Power > 0 {
		fmt.Fprintf(&b, ", %s not delivered", l.Power.Short())
	}
	if l.Why != "" {
		fmt.Fprintf(&b, ": %s", strings.TrimSuffix(l.Why, "."))
	}
	fmt.Fprintf(&b, " (%s", l.Verdict)
	if l.Ref != "" {
		fmt.Fprintf(&b, "; %s", l.Ref)
	}
	return b.String() + ")"
}
