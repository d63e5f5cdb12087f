package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/site"
	"switchyard/unit"
)

// lawsEnv is how many fault mixes TestLawsUnderFaults draws; default 2.
const lawsEnv = "SWITCHYARD_LAWS_RUNS"

// makes are the kinds of miners of the mixed site.
func makes() []hall {
	const kW, th = unit.Kilowatt, unit.TeraHash
	return []hall{
		{Driver: "antminer", Model: "Antminer S21", Nameplate: 3500 * unit.Watt, Hashrate: 200 * th},
		{Driver: "antminer", Model: "Antminer S19 Pro", Nameplate: 3250 * unit.Watt, Hashrate: 110 * th},
		{Driver: "whatsminer", Model: "Whatsminer M30S++", Nameplate: 3472 * unit.Watt, Hashrate: 112 * th},
		{Driver: "whatsminer-v3", Model: "Whatsminer M60S", Nameplate: 3441 * unit.Watt, Hashrate: 186 * th},
		{Driver: "braiins", Model: "Antminer S19j Pro", Nameplate: 3068 * unit.Watt, Hashrate: 104 * th},
		{Driver: "luxos", Model: "Antminer S19k Pro", Nameplate: 2760 * unit.Watt, Hashrate: 120 * th},
		{Driver: "vnish", Model: "Antminer S19 XP", Nameplate: 3010 * unit.Watt, Hashrate: 140 * th},
		{Driver: "epic", Model: "Antminer S19", Nameplate: 3250 * unit.Watt, Hashrate: 95 * th},
		{Driver: "auradine", Model: "Teraflux AT2880", Nameplate: 4160 * unit.Watt, Hashrate: 260 * th},
		{Driver: "avalon", Model: "Avalon 1466", Nameplate: 3230 * unit.Watt, Hashrate: 150 * th},
		{Driver: "sealminer", Model: "SealMiner A2", Nameplate: 3730 * unit.Watt, Hashrate: 226 * th},
		{Driver: "proto", Model: "Proto Rig", Nameplate: 12 * kW, Hashrate: 800 * th},
	}
}

// mix is a site of many makes with random faults and limits.
type mix struct {
	*rand.Rand
	miners int
}

func (m mix) document() string {
	prefix := row()
	var s strings.Builder
	hs := makes()
	left := m.miners
	var all unit.Power
	for i := range hs {
		if hs[i].Count = 2 + m.IntN(2*m.miners/len(hs)-3); i == len(hs)-1 || hs[i].Count > left-2*(len(hs)-i) {
			hs[i].Count = max(2, left-2*(len(hs)-1-i))
		}
		left -= hs[i].Count
		all += unit.Power(hs[i].Count) * hs[i].Nameplate
	}
	firm := all.Scale(0.4)
	fmt.Fprintf(&s, "site: {name: Mixed, timezone: UTC}\nconnection:\n  limit: %s\n  overload: [{ratio: 110 %%, for: 30s, rest: 5m}]\n  loss: 0.3 %%\n  meter: {address: %s1.1, profile: sunspec}\nnodes:\n",
		(all.Scale(0.85) + firm.Scale(0.9)).Short(), prefix)
	for i, h := range hs {
		if i%4 == 0 {
			fmt.Fprintf(&s, "  - {id: tx-%d, limit: %s, loss: 0.5 %%, meter: {address: %s1.%d, profile: schneider-pm5000}}\n", i/4, all.Scale(0.5).Short(), prefix, 10+i)
		}
		full := unit.Power(h.Count) * h.Nameplate
		fmt.Fprintf(&s, "  - {id: hall-%d, parent: tx-%d, limit: %s, inrush: {power: %s, per: 30s}, meter: {address: %s1.%d, profile: generic}}\n",
			i, i/4, full.Scale(1.1).Short(), max(full.Scale(0.2), 2*h.Nameplate).Short(), prefix, 100+i)
	}
	fmt.Fprintf(&s, "  - {id: ai-hall, limit: %s, meter: {address: %s1.99, profile: sunspec}}\ngroups:\n", firm.Scale(1.1).Short(), prefix)
	for i, h := range hs {
		fmt.Fprintf(&s, "  - {id: g%d, node: hall-%d, driver: %s, model: %s, addresses: [\"%s%d.1-%s%d.%d\"], nameplate: %s, hashrate: %s, standby: 40 W, pool_fee: 1 %%, min_rest: 2m, poll: 60s, timeout: 1s}\n",
			i, i, h.Driver, h.Model, prefix, 10+i, prefix, 10+i, h.Count, h.Nameplate, h.Hashrate)
	}
	fmt.Fprintf(&s, "tenants:\n  - {id: ai, node: ai-hall, firm: %s, rate: 100 $/kW-month, penalty: 5000 $/MWh, availability: 99.9 %%, ramp: %s}\n", firm.Short(), firm.Scale(0.5).Short())
	fmt.Fprintf(&s, "market: {price: {fixed: 20 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}\napi: {listen: \"127.0.0.1:0\"}\n")
	fmt.Fprintf(&s, "emulate:\n  seed: %d\n  tenants: {ai: {jump: 10m}}\n  faults:\n%s", m.Uint32(), m.faults(hs))
	return s.String()
}

// faults strikes each group with some faults, each for all of the time or a part of it.
func (m mix) faults(hs []hall) string {
	var s strings.Builder
	kinds := []string{
		"late, delay: 300ms", "lost, chance: 30 %", "half-open", "garbled, chance: 30 %", "refusing, chance: 50 %", "lying", "clock-skew, delay: 90m", "dead-board",
		"wrong-password", "mute-power", "biased-power, by: 10 %",
	}
	for i := range hs {
		for _, k := range kinds {
			if m.IntN(3) > 0 {
				continue
			}
			fmt.Fprintf(&s, "    - {kind: %s, group: g%d, share: %d %%", k, i, 1+m.IntN(6))
			if m.IntN(2) == 0 {
				from := noon.Add(time.Duration(m.IntN(20)) * time.Minute)
				fmt.Fprintf(&s, ", from: %s, to: %s", from.Format(time.RFC3339), from.Add(time.Duration(5+m.IntN(20))*time.Minute).Format(time.RFC3339))
			}
			s.WriteString("}\n")
		}
	}
	return s.String()
}

// TestLawsUnderFaults holds the laws of the design on a site of five hundred miners of many
// makes, a few per cent of which are broken in random ways, while an operator limits nodes,
// holds miners and lets them go: no node above its limit, firm load never shed, what a person
// put to sleep stays asleep, every command with a reason, no interval missing.
func TestLawsUnderFaults(t *testing.T) {
	slow(t)
	t.Parallel()
	runs := 2
	if n, err := strconv.Atoi(os.Getenv(lawsEnv)); err == nil {
		runs = n
	}
	if !probe().rows {
		t.Skip("this system has one loopback address only")
	}
	for i := range runs {
		seed := uint64(1 + i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m := mix{rand.New(rand.NewPCG(seed, 7)), 500}
			m.play(t, rigOf(t, m.document(), nil))
		})
	}
}

// play does what operators do, for forty minutes of site time.
func (m mix) play(t *testing.T, r *rig) {
	ctx := context.Background()
	r.await("the controller acts", 3*time.Hour, func() bool { return r.app.Live().Mode != "static" })
	var asleep []string
	for range 6 {
		g := &r.file.Groups[m.IntN(len(r.file.Groups))]
		all := g.Targets()
		asleep = append(asleep, string(all[m.IntN(len(all))].Device))
	}
	if _, err := r.app.Hold(ctx, "test", api.HoldRequest{Devices: asleep, Mode: "sleep", Note: "a person's word"}); err != nil {
		t.Fatal(err)
	}
	held := r.clk.Now()
	firm := r.file.Tenants[0].Firm
	for range 6 {
		node := r.file.Nodes[m.IntN(len(r.file.Nodes)-1)].ID // not the tenant's own
		limit := r.node(node).Limit.Scale(0.2 + 0.7*m.Float64())
		if m.IntN(3) == 0 {
			// Above what is firm or does not obey: below it the site is short of power for the
			// tenant, and with the tenant's meter lost meanwhile that counts as not delivered.
			node, limit = "connection", firm.Scale(1.7+m.Float64()/2)
		}
		v, err := r.app.SetLimit(ctx, "test", api.LimitRequest{Node: node, PowerW: limit.Watts(), Note: "random"})
		if err != nil {
			t.Fatal(err)
		}
		r.pass(time.Duration(60+m.IntN(240)) * time.Second)
		if err := r.app.ClearLimit(ctx, "test", v.ID); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Duration(60+m.IntN(240)) * time.Second)
	}
	r.mu.Lock()
	for _, o := range r.orders {
		// An order given before the hold may still be on its way.
		if o.At.After(held.Add(30*time.Second)) && o.What == "setpoint" && o.Mode == site.ModeRun && slices.Contains(asleep, o.Device) {
			t.Errorf("%s, which a person put to sleep, was told to run at %s", o.Device, o.At.Format(time.TimeOnly))
		}
	}
	n := len(r.orders)
	r.mu.Unlock()
	if n < 100 {
		t.Errorf("only %d orders reached the devices: the test tests nothing", n)
	}
	t.Logf("%d orders, held %.0fx", n, r.clk.Held())
	r.check()
}
