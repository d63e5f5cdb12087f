package dispatch

import (
	"cmp"
	"slices"
)

// smallSort is the number of blocks up to which a comparison sort is faster.
const smallSort = 512

// sortItems sorts best worth first; equal worths keep their order, which is that of the
// offers. spare is scratch of at least the same length.
//
// A site's values spread over few bits (a thousand $/MWh in steps of a micro-dollar are 30),
// so a radix sort needs three or four passes, where a comparison sort needs fourteen levels.
func sortItems(a, spare []item) {
	if len(a) <= smallSort {
		slices.SortStableFunc(a, func(x, y item) int { return cmp.Compare(y.worth, x.worth) })
		return
	}
	high, low := a[0].worth, a[0].worth
	for _, it := range a {
		high, low = max(high, it.worth), min(low, it.worth)
	}
	const bits = 11
	var count [1 << bits]int32
	from, to := a, spare[:len(a)]
	// high - worth is never negative, also through the wrap of uint64, and sorts best first.
	spread := uint64(high) - uint64(low)
	for shift := 0; shift < 64 && spread>>shift != 0; shift += bits {
		clear(count[:])
		for i := range from {
			count[(uint64(high)-uint64(from[i].worth))>>shift&(1<<bits-1)]++
		}
		sum := int32(0)
		for i, n := range count {
			count[i], sum = sum, sum+n
		}
		for i := range from {
			k := (uint64(high) - uint64(from[i].worth)) >> shift & (1<<bits - 1)
			to[count[k]] = from[i]
			count[k]++
		}
		from, to = to, from
	}
	if &from[0] != &a[0] {
		copy(a, from)
	}
}
