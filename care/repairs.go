package care

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/health"
	"switchyard/journal"
	"switchyard/query"
	"switchyard/site"
	"switchyard/unit"
)

const (
	repairAfter  = 10 * time.Minute // of an alert that needs hands, before the device is on the list
	strikeFor    = time.Hour        // after which a device that is no better is on it again
	forgiveAfter = 24 * time.Hour   // without any alert, after which it is off it by itself
	maxRepairs   = 10_000
)

// repair is one device on the repair list.
type repair struct {
	Since time.Time     `json:"since"`
	Last  time.Time     `json:"last"` // when anything was last wrong with it
	Seen  []repairAlert `json:"seen"`
}

type repairAlert struct {
	Rule  string    `json:"rule"`
	Since time.Time `json:"since"`
	Text  string    `json:"text"`
	Todo  string    `json:"todo"`
}

type repairDoc struct {
	List   map[site.DeviceID]*repair   `json:"list"`
	Struck map[site.DeviceID]time.Time `json:"struck,omitempty"`
}

func (c *Care) restoreRepairs(doc []byte) error {
	in := repairDoc{}
	if doc != nil {
		if err := json.Unmarshal(doc, &in); err != nil {
			return fmt.Errorf("read the stored repair list: %w", err)
		}
	}
	c.repairs, c.struck = in.List, in.Struck
	if c.repairs == nil {
		c.repairs = map[site.DeviceID]*repair{}
	}
	if c.struck == nil {
		c.struck = map[site.DeviceID]time.Time{}
	}
	return nil
}

// markRepairs brings the repair list up to the board: a device comes onto it that has long
// had what needs hands, and stays until a person strikes it off or it has long been well.
// What many have for one cause is one person's work elsewhere.
func (c *Care) markRepairs(ctx context.Context, now time.Time, b *board) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := false
	for _, a := range b.alerts {
		if a.Device == "" || !a.Rule.Hands() {
			continue
		}
		began := a.Since
		if struck, ok := c.struck[a.Device]; ok {
			if now.Sub(struck) < strikeFor {
				continue
			}
		}
		r := c.repairs[a.Device]
		if r == nil {
			if now.Sub(began) < repairAfter || len(c.repairs) >= maxRepairs {
				continue
			}
			r = &repair{Since: began}
			c.repairs[a.Device] = r
			delete(c.struck, a.Device)
			changed = true
		}
		r.Last = now
		changed = r.saw(a.Alert) || changed
	}
	for id, r := range c.repairs {
		if _, known := c.byID[id]; !known || now.Sub(r.Last) >= forgiveAfter {
			delete(c.repairs, id)
			changed = true
		}
	}
	for id, at := range c.struck {
		if now.Sub(at) >= forgiveAfter {
			delete(c.struck, id)
		}
	}
	if !changed {
		return
	}
	if err := c.keep(ctx, repairsKey, repairDoc{c.repairs, c.struck}); err != nil && ctx.Err() == nil {
		c.opt.Log.Error("the repair list is not kept", "reason", err.Error())
	}
}

// saw notes an alert; true where it is another than before.
func (r *repair) saw(a health.Alert) bool {
	i := slices.IndexFunc(r.Seen, func(s repairAlert) bool { return s.Rule == a.Rule.String() })
	if i < 0 {
		r.Seen = append(r.Seen, repairAlert{Rule: a.Rule.String(), Since: a.Since, Text: a.Text, Todo: a.Todo})
		return true
	}
	r.Seen[i].Text = a.Text
	return false
}

// Repairs is the list of devices that need hands, worst first.
func (c *Care) Repairs(context.Context) ([]api.RepairView, error) {
	v := c.view()
	c.mu.Lock()
	list := make(map[site.DeviceID]repair, len(c.repairs))
	for id, r := range c.repairs {
		list[id] = repair{Since: r.Since, Last: r.Last, Seen: slices.Clone(r.Seen)}
	}
	c.mu.Unlock()
	out := make([]api.RepairView, 0, len(list))
	for id, r := range list {
		if i, ok := c.byID[id]; ok {
			out = append(out, c.repairView(v, i, r))
		}
	}
	slices.SortFunc(out, func(a, b api.RepairView) int {
		return cmp.Or(-cmp.Compare(lost(a), lost(b)), -cmp.Compare(len(a.Seen), len(b.Seen)), a.Since.Compare(b.Since), strings.Compare(a.Device, b.Device))
	})
	return out, nil
}

func lost(r api.RepairView) float64 {
	if r.LostUSD == nil {
		return -1
	}
	return *r.LostUSD
}

func (c *Care) repairView(v *view, i int, r repair) api.RepairView {
	var row query.Row
	c.row(v, i, &row)
	out := api.RepairView{
		Device: row.Device, Group: row.Group, Rack: row.Rack, Position: row.Position, Address: row.Address, Model: row.Model, Serial: row.Serial,
		Since: r.Since, LostUSD: c.lost(v, i),
	}
	for _, s := range r.Seen {
		rule, _ := health.RuleOf(s.Rule)
		out.Seen = append(out.Seen, api.HealthAlert{
			ID: s.Rule + ":" + row.Device, Rule: s.Rule, Severity: string(rule.Severity()), Device: row.Device, Group: row.Group, Since: s.Since, Text: s.Text, Todo: s.Todo,
		})
	}
	return out
}

// lost is what a device would earn in a day at today's hashprice and does not; unknown where
// it is to rest.
func (c *Care) lost(v *view, i int) *float64 {
	m := &c.opt.Miners[i]
	if c.opt.Hashprice == nil || m.Hashrate <= 0 {
		return nil
	}
	price := c.opt.Hashprice()
	st, _ := status(v.screen, i)
	hold, held := v.screen.Holds[m.ID]
	if !price.OK || asleep(st, site.Opt[site.Hold]{V: hold, OK: held}) {
		return nil
	}
	last, _ := v.snap.Get(m.ID)
	work := unit.Hashrate(0)
	if !last.Stale(v.now, c.lim.Stale) {
		if !last.Sample.V.Hashrate.OK {
			return nil
		}
		work = last.Sample.V.Hashrate.V
	}
	usd := price.V.Revenue(max(m.Hashrate-work, 0), 24*time.Hour).Dollars()
	return &usd
}

// Repaired strikes a device off the repair list. If it is no better an hour later it is on it again.
func (c *Care) Repaired(ctx context.Context, who, device, note string) error {
	if _, err := c.place(device); err != nil {
		return err
	}
	id, now := site.DeviceID(device), c.opt.Clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.repairs[id]
	if !ok {
		return fmt.Errorf("%w: %s is not on the repair list", api.ErrNotFound, device)
	}
	next, struck := maps.Clone(c.repairs), maps.Clone(c.struck)
	delete(next, id)
	struck[id] = now
	if err := c.keep(ctx, repairsKey, repairDoc{next, struck}); err != nil {
		return err
	}
	c.repairs, c.struck = next, struck
	seen := make([]string, len(r.Seen))
	for i, s := range r.Seen {
		seen[i] = s.Rule
	}
	c.opt.Note(journal.Entry{
		At: now, Subject: device, Device: id, Kind: journal.KindNote,
		Text: fmt.Sprintf("%s has repaired %s (%s)%s", who, device, strings.Join(seen, ", "), journal.Because(note)),
	})
	return nil
}
