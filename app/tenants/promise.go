package tenants

import (
	"context"
	"fmt"
	"time"

	"switchyard/api"
	"switchyard/billing/sla"
	"switchyard/unit"
)

// promise is what was promised and delivered so far this month, as last looked at.
func (t *Tenants) promise(id string) *api.SLAView {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.promises[id]
}

// look assesses what was promised to each tenant so far this month, as its draft of an invoice does.
func (t *Tenants) look(ctx context.Context) {
	next := map[string]*api.SLAView{}
	for id := range t.contracts {
		month := t.month(id)
		all, most, err := t.months.Promise(ctx, id, month)
		switch {
		case err != nil:
			t.tell("promise/"+id, "what was delivered of a promise is not known", id, err)
		case most > 0:
			next[id] = promiseOf(month, most, all)
		}
	}
	t.mu.Lock()
	t.promises = next
	t.mu.Unlock()
}

// promiseOf tells a month's findings to their tenant; most is the most that is promised.
func promiseOf(month string, most unit.Ratio, all []sla.Finding) *api.SLAView {
	v := &api.SLAView{Month: month, Promised: float64(most)}
	if len(all) == 0 {
		v.Text = fmt.Sprintf("%.4g %% are promised. For GPU time availability is not measured: nothing is said of it, and no credit is reckoned.", 100*float64(most))
		return v
	}
	var counted, lost time.Duration
	var credit unit.Money
	for _, f := range all {
		counted, lost, credit = counted+f.Counted(), lost+f.Lost(), credit+f.Credit.Amount
		v.DownS += f.Down.Seconds()
		v.ReducedS += f.Brown.Seconds()
		v.ExcludedS += f.ExcludedTime().Seconds()
		v.LeftS += (f.Month-f.ExcludedTime()).Seconds()*(1-float64(f.Promised)) - f.Lost().Seconds()
	}
	v.CreditUSD = credit.Dollars()
	if counted <= 0 {
		v.Text = "Nothing was measured yet this month."
		return v
	}
	reached := float64(counted-lost) / float64(counted)
	v.Reached = &reached
	if v.Text = fmt.Sprintf("Delivered without a break so far this month; %.4g %% are promised.", 100*float64(most)); lost.Round(time.Second) > 0 {
		v.Text = fmt.Sprintf("%.4g %% so far this month, %.4g %% promised: %s were not delivered.", 100*reached, 100*float64(most), lost.Round(time.Second))
	}
	if credit > 0 {
		v.Text += fmt.Sprintf(" A credit of %s is due, without being asked for.", credit)
	}
	return v
}
