package care

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/query"
	"switchyard/rollout"
	"switchyard/site"
	"switchyard/sitefile"
)

// action makes a rollout's action of a request.
func (c *Care) action(r api.RolloutRequest) (rollout.Action, error) {
	a := rollout.Action{Kind: rollout.Kind(r.Action), On: r.On, PasswordRef: r.PasswordRef, Profile: r.Profile}
	for _, p := range r.Pools {
		if sitefile.IsReference(p.PasswordRef) && !c.poolSecret(p.PasswordRef) {
			// A pool is somewhere else: what is sent there must be meant for pools.
			return a, fmt.Errorf("%w: the site file names no pool with the password %q; name it under groups, pools, password first", api.ErrInvalid, p.PasswordRef)
		}
		a.Pools = append(a.Pools, rollout.Pool{URL: p.URL, Worker: p.Worker, PasswordRef: p.PasswordRef})
	}
	if err := a.Check(); err != nil {
		return a, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return a, nil
}

func (c *Care) poolSecret(ref string) bool {
	for _, g := range c.opt.File.Groups {
		for _, p := range g.Pools {
			if p.Password == ref {
				return true
			}
		}
	}
	return false
}

// chosen returns the devices that a request means, in the order of their names.
func (c *Care) chosen(v *view, r api.RolloutRequest) ([]int, error) {
	if strings.TrimSpace(r.Query) == "" && len(r.Devices) == 0 {
		return nil, fmt.Errorf(`%w: say which devices, by a query or by name; "device=*" is all of them`, api.ErrInvalid)
	}
	q, err := parse(r.Query)
	if err != nil {
		return nil, err
	}
	named := map[int]bool{}
	for _, name := range r.Devices {
		i, err := c.place(name)
		if err != nil {
			return nil, err
		}
		named[i] = true
	}
	places, rows := c.find(v, q)
	if len(r.Devices) > 0 {
		places = slices.DeleteFunc(places, func(i int) bool { return !named[i] })
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("%w: no device matches", api.ErrInvalid)
	}
	order, err := query.Order("")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(places, func(a, b int) int { return order(&rows[a], &rows[b]) })
	return places, nil
}

// plan says what would be done with each device.
func (c *Care) plan(r api.RolloutRequest) (rollout.Action, []rollout.Item, error) {
	a, err := c.action(r)
	if err != nil {
		return a, nil, err
	}
	v := c.view()
	places, err := c.chosen(v, r)
	if err != nil {
		return a, nil, err
	}
	busy := c.run.Busy()
	candidates := make([]rollout.Candidate, len(places))
	for k, i := range places {
		id := c.opt.Miners[i].ID
		x := rollout.Candidate{ID: id, Caps: c.opt.Fleet.Capabilities(id)}
		if last, _ := v.snap.Get(id); !last.Sample.OK || last.Failures >= lostAfter {
			x.Lost = cause(last.Err)
		}
		if h, ok := v.screen.Holds[id]; ok && h.Mode == site.ModeSleep {
			x.Asleep = h.By
		} else if st, known := status(v.screen, i); !ok && known && st.ByHand {
			x.Asleep = "a person at the miner"
		}
		if n, ok := busy[id]; ok {
			x.Busy = fmt.Sprintf("rollout %d", n)
		}
		candidates[k] = x
	}
	return a, rollout.Plan(a, r.Wave, candidates), nil
}

// Preview says for each device what would be done, or why not.
func (c *Care) Preview(_ context.Context, r api.RolloutRequest) (api.PreviewView, error) {
	a, items, err := c.plan(r)
	if err != nil {
		return api.PreviewView{}, err
	}
	out := api.PreviewView{Items: itemViews(items), Why: []api.SkipCount{}}
	out.Waves, out.Do, out.Skip = rollout.Waves(items)
	why := map[string]int{}
	for _, it := range items {
		if it.State == rollout.Skipped {
			why[it.Reason]++
		}
	}
	for reason, n := range why {
		out.Why = append(out.Why, api.SkipCount{Reason: reason, Devices: n})
	}
	slices.SortFunc(out.Why, func(a, b api.SkipCount) int {
		return cmp.Or(-cmp.Compare(a.Devices, b.Devices), strings.Compare(a.Reason, b.Reason))
	})
	out.Text = a.Sentence(out.Do)
	if out.Waves > 1 {
		out.Text += ", in " + plural(out.Waves, "wave")
	}
	if out.Skip > 0 {
		out.Text += fmt.Sprintf("; %s skipped", plural(out.Skip, "device"))
	}
	return out, nil
}

func itemViews(items []rollout.Item) []api.RolloutItem {
	out := make([]api.RolloutItem, len(items))
	for i, it := range items {
		out[i] = api.RolloutItem{Device: string(it.Device), Wave: it.Wave, State: string(it.State), Reason: it.Reason}
		if !it.At.IsZero() {
			at := it.At
			out[i].At = &at
		}
	}
	return out
}

// Begin keeps a rollout on disk, starts it and returns at once.
func (c *Care) Begin(ctx context.Context, who string, r api.RolloutRequest) (api.RolloutView, error) {
	a, items, err := c.plan(r)
	if err != nil {
		return api.RolloutView{}, err
	}
	request, err := json.Marshal(asKept(r))
	if err != nil {
		return api.RolloutView{}, err
	}
	out, err := c.run.Begin(ctx, rollout.Rollout{Action: a, By: who, Note: r.Note, Request: request, Wave: r.Wave, StopAfter: r.StopAfter}, items)
	if err != nil {
		return api.RolloutView{}, named(err)
	}
	c.opt.Note(journal.Entry{At: out.Begun, Subject: who, Kind: journal.KindNote, Text: fmt.Sprintf("%s begins rollout %d: %s%s", who, out.ID, out.Text, journal.Because(out.Note))})
	return rolloutView(out), nil
}

// asKept is a request without what its action does not need: a secret that was typed in where
// none belongs is not to be kept.
func asKept(r api.RolloutRequest) api.RolloutRequest {
	if r.Action != string(rollout.Pools) {
		r.Pools = nil
	}
	if r.Action != string(rollout.Password) {
		r.PasswordRef = ""
	}
	return r
}

// named turns a runner's errors into those of the API.
func named(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rollout.ErrInvalid):
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	case errors.Is(err, rollout.ErrNotFound):
		return fmt.Errorf("%w: %w", api.ErrNotFound, err)
	}
	return err
}

func rolloutView(r rollout.Rollout) api.RolloutView {
	out := api.RolloutView{
		ID: r.ID, Action: string(r.Action.Kind), Text: r.Text, By: r.By, Note: r.Note, Begun: r.Begun, State: string(r.State), Reason: r.Reason, Counts: map[string]int{},
	}
	if !r.Ended.IsZero() {
		out.Ended = &r.Ended
	}
	for s, n := range r.Counts {
		if n > 0 {
			out.Counts[string(s)] = n
		}
		out.Total += n
	}
	if r.Items != nil {
		out.Items = itemViews(r.Items)
	}
	_ = json.Unmarshal(r.Request, &out.Request) // of an older program it may say less
	return out
}

// Rollouts returns the newest, newest first, without their devices.
func (c *Care) Rollouts(ctx context.Context, limit int) ([]api.RolloutView, error) {
	if limit <= 0 {
		limit = 50
	}
	list, err := c.run.List(ctx, min(limit, maxLimit))
	if err != nil {
		return nil, err
	}
	out := make([]api.RolloutView, len(list))
	for i, r := range list {
		out[i] = rolloutView(r)
		out[i].Request.Devices = nil // up to 100,000 names
	}
	return out, nil
}

// Rollout returns one with its devices.
func (c *Care) Rollout(ctx context.Context, id int64) (api.RolloutView, error) {
	r, err := c.run.Get(ctx, id)
	if err != nil {
		return api.RolloutView{}, named(err)
	}
	return rolloutView(r), nil
}

// Steer takes "pause", "resume" or "stop".
func (c *Care) Steer(ctx context.Context, who string, id int64, what string) error {
	if err := c.run.Steer(ctx, who, id, what); err != nil {
		return named(err)
	}
	c.opt.Note(journal.Entry{At: c.opt.Clock.Now(), Subject: who, Kind: journal.KindNote, Text: fmt.Sprintf("%s: %s rollout %d", who, what, id)})
	return nil
}

// rolloutEnded journals what came of a rollout and tells people of one that was stopped or
// has failures.
func (c *Care) rolloutEnded(r rollout.Rollout) {
	var parts []string
	for _, s := range []rollout.ItemState{rollout.Confirmed, rollout.Failed, rollout.Unknown, rollout.Skipped} {
		if n := r.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	text := fmt.Sprintf("rollout %d is %s after %s: %s%s", r.ID, r.State, r.Ended.Sub(r.Begun).Round(time.Second), strings.Join(parts, ", "), journal.Because(r.Reason))
	c.opt.Note(journal.Entry{At: r.Ended, Subject: r.By, Kind: journal.KindNote, Text: text})
	if r.State == rollout.Stopped || r.Counts[rollout.Failed] > 0 {
		c.tellRollout(r, text)
	}
}
