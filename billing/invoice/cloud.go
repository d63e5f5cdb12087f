package invoice

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/telemetry"
	"switchyard/unit"
)

// reserved makes the lines of GPUs that are owed whether used or not.
func (b *bill) reserved(s contract.Stretch) {
	for _, p := range s.GPUs {
		var used hours
		for _, r := range between(b.in.Rows, s.Start, s.End) {
			for _, g := range r.GPUs {
				if g.How == usage.Reserved && g.Model == p.Model {
					used = used.add(g.Used)
				}
			}
		}
		b.add(Line{
			Kind: GPUReserved, Text: fmt.Sprintf("%d reserved GPUs %s, take or pay%s", p.GPUs, p.Model, b.when(s.Start, s.End)),
			Quantity: quantity(p.Hours()), Unit: "GPU-hour", Rate: p.Rate.Dollars(), Amount: p.Amount,
			Evidence: b.evidence(GPUReserved, s.Start, s.End, fmt.Sprintf("%s GPU-hours of them were used", grouped(used.float()))),
		})
	}
}

// storage makes the line of space on our disks.
func (b *bill) storage(s contract.Stretch) {
	for _, p := range s.Storage {
		if p.Amount == 0 {
			continue
		}
		b.add(Line{
			Kind: StorageLine, Text: fmt.Sprintf("Storage of %s TB%s", strconv.FormatFloat(p.TB, 'f', -1, 64), b.when(s.Start, s.End)),
			Quantity: quantity(p.TB * float64(p.Days) / float64(p.Of)), Unit: "TB-month", Rate: p.Rate.Dollars(), Amount: p.Amount,
			Evidence: b.evidence(StorageLine, s.Start, s.End),
		})
	}
}

// beyond is GPU time of a stretch that reservations do not hold, by model. What a tenant's
// reserved jobs used in an interval beyond the GPUs reserved counts as on demand.
func beyond(s contract.Stretch, rows []usage.Row) (onDemand, interruptible map[string]hours) {
	onDemand, interruptible = map[string]hours{}, map[string]hours{}
	held := map[string]time.Duration{} // in one interval
	for _, p := range s.GPUs {
		held[p.Model] += time.Duration(p.GPUs) * telemetry.Length
	}
	put := func(m map[string]hours, model string, d time.Duration) {
		if d > 0 {
			m[model] = m[model].add(d)
		}
	}
	for i := range rows {
		reserved := map[string]time.Duration(nil)
		for _, g := range rows[i].GPUs {
			switch g.How {
			case usage.OnDemand:
				put(onDemand, g.Model, g.Used)
			case usage.Interruptible:
				put(interruptible, g.Model, g.Used)
			case usage.Reserved:
				if reserved == nil {
					reserved = map[string]time.Duration{}
				}
				reserved[g.Model] += g.Used
			}
		}
		for model, used := range reserved {
			put(onDemand, model, used-held[model])
		}
	}
	return onDemand, interruptible
}

// onDemand makes the lines of GPU time used beyond what is reserved. Time of a model that the
// contract names no rate for is an error: it would be given away unseen.
func (b *bill) onDemand(s contract.Stretch) error {
	if s.Version.Cloud == nil {
		return nil
	}
	more, spot := beyond(s, between(b.in.Rows, s.Start, s.End))
	for _, part := range []struct {
		kind  LineKind
		name  string
		used  map[string]hours
		rates map[string]unit.Money
	}{
		{GPUOnDemand, "on demand, beyond what is reserved", more, s.Version.Cloud.OnDemand},
		{GPUInterrupt, "interruptible", spot, s.Version.Cloud.Interruptible},
	} {
		for _, model := range slices.Sorted(maps.Keys(part.used)) {
			rate, ok := part.rates[model]
			h := part.used[model]
			if !ok {
				return fmt.Errorf("%s in %s: %w for %s of model %q, of which %s GPU-hours were used: add it to the version from %s",
					b.in.Contract.Tenant, b.in.Period.Month, ErrNoRate, part.kind, model, grouped(h.float()), s.Version.From)
			}
			b.add(Line{
				Kind: part.kind, Text: fmt.Sprintf("GPUs %s %s%s", model, part.name, b.when(s.Start, s.End)),
				Quantity: quantity(h.float()), Unit: "GPU-hour", Rate: rate.Dollars(), Amount: h.cost(rate),
				Evidence: b.evidence(part.kind, s.Start, s.End),
			})
		}
	}
	return nil
}
