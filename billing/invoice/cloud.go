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
	if len(s.GPUs) == 0 {
		return
	}
	within := split(s, between(b.in.Rows, s.Start, s.End)).within
	for _, p := range s.GPUs {
		b.add(Line{
			Kind: GPUReserved, Text: fmt.Sprintf("%d reserved GPUs %s, take or pay%s", p.GPUs, p.Model, b.when(s.Start, s.End)),
			Quantity: quantity(p.Hours()), Unit: "GPU-hour", Rate: p.Rate.Dollars(), Amount: p.Amount,
			Evidence: b.evidence(GPUReserved, s.Start, s.End, fmt.Sprintf("%s GPU-hours of them were used", grouped(within[p.Model].float()))),
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

// gpuTime is GPU time of a stretch by model: within what is reserved, and beyond it.
type gpuTime struct{ within, onDemand, interruptible map[string]hours }

// split says of each interval's GPU time what is within the reservation. A reservation is
// capacity: the tenant's jobs on that model use it first, whatever queue they came from, the
// reserved ones before those on demand and these before interruptible ones. What is left over is
// beyond it; of reserved jobs that is on demand.
func split(s contract.Stretch, rows []usage.Row) gpuTime {
	out := gpuTime{map[string]hours{}, map[string]hours{}, map[string]hours{}}
	held := map[string]time.Duration{} // in one interval
	for _, p := range s.GPUs {
		held[p.Model] += time.Duration(p.GPUs) * telemetry.Length
	}
	left := map[string]time.Duration{}
	for i := range rows {
		clear(left)
		for _, sale := range []usage.Sale{usage.Reserved, usage.OnDemand, usage.Interruptible} {
			beyond := out.onDemand
			if sale == usage.Interruptible {
				beyond = out.interruptible
			}
			for _, g := range rows[i].GPUs {
				if g.How != sale || g.Used <= 0 {
					continue
				}
				free, known := left[g.Model]
				if !known {
					free = held[g.Model]
				}
				in := min(free, g.Used)
				left[g.Model] = free - in
				if in > 0 {
					out.within[g.Model] = out.within[g.Model].add(in)
				}
				if over := g.Used - in; over > 0 {
					beyond[g.Model] = beyond[g.Model].add(over)
				}
			}
		}
	}
	return out
}

// onDemand makes the lines of GPU time used beyond what is reserved. Time of a model that the
// contract names no rate for is an error: it would be given away unseen.
func (b *bill) onDemand(s contract.Stretch) error {
	if s.Version.Cloud == nil {
		return nil
	}
	had := split(s, between(b.in.Rows, s.Start, s.End))
	for _, part := range []struct {
		kind  LineKind
		name  string
		used  map[string]hours
		rates map[string]unit.Money
	}{
		{GPUOnDemand, "on demand, beyond what is reserved", had.onDemand, s.Version.Cloud.OnDemand},
		{GPUInterrupt, "interruptible, beyond what is reserved", had.interruptible, s.Version.Cloud.Interruptible},
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
