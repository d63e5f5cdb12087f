package curtail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Curtailments returns all there is, of one tenant or of all.
func (c *Curtail) Curtailments(tenant string) (api.CurtailmentsView, error) {
	now := c.opt.Clock.Now()
	v := api.CurtailmentsView{At: now}
	if _, ok := c.tenant(tenant); !ok && tenant != "" {
		return v, fmt.Errorf("hosted tenant %q: %w", tenant, api.ErrNotFound)
	}
	for i := range c.opt.Plant.Tenants {
		t := &c.opt.Plant.Tenants[i]
		if has, ok := c.rightOf(t, now); ok && (tenant == "" || tenant == t.ID) {
			c.mu.Lock()
			left := max(has.Hours-c.used(t.ID, now), 0)
			c.mu.Unlock()
			v.Rights = append(v.Rights, api.RightView{
				Tenant: t.ID, Name: t.Name, PowerW: has.Power.Watts(), NoticeS: has.Notice.Seconds(), TotalS: has.Hours.Seconds(), LeftS: left.Seconds(),
				PriceUSD: has.Price.DollarsPerMWh(), Call: has.call,
			})
		}
	}
	for _, k := range c.proposed(now) {
		if tenant == "" || tenant == k.Tenant {
			v.Proposed = append(v.Proposed, c.viewProposed(&k, now))
		}
	}
	for _, k := range c.thisYear(now) {
		if tenant == "" || tenant == k.Tenant {
			v.Calls = append(v.Calls, c.view(&k, now))
		}
	}
	return v, nil
}

// thisYear are the calls that reach into the calendar year or beyond it, newest first.
func (c *Curtail) thisYear(now time.Time) []Call {
	y, _, _ := now.In(c.opt.Plant.Zone).Date()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Call
	for i := range c.calls {
		if z, _, _ := c.calls[i].To.In(c.opt.Plant.Zone).Date(); z >= y {
			out = append(out, c.calls[i])
		}
	}
	slices.SortStableFunc(out, func(a, b Call) int { return b.From.Compare(a.From) })
	return out
}

// Standing returns the calls that a tenant is to follow now or later, the next first, without who
// called them: what its page and its feed show.
func (c *Curtail) Standing(tenant string) []api.CurtailmentView {
	now := c.opt.Clock.Now()
	var out []api.CurtailmentView
	for _, k := range slices.Backward(c.thisYear(now)) {
		if k.Tenant == tenant && k.Withdrawn.IsZero() && now.Before(k.To) {
			v := c.view(&k, now)
			v.By = ""
			out = append(out, v)
		}
	}
	return out
}

// Due returns what the schedule would call and a person has to decide on soon, by tenant: a
// sentence for the shift.
func (c *Curtail) Due(now time.Time) map[string]string {
	const soon = time.Hour
	out := map[string]string{}
	for _, k := range c.proposed(now) {
		if _, told := out[k.Tenant]; !told && k.mode == sitefile.CallAsk && !k.by.After(now.Add(soon)) {
			out[k.Tenant] = c.viewProposed(&k, now).Text
		}
	}
	return out
}

// viewProposed shows what the schedule would call.
func (c *Curtail) viewProposed(k *proposal, now time.Time) api.CurtailmentView {
	v := c.view(&k.Call, now)
	v.State, v.CallBy = "proposed", &k.by
	v.Text = fmt.Sprintf("The schedule would have %s draw %s less from %s to %s", v.Name, k.Power.Short(), c.clockTime(k.From, now), c.clockTime(k.To, now))
	if k.mode == sitefile.CallAuto {
		v.Text += ": it is called by itself when its notice comes due."
	} else {
		v.Text += ": call it by " + c.clockTime(k.by, now) + "."
	}
	return v
}

// view shows a call.
func (c *Curtail) view(k *Call, now time.Time) api.CurtailmentView {
	v := api.CurtailmentView{
		ID: k.ID, Tenant: k.Tenant, Name: k.Tenant, State: k.state(now), From: k.From, To: k.To, PowerW: k.Power.Watts(), PriceUSD: k.PriceUSD,
		By: k.By, Why: k.Why, Consent: k.Consent, Told: moment(k.Told), Seen: moment(k.Seen), Withdrawn: moment(k.Withdrawn),
	}
	if t, ok := c.tenant(k.Tenant); ok {
		v.Name = t.Name
	}
	if k.Baseline >= 0 {
		base, down := unit.Power(k.Baseline).Watts(), max(unit.Power(k.Baseline)-k.Power, 0).Watts()
		v.BaselineW, v.DownToW = &base, &down
	}
	if k.Judged && k.Given >= 0 {
		given := unit.Power(k.Given)
		w, kwh := given.Watts(), 1000*given.Over(k.end().Sub(k.From)).MegawattHours()
		v.GivenW, v.GivenKWh = &w, &kwh
	}
	v.Text = c.text(k, &v, now)
	return v
}

func (k *Call) state(now time.Time) string {
	switch {
	case !k.Withdrawn.IsZero():
		return "withdrawn"
	case !now.Before(k.To):
		return "ended"
	case k.running(now):
		return "running"
	}
	return "called"
}

// text is a call as a sentence.
func (c *Curtail) text(k *Call, v *api.CurtailmentView, now time.Time) string {
	span := fmt.Sprintf("from %s to %s", c.clockTime(k.From, now), c.clockTime(k.To, now))
	switch v.State {
	case "withdrawn":
		return fmt.Sprintf("%s was to draw %s less %s; it was withdrawn at %s.", v.Name, k.Power.Short(), span, c.clockTime(k.Withdrawn, now))
	case "ended":
		text := fmt.Sprintf("%s was to draw %s less %s", v.Name, k.Power.Short(), span)
		switch {
		case v.GivenW != nil:
			return fmt.Sprintf("%s, and drew %s less.", text, unit.Power(k.Given).Short())
		case k.Judged:
			return text + "; its meter does not tell what it gave."
		}
		return text + "; what it gave is measured when its intervals are in the books."
	}
	parts := []string{fmt.Sprintf("%s is to draw %s less %s", v.Name, k.Power.Short(), span)}
	if v.DownToW != nil {
		parts = append(parts, fmt.Sprintf("that is at most %s", unit.Watts(*v.DownToW).Short()))
	}
	if v.Seen == nil {
		parts = append(parts, "it has not said yet that it has seen it")
	}
	return strings.Join(parts, "; ") + "."
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// clockTime tells a time to people: the day only where it is not today.
func (c *Curtail) clockTime(t, now time.Time) string {
	local, today := t.In(c.opt.Plant.Zone), now.In(c.opt.Plant.Zone)
	if local.YearDay() == today.YearDay() && local.Year() == today.Year() {
		return local.Format("15:04")
	}
	return local.Format("Mon 2 Jan 15:04")
}
