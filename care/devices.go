package care

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/query"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	lostAfter    = 3 // polls in a row without an answer
	defaultLimit = 100
	maxLimit     = 1000
)

// view is one moment's picture of all devices.
type view struct {
	now    time.Time
	snap   *telemetry.Snapshot
	screen Screen
	board  *board
	upkeep map[site.DeviceID]bool // in maintenance
}

func (c *Care) view() *view {
	return &view{now: c.opt.Clock.Now(), snap: c.opt.Hub.Snapshot(), screen: c.opt.Loop.CareScreen(), board: c.board.Load(), upkeep: c.inMaintenance()}
}

// row fills in what is known of the i-th device. A figure of a reading that is stale is not known.
func (c *Care) row(v *view, i int, r *query.Row) {
	m := &c.opt.Miners[i]
	last, _ := v.snap.Get(m.ID)
	*r = query.Row{
		Device: string(m.ID), Group: m.Group, Nodes: m.Nodes, Driver: m.Driver, Address: m.Address, Model: m.Model,
		Alerts: v.board.firing[m.ID].Names(), Maintenance: v.upkeep[m.ID],
	}
	st, _ := status(v.screen, i)
	r.State = CellState(last.Sample, last.Failures >= lostAfter, st)
	if h, ok := v.screen.Holds[m.ID]; ok {
		r.Held = h.By
	}
	c.placed(r, m.ID)
	s := &last.Sample.V
	if id := s.Identity; last.Sample.OK {
		r.Make, r.Firmware = id.Make, id.Firmware
		r.Model, r.MAC, r.Serial = or(id.Model, r.Model), or(id.MAC, r.MAC), or(id.Serial, r.Serial)
		r.Pools, r.Profile = s.Pools, s.Profile
		r.Age = site.Some(v.now.Sub(s.At))
	}
	if !last.Stale(v.now, c.lim.Stale) {
		c.figures(r, m, s)
	}
	if e := c.estimate(m.ID, last, v.now); e.Power.OK {
		r.Power = site.Some(e.Power.V.Watts())
	}
}

func (c *Care) placed(r *query.Row, id site.DeviceID) {
	if c.opt.Places == nil {
		return
	}
	p := c.opt.Places.Place(id)
	r.Rack, r.Position = p.Rack, p.Position
	r.Address, r.MAC, r.Serial = or(p.Address, r.Address), p.Known.MAC, p.Known.Serial
}

func (c *Care) figures(r *query.Row, m *Miner, s *site.Sample) {
	r.Fans, r.Uptime = s.Fans, s.Uptime
	if s.Hashrate.OK {
		r.Hashrate = site.Some(s.Hashrate.V.TH())
		if m.Hashrate > 0 {
			r.HashratePct = site.Some(100 * float64(s.Hashrate.V) / float64(m.Hashrate))
		}
	}
	for i := range s.Boards {
		if t := s.Boards[i].ChipTemp; t.OK && (!r.Temp.OK || t.V > r.Temp.V) {
			r.Temp = t
		}
	}
}

// estimate is what a device draws: by the estimator, else by its own word.
func (c *Care) estimate(id site.DeviceID, last telemetry.Reading, now time.Time) Estimate {
	if c.opt.Estimates != nil {
		return c.opt.Estimates.Estimate(id)
	}
	e := Estimate{Power: last.Power(now, c.lim.Stale)}
	if e.Power.OK {
		e.Method = "device"
	}
	return e
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// find returns the devices that match a query, and their rows by place.
func (c *Care) find(v *view, q *query.Query) (places []int, rows []query.Row) {
	rows = make([]query.Row, len(c.opt.Miners))
	for i := range rows {
		c.row(v, i, &rows[i])
		if q.Match(&rows[i]) {
			places = append(places, i)
		}
	}
	return places, rows
}

func parse(text string) (*query.Query, error) {
	q, err := query.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return q, nil
}

// Devices returns a page of the devices that match a query.
func (c *Care) Devices(ctx context.Context, r api.DevicesRequest) (api.DevicesView, error) {
	q, err := parse(r.Query)
	if err != nil {
		return api.DevicesView{}, err
	}
	order, err := query.Order(r.Sort)
	if err != nil {
		return api.DevicesView{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	v := c.view()
	places, rows := c.find(v, q)
	if err := ctx.Err(); err != nil {
		return api.DevicesView{}, err
	}
	slices.SortFunc(places, func(a, b int) int { return order(&rows[a], &rows[b]) })
	if r.Limit <= 0 {
		r.Limit = defaultLimit
	}
	out := api.DevicesView{At: v.now, Total: len(places), Devices: []api.DeviceRow{}}
	from := min(max(r.Offset, 0), len(places))
	for _, i := range places[from:min(from+min(r.Limit, maxLimit), len(places))] {
		out.Devices = append(out.Devices, c.deviceRow(v, i, &rows[i]))
	}
	return out, nil
}

func (c *Care) deviceRow(v *view, i int, r *query.Row) api.DeviceRow {
	m := &c.opt.Miners[i]
	out := api.DeviceRow{
		ID: r.Device, Group: r.Group, Rack: r.Rack, Position: r.Position, Address: r.Address, Make: r.Make, Model: r.Model, Firmware: r.Firmware,
		Serial: r.Serial, MAC: r.MAC, State: r.State, PowerW: float(r.Power), HashrateTHS: float(r.Hashrate), HashratePct: float(r.HashratePct), ChipC: float(r.Temp),
		UptimeS: seconds(r.Uptime), AgeS: seconds(r.Age), Alerts: append([]string{}, r.Alerts...), Held: r.Held, Maintenance: r.Maintenance,
	}
	if len(r.Nodes) > 0 {
		out.Node = r.Nodes[0]
	}
	last, _ := v.snap.Get(m.ID)
	e := c.estimate(m.ID, last, v.now)
	out.PowerMethod, out.PowerError = e.Method, watts(e.Error)
	return out
}

func float(v site.Opt[float64]) *float64 {
	if !v.OK {
		return nil
	}
	return &v.V
}

func seconds(v site.Opt[time.Duration]) *float64 {
	if !v.OK {
		return nil
	}
	s := v.V.Seconds()
	return &s
}

func watts(v site.Opt[unit.Power]) *float64 {
	if !v.OK {
		return nil
	}
	w := v.V.Watts()
	return &w
}

func hashes(v site.Opt[unit.Hashrate]) *float64 {
	if !v.OK {
		return nil
	}
	h := v.V.TH()
	return &h
}

// place finds a device by name.
func (c *Care) place(id string) (int, error) {
	i, ok := c.byID[site.DeviceID(id)]
	if !ok {
		return 0, fmt.Errorf("device %q: %w", id, api.ErrNotFound)
	}
	return i, nil
}

// Device returns one device with all that is known of it.
func (c *Care) Device(_ context.Context, id string) (api.DeviceView, error) {
	i, err := c.place(id)
	if err != nil {
		return api.DeviceView{}, err
	}
	v := c.view()
	m := &c.opt.Miners[i]
	var r query.Row
	c.row(v, i, &r)
	out := api.DeviceView{
		DeviceRow: c.deviceRow(v, i, &r), Driver: m.Driver, Profile: r.Profile, Style: site.Capabilities{}.Style(),
		Profiles: []api.ProfileView{}, Acts: []string{}, Boards: []api.BoardView{}, FansRPM: []int{}, Pools: []api.PoolView{}, Faults: []string{}, Health: c.healthOf(v.board, m.ID),
	}
	if m.Nameplate > 0 {
		out.NameplateW = watts(site.Some(m.Nameplate))
	}
	c.able(&out, m.ID)
	last, _ := v.snap.Get(m.ID)
	if last.Sample.OK {
		sampled(&out, &last.Sample.V)
	}
	if last.Err != nil {
		out.Error = last.Err.Error()
	}
	if c.opt.Places != nil {
		out.Outlet = c.opt.Places.Place(m.ID).Outlet
	}
	return out, nil
}

// able fills in what the device can do.
func (c *Care) able(out *api.DeviceView, id site.DeviceID) {
	caps := c.opt.Fleet.Capabilities(id)
	if !caps.OK {
		return
	}
	out.Style = caps.V.Style()
	if out.NameplateW == nil {
		out.NameplateW = watts(caps.V.Nameplate)
	}
	for _, a := range caps.V.Acts.List() {
		out.Acts = append(out.Acts, a.String())
	}
	for _, p := range caps.V.Profiles {
		out.Profiles = append(out.Profiles, api.ProfileView{Name: p.Name, PowerW: watts(p.Power), HashrateTHS: hashes(p.Hashrate)})
	}
}

// sampled fills in what its newest reading told.
func sampled(out *api.DeviceView, s *site.Sample) {
	out.TargetW, out.IntakeC = watts(s.Target), float(s.Intake)
	out.FansRPM, out.Faults = append(out.FansRPM, s.Fans...), append(out.Faults, s.Faults...)
	for _, b := range s.Boards {
		view := api.BoardView{HashrateTHS: hashes(b.Hashrate), ChipC: float(b.ChipTemp), PCBC: float(b.PCBTemp), Working: b.Working}
		if b.Chips.OK {
			view.Chips = &b.Chips.V
		}
		out.Boards = append(out.Boards, view)
	}
	for _, p := range s.Pools {
		out.Pools = append(out.Pools, api.PoolView{URL: p.URL, Worker: p.Worker, Active: p.Active})
	}
}

// DeviceHistory returns what one device told over time.
func (c *Care) DeviceHistory(ctx context.Context, id string, from, to time.Time, step time.Duration) (api.DeviceHistoryView, error) {
	if _, err := c.place(id); err != nil {
		return api.DeviceHistoryView{}, err
	}
	if c.opt.Histories == nil {
		return api.DeviceHistoryView{}, fmt.Errorf("%w: no history of single devices is kept", api.ErrUnavailable)
	}
	return c.opt.Histories.DeviceHistory(ctx, id, from, to, step)
}

// Adopt takes the other machine that answers at a device's address for the device from now on.
func (c *Care) Adopt(ctx context.Context, who, id, note string) (api.AdoptedView, error) {
	if _, err := c.place(id); err != nil {
		return api.AdoptedView{}, err
	}
	if c.opt.Places == nil {
		return api.AdoptedView{}, fmt.Errorf("%w: nobody keeps who answers where", api.ErrUnavailable)
	}
	was, is, err := c.opt.Places.Adopt(ctx, site.DeviceID(id))
	if err != nil {
		return api.AdoptedView{}, err
	}
	out := api.AdoptedView{Device: id, Was: machine(was), Is: machine(is)}
	c.opt.Note(journal.Entry{
		At: c.opt.Clock.Now(), Subject: id, Device: site.DeviceID(id), Kind: journal.KindNote,
		Text: fmt.Sprintf("%s has adopted %s as %s, which was %s before%s", who, out.Is, id, out.Was, journal.Because(note)),
	})
	c.opt.Fleet.Refresh(site.DeviceID(id))
	c.hurry()
	return out, nil
}

func machine(id site.Identity) api.MachineView {
	return api.MachineView{Make: id.Make, Model: id.Model, Serial: id.Serial, MAC: id.MAC}
}

// asleep says whether a device is to rest.
func asleep(st *reconcile.DeviceStatus, hold site.Opt[site.Hold]) bool {
	switch {
	case hold.OK:
		return hold.V.Mode == site.ModeSleep
	case st == nil:
		return false
	}
	return st.ByHand || st.Known && st.Mode == site.ModeSleep
}
