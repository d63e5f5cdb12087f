package finance

// The reasons for which there is no internal rate of return.
const (
	NothingIn   = "no money is put in"
	NeverBack   = "it never comes back"
	SeveralFit  = "more than one rate"
	BringsFirst = "it brings money before it costs any"
	OutOfReach  = "no rate within reach fits"
)

// IRR is the internal rate of return of monthly flows as an effective rate a year, (1+monthly)^12 - 1.
// Where several rates fit, it is the one above zero if flows, summed up, go from below zero to above
// it just once (Norstrom's rule: then there is no other above zero); else there is none.
func IRR(monthly []float64) Rate {
	r := PeriodIRR(monthly)
	if r.None != "" {
		return r
	}
	growth := 1.0
	for range 12 {
		growth *= 1 + r.Is
	}
	return Rate{Is: growth - 1}
}

// PeriodIRR is the internal rate of return per period of the flows.
func PeriodIRR(flows []float64) Rate {
	flows, changes := trimmed(flows)
	in, out := 0.0, 0.0
	for _, f := range flows {
		in, out = in+max(0, f), out+max(0, -f)
	}
	switch {
	case out == 0:
		return Rate{None: NothingIn}
	case in == 0:
		return Rate{None: NeverBack}
	}
	// Of a flow that changes its sign once there is just one rate (Descartes).
	if changes == 1 {
		if flows[0] > 0 {
			return Rate{None: BringsFirst}
		}
		return bracketed(flows, lowest, highest)
	}
	roots := rootsOf(flows)
	if len(roots) == 0 {
		return Rate{None: OutOfReach}
	}
	if len(roots) == 1 {
		if worth(flows, highest) > 0 {
			return Rate{None: BringsFirst}
		}
		return Rate{Is: roots[0] - 1}
	}
	if norstrom(flows) {
		for _, x := range roots {
			if x > 1 {
				return Rate{Is: x - 1}
			}
		}
	}
	return Rate{None: SeveralFit}
}

// The growth factors a period between which rates are sought: a month in which 45 % is lost, and one
// in which money grows fifteenfold.
const lowest, highest = 0.55, 15.0

// trimmed leaves out zeros at either end, and says how often the sign changes.
func trimmed(flows []float64) (inner []float64, changes int) {
	for len(flows) > 0 && flows[0] == 0 {
		flows = flows[1:]
	}
	for len(flows) > 0 && flows[len(flows)-1] == 0 {
		flows = flows[:len(flows)-1]
	}
	last := 0.0
	for _, f := range flows {
		if f != 0 {
			if last != 0 && (f > 0) != (last > 0) {
				changes++
			}
			last = f
		}
	}
	return flows, changes
}

// worth is a multiple, above zero, of the present value at a growth factor: discounted forward
// where that is above one, backward below, so that it neither overflows nor vanishes.
func worth(flows []float64, x float64) float64 {
	sum := 0.0
	if x >= 1 {
		v := 1 / x
		for i := len(flows) - 1; i >= 0; i-- {
			sum = float64(sum*v) + flows[i]
		}
		return sum
	}
	for _, f := range flows {
		sum = float64(sum*x) + f
	}
	return sum
}

// bracketed bisects: 60 halvings leave 1e-17 of the bracket.
func bracketed(flows []float64, low, high float64) Rate {
	a, b := worth(flows, low), worth(flows, high)
	if a == 0 {
		return Rate{Is: low - 1}
	}
	if (a > 0) == (b > 0) {
		if a < 0 {
			return Rate{None: NeverBack}
		}
		return Rate{None: OutOfReach}
	}
	for range 60 {
		mid := (low + high) / 2
		if (worth(flows, mid) > 0) == (a > 0) {
			low = mid
		} else {
			high = mid
		}
	}
	return Rate{Is: float64((low+high)/2) - 1}
}

// rootsOf samples the profile of present value, closely about the rates that people quote, and
// returns the growth factors at which it crosses zero, the lowest first.
func rootsOf(flows []float64) []float64 {
	var roots []float64
	x, before := lowest, worth(flows, lowest)
	for x < highest {
		step := 1.01
		if x > 0.97 && x < 1.06 {
			step = 1.0005
		}
		next := x * step
		now := worth(flows, next)
		if before == 0 {
			roots = append(roots, x)
		} else if now != 0 && (now > 0) != (before > 0) {
			roots = append(roots, 1+bracketed(flows, x, next).Is)
		}
		x, before = next, now
	}
	return roots
}

// norstrom says that the running sum begins below zero, ends above it and crosses it once.
func norstrom(flows []float64) bool {
	sum, above := 0.0, false
	for _, f := range flows {
		sum += f
		if above && sum < 0 {
			return false
		}
		above = above || sum > 0
	}
	return above && sum > 0 && flows[0] < 0
}
