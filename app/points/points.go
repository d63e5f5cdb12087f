// Package points owns the history of single devices: power, target, hashrate and
// temperatures, a point a minute.
//
// It never keeps the control loop waiting: it looks at the newest readings by itself, a
// quarter of the devices at a time.
//
// Concurrency: a Points is safe for concurrent use. Run blocks until its context ends.
package points

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/app/truth"
	"switchyard/clock"
	"switchyard/site"
	"switchyard/telemetry"
)

const (
	// pointsEvery is how often a device's figures go into its history, site time; each quarter
	// of it a quarter of the devices.
	pointsEvery = time.Minute
	// boardsUpTo is the size of a site up to which every board's temperature is kept, too.
	boardsUpTo = 5000
	// retention of the points, site time.
	retention = 60 * 24 * time.Hour
	// mostBoards of a device are kept.
	mostBoards = 8
)

// Options are what a Points is made from.
type Options struct {
	Plant *plant.Plant
	Hub   *telemetry.Hub
	Truth *truth.Truth
	Clock clock.Clock
	Log   *slog.Logger
}

// Points is an open history of devices.
type Points struct {
	opt     Options
	history *telemetry.History
}

// Open opens the history in a folder of its own. It blocks on the disk; Close it.
func Open(dir string, o Options) (*Points, error) {
	h, err := telemetry.OpenHistory(dir, telemetry.HistoryOptions{Log: o.Log, Retention: retention, Lookback: 3 * pointsEvery})
	if err != nil {
		return nil, err
	}
	return &Points{opt: o, history: h}, nil
}

// Close closes the history. Run must have returned.
func (p *Points) Close() error { return p.history.Close() }

// Run writes the devices' histories until ctx ends.
func (p *Points) Run(ctx context.Context) {
	const parts = 4
	for part := 0; clock.Sleep(ctx, p.opt.Clock, pointsEvery/parts) == nil; part = (part + 1) % parts {
		snap := p.opt.Hub.Snapshot()
		var pts []telemetry.Point
		for j := part; j < len(p.opt.Plant.Miners); j += parts {
			pts = p.of(pts, j, snap)
		}
		if err := p.history.Append(p.opt.Clock.Now(), pts); err != nil {
			p.opt.Log.Warn("the devices' charts have a gap", "reason", err)
		}
	}
}

func (p *Points) of(pts []telemetry.Point, j int, snap *telemetry.Snapshot) []telemetry.Point {
	id := p.opt.Plant.Miners[j].ID
	r, _ := snap.Get(id)
	if !r.Sample.OK || p.opt.Clock.Now().Sub(r.Sample.V.At) > 2*pointsEvery {
		return pts
	}
	s, tail := &r.Sample.V, ":"+string(id)
	add := func(key string, v float64) { pts = append(pts, telemetry.Point{Key: key, Value: v}) }
	if w, ok := p.opt.Truth.Steady(j, s); ok {
		add("device_w"+tail, w.Watts())
	} else if s.Power.OK {
		add("device_w"+tail, s.Power.V.Watts())
	}
	if s.Target.OK {
		add("device_target_w"+tail, s.Target.V.Watts())
	}
	if s.Hashrate.OK {
		add("device_th_s"+tail, s.Hashrate.V.TH())
	}
	hottest := math.NaN()
	for i, b := range s.Boards {
		t := b.ChipTemp.Or(b.PCBTemp.Or(math.NaN()))
		if !math.IsNaN(t) && !(hottest >= t) {
			hottest = t
		}
		if len(p.opt.Plant.Miners) <= boardsUpTo && i < mostBoards {
			add("board_c"+strconv.Itoa(i)+tail, t)
		}
	}
	add("device_c"+tail, hottest)
	return pts
}

// DeviceHistory returns what one device told over time.
func (p *Points) DeviceHistory(ctx context.Context, id string, from, to time.Time, step time.Duration) (api.DeviceHistoryView, error) {
	j, ok := p.opt.Plant.Index(site.DeviceID(id))
	if !ok {
		return api.DeviceHistoryView{}, fmt.Errorf("device %q: %w; miners are called like %q", id, api.ErrNotFound, p.opt.Plant.Example())
	}
	keys := []string{"device_w:" + id, "device_target_w:" + id, "device_th_s:" + id, "device_c:" + id}
	boards := 0
	if r, _ := p.opt.Hub.Snapshot().Get(p.opt.Plant.Miners[j].ID); len(p.opt.Plant.Miners) <= boardsUpTo {
		boards = min(len(r.Sample.V.Boards), mostBoards)
	}
	for i := range boards {
		keys = append(keys, fmt.Sprintf("board_c%d:%s", i, id))
	}
	times, tracks, err := p.history.Range(ctx, from, to, step, keys...)
	if err != nil {
		return api.DeviceHistoryView{}, err
	}
	v := api.DeviceHistoryView{Device: id, T: make([]int64, len(times))}
	for i, t := range times {
		v.T[i] = t.Unix()
	}
	values := func(key string) []*float64 {
		out := make([]*float64, len(times))
		for _, k := range tracks {
			if k.Key != key {
				continue
			}
			for i, x := range k.Values {
				if !math.IsNaN(x) {
					out[i] = &x
				}
			}
		}
		return out
	}
	v.PowerW, v.TargetW, v.HashTHS, v.ChipC = values(keys[0]), values(keys[1]), values(keys[2]), values(keys[3])
	for _, k := range keys[4:] {
		v.BoardC = append(v.BoardC, values(k))
	}
	return v, nil
}
