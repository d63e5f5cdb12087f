package app

import (
	"context"
	"fmt"
	"time"

	"switchyard/api"
	"switchyard/care"
	"switchyard/journal"
	"switchyard/site"
)

// Site returns what does not change while the controller runs.
func (a *App) Site() api.SiteView {
	v := a.plant.View(a.fleet.Capabilities)
	v.Notice, v.Speed, v.GPUs = a.opt.Notice, a.clk.Speed(), a.clusters.Infos()
	return v
}

// Clusters answers for the site's GPU clusters.
func (a *App) Clusters() api.Clusters { return a.clusters }

func (a *App) publish(s *screen) {
	a.screen.Store(s)
	a.changeMu.Lock()
	defer a.changeMu.Unlock()
	close(a.changed)
	a.changed = make(chan struct{})
}

// Changed is closed when there is a newer screen.
func (a *App) Changed() <-chan struct{} {
	a.changeMu.Lock()
	defer a.changeMu.Unlock()
	return a.changed
}

// Live returns the newest screen.
func (a *App) Live() api.LiveView {
	if s := a.screen.Load(); s != nil {
		return s.live
	}
	return api.LiveView{At: a.clk.Now(), Mode: "static", Headline: "Starting: reading every device before anything is told to it."}
}

// Curve returns the merit order of the newest clearing.
func (a *App) Curve() api.CurveView {
	if s := a.screen.Load(); s != nil {
		return s.curve
	}
	return api.CurveView{At: a.clk.Now()}
}

// Map returns the cells of a group.
func (a *App) Map(name string) (api.MapView, error) {
	s := a.screen.Load()
	for i := range a.plant.Groups {
		g := &a.plant.Groups[i]
		if g.ID != name {
			continue
		}
		v := api.MapView{Group: name, Cells: make([]api.Cell, 0, g.Count)}
		for j := g.First; j < g.First+g.Count; j++ {
			v.Cells = append(v.Cells, a.cell(s, j))
		}
		return v, nil
	}
	return api.MapView{}, fmt.Errorf("group %q: %w", name, api.ErrNotFound)
}

func (a *App) cell(s *screen, j int) api.Cell {
	m := &a.plant.Miners[j]
	c := api.Cell{Device: string(m.ID), Address: m.Address, State: site.StateUnknown.String()}
	if s == nil || s.snap == nil {
		return c
	}
	r, _ := s.snap.Get(m.ID)
	if r.Sample.OK {
		c.State = r.Sample.V.State.String()
		c.PowerW, c.Hashrate = float(r.Sample.V.Power, powerWatts), float(r.Sample.V.Hashrate, hashTH)
		for _, b := range r.Sample.V.Boards {
			if b.ChipTemp.OK && (c.TempC == nil || b.ChipTemp.V > *c.TempC) {
				c.TempC = ptr(b.ChipTemp.V)
			}
		}
	}
	if j < len(s.status) {
		st := &s.status[j]
		unreachable := r.Failures >= 3
		c.State = care.CellState(r.Sample, unreachable, st)
		c.Note = st.Note
		if unreachable && r.Err != nil && c.Note == "" {
			c.Note = r.Err.Error()
		}
	}
	if h, ok := s.holds[m.ID]; ok {
		c.Held, c.Note = true, "held in mode "+h.Mode.String()+" by "+h.By+journal.Because(h.Note)
	}
	return c
}

// Why answers why a device was as it was at a time.
func (a *App) Why(ctx context.Context, device string, at time.Time) (api.WhyView, error) {
	j, ok := a.plant.Index(site.DeviceID(device))
	if load := a.clusters.Load(site.DeviceID(device)); !ok && load != "" {
		ans, err := a.journal.Why(ctx, journal.Question{Device: site.DeviceID(device), Load: load, At: at})
		return api.WhyOf(ans), err
	}
	if !ok {
		return api.WhyView{}, fmt.Errorf("device %q: %w; miners are called like %q", device, api.ErrNotFound, a.plant.Example())
	}
	ans, err := a.journal.Why(ctx, journal.Question{Device: site.DeviceID(device), Load: a.plant.Groups[a.plant.Miners[j].Group].Load, At: at})
	if err != nil {
		return api.WhyView{}, err
	}
	v := api.WhyOf(ans)
	// The newest command may be older than the word of a person that keeps it so.
	if s := a.screen.Load(); s != nil {
		if h, held := s.holds[site.DeviceID(device)]; held && !at.Before(h.At) {
			v.Answer = device + " is held in mode " + h.Mode.String() + " by " + h.By + journal.Because(h.Note) + "; " + v.Answer
		}
	}
	return v, nil
}
