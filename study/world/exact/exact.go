// Package exact owns the elementary functions of a study's random paths: exponential, logarithm,
// power and the normal distribution, to within an ulp or two of the true value (Phi: ten) and with the same
// bits on every machine. The standard library's are assembly that differs from one processor to
// the next, and a product that is added may be rounded once or twice; here every product that may
// be added is rounded by an explicit conversion.
//
// It never uses a table, a processor's feature or math.FMA; of math only what is exact by definition.
//
// Concurrency: all functions are pure.
package exact

import "math"

// The head of ln 2 has 21 zeros at its end, so that its product with an exponent is exact.
const (
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = math.Ln2 - ln2Hi
	most  = 709.782712893384   // Exp overflows above
	least = -745.1332191019411 // Exp is zero below
)

// Exp returns e to the x.
func Exp(x float64) float64 { return expSum(x, 0) }

// expSum is e to the x+low, where low is less than an ulp or so of x.
func expSum(x, low float64) float64 {
	switch {
	case x != x || x > most:
		return x * math.Inf(1) // NaN stays NaN
	case x < least:
		return 0
	}
	k, hi, lo := reduce(x)
	lo -= low
	c := coth(hi - lo)
	r := hi - lo
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	return scale(y, k)
}

// reduce returns x as k ln 2 + hi - lo, |hi - lo| at most half of ln 2.
func reduce(x float64) (k int, hi, lo float64) {
	n := math.Floor(float64(x*math.Log2E) + 0.5)
	return int(n), x - float64(n*ln2Hi), float64(n * ln2Lo)
}

// coth is r - (r coth(r/2) - 2), by the series of Bernoulli's numbers; with c for it,
// e to the r is 1 + r + r c/(2-c). The first term left out is below 1e-18 where |r| < 0.35.
func coth(r float64) float64 {
	const (
		b1 = 1.0 / 6
		b2 = -1.0 / 360
		b3 = 1.0 / 15120
		b4 = -1.0 / 604800
		b5 = 1.0 / 23950080
		b6 = -691.0 / 653837184000
	)
	t := float64(r * r)
	u := float64(t * t)
	// Two short chains instead of a long one.
	even := b2 + float64(u*(b4+float64(u*b6)))
	odd := b1 + float64(u*(b3+float64(u*b5)))
	return r - float64(t*(odd+float64(t*even)))
}

// scale is y times two to the k.
func scale(y float64, k int) float64 {
	switch {
	case k < -1021:
		return float64(float64(y*power2(k+1000)) * power2(-1000))
	case k > 1023:
		return float64(float64(y*power2(k-1)) * 2)
	}
	return float64(y * power2(k))
}

func power2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// Expm1 returns e to the x less one, exact near zero too.
func Expm1(x float64) float64 {
	switch {
	case x != x || x > most:
		return x * math.Inf(1)
	case x < -40:
		return -1
	case x == 0:
		return x
	}
	k, hi, lo := reduce(x)
	r := hi - lo
	c := coth(r)
	if k == 0 {
		return r + float64(r*c)/(2-c)
	}
	low := lo - float64(r*c)/(2-c)
	if k > 60 {
		return scale(1-(low-hi), k)
	}
	p := power2(-k)
	return scale((1-p)-(low-hi), k)
}

// Log returns the natural logarithm of x.
func Log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	k, m := split(x)
	return logSum(k, m-1, 0)
}

// split returns x as m times two to the k, m between the root of a half and the root of two.
func split(x float64) (k int, m float64) {
	if x < 0x1p-1022 {
		x = float64(x * 0x1p54)
		k = -54
	}
	const root = 0x6a09e667f3bcd // the fraction of the root of two
	b := math.Float64bits(x)
	k += int(b>>52) - 1023
	f := b & (1<<52 - 1)
	if f >= root {
		k++
		return k, math.Float64frombits(f | 1022<<52)
	}
	return k, math.Float64frombits(f | 1023<<52)
}

// logSum is k ln 2 + log(1+f) + low.
func logSum(k int, f, low float64) float64 {
	s := f / (2 + f)
	half := float64(float64(0.5*f) * f)
	n := float64(k)
	if k == 0 {
		return f - (half - (float64(s*(half+atanh(s))) + low))
	}
	return float64(n*ln2Hi) - ((half - (float64(s*(half+atanh(s))) + (float64(n*ln2Lo) + low))) - f)
}

// atanh is 2 atanh(s)/s - 2, by its series; |s| is at most 0.172.
func atanh(s float64) float64 {
	z := float64(s * s)
	return float64(z * (2.0/3 + float64(z*tailSeries(z))))
}

// tailSeries is the series from 2/5 on, over z = s squared; the first term left out is below 1e-18.
func tailSeries(z float64) float64 {
	w := float64(z * z)
	even := 2.0/5 + float64(w*(2.0/9+float64(w*(2.0/13+float64(w*(2.0/17+float64(w*(2.0/21))))))))
	odd := 2.0/7 + float64(w*(2.0/11+float64(w*(2.0/15+float64(w*(2.0/19+float64(w*(2.0/23))))))))
	return even + float64(z*odd)
}

// Log1p returns the natural logarithm of 1+x, exact near zero too.
func Log1p(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64 || x == 0:
		return x
	case x < -1:
		return math.NaN()
	case x == -1:
		return math.Inf(-1)
	case x > -0.29 && x < 0.41:
		return logSum(0, x, 0)
	}
	u := 1 + x
	lost := 0.0
	if x < 1 {
		lost = x - (u - 1)
	} else if x < 0x1p60 {
		lost = 1 - (u - x)
	}
	k, m := split(u)
	return logSum(k, m-1, lost/u)
}

// Pow returns x to the y. It is NaN for a negative x with a y that is not whole.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x != x || y != y:
		return math.NaN()
	case x == 0 || math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Pow(x, y) // of these math knows by comparison alone
	case x < 0:
		if y != math.Floor(y) {
			return math.NaN()
		}
		v := Pow(-x, y)
		if math.Abs(y) < 0x1p53 && int64(y)&1 != 0 {
			v = -v
		}
		return v
	}
	hi, lo := logPair(x)
	p, e := product(y, hi)
	e += float64(y * lo)
	if !(math.Abs(p) < 800) || !(math.Abs(e) < 1) { // the tail is no number there, and tells nothing
		return Exp(float64(y * hi))
	}
	return expSum(p, e)
}

// logPair is the logarithm of x as a sum of two, some ten bits better than one can tell.
func logPair(x float64) (hi, lo float64) {
	k, m := split(x)
	n, f := float64(k), m-1
	d := 2 + f
	lost := f - (d - 2)
	s := f / d
	p, e := product(s, d)
	tail := ((f - p) - e - float64(s*lost)) / d
	// The series' first term, 2/3 of s cubed, in two parts as well.
	const (
		third    = 2.0 / 3
		thirdLow = 2.0/3 - 0x1.5555555555555p-1
	)
	z, ze := product(s, s)
	cube, ce := product(s, z)
	q, qe := product(cube, third)
	ce += float64(s*ze) + float64(float64(3*z)*tail)
	qe += float64(ce*third) + float64(cube*thirdLow)
	w := float64(float64(float64(z*z)*s) * tailSeries(z))
	a, b := sum(float64(n*ln2Hi), float64(2*s))
	c, g := sum(a, q)
	rest := float64(2*tail) + float64(n*ln2Lo) + qe
	return sum(c, w+(b+g+rest))
}

// sum is a+b and what is lost by rounding.
func sum(a, b float64) (s, e float64) {
	s = a + b
	v := s - a
	return s, (a - (s - v)) + (b - v)
}

// product is a times b and what is lost by rounding, by Veltkamp's and Dekker's halves.
func product(a, b float64) (p, e float64) {
	p = float64(a * b)
	ah, al := halves(a)
	bh, bl := halves(b)
	return p, ((float64(ah*bh) - p) + float64(ah*bl) + float64(al*bh)) + float64(al*bl)
}

func halves(a float64) (hi, lo float64) {
	t := float64(a * 0x8000001)
	hi = t - (t - a)
	return hi, a - hi
}
