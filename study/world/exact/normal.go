package exact

import "math"

// Normal returns the standard normal number below which a share u of all lies: -1.28 for 10 %. It
// is minus and plus infinity at 0 and 1, and NaN outside. By Wichura, "Algorithm AS 241: The
// Percentage Points of the Normal Distribution", Applied Statistics 37 (1988), PPND16.
func Normal(u float64) float64 {
	q := u - 0.5
	if math.Abs(q) <= 0.425 {
		return centre(q)
	}
	p := u
	if q > 0 {
		p = 1 - u
	}
	switch {
	case p == 0:
		return q * math.Inf(1)
	case !(p > 0):
		return math.NaN()
	}
	r := math.Sqrt(-Log(p))
	var v float64
	if r <= 5 {
		v = middle(r - 1.6)
	} else {
		v = far(r - 5)
	}
	if q < 0 {
		return -v
	}
	return v
}

func centre(q float64) float64 {
	r := 0.180625 - float64(q*q)
	num := horner8(r, 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
		4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3)
	den := horner8(r, 1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
		2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3)
	return float64(q*num) / den
}

func middle(r float64) float64 {
	num := horner8(r, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
	den := horner8(r, 1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)
	return num / den
}

func far(r float64) float64 {
	num := horner8(r, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
	den := horner8(r, 1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)
	return num / den
}

// horner8 is a polynomial of eight coefficients, the constant first.
func horner8(x, c0, c1, c2, c3, c4, c5, c6, c7 float64) float64 {
	v := float64(c7*x) + c6
	v = float64(v*x) + c5
	v = float64(v*x) + c4
	v = float64(v*x) + c3
	v = float64(v*x) + c2
	v = float64(v*x) + c1
	return float64(v*x) + c0
}

// Phi returns the share of all standard normal numbers that lies below z. By Cody, "Rational
// Chebyshev Approximations for the Error Function", Mathematics of Computation 23 (1969), as
// arranged for the normal distribution in Algorithm 715 (ACM TOMS 19, 1993).
func Phi(z float64) float64 {
	a := math.Abs(z)
	switch {
	case z != z:
		return z
	case a <= 0.67448975:
		return 0.5 + body(z)
	case a > 38.6:
		if z > 0 {
			return 1
		}
		return 0
	}
	var v float64
	if a <= 5.656854249492381 {
		v = shoulder(a)
	} else {
		v = wing(a)
	}
	// The square is taken in two parts, as its rounding would tell in the exponential.
	head := float64(math.Floor(float64(a*16)) / 16)
	rest := float64((a - head) * (a + head))
	v = float64(float64(Exp(float64(float64(-0.5*head)*head))*Exp(float64(-0.5*rest))) * v)
	if z > 0 {
		return 1 - v
	}
	return v
}

func body(z float64) float64 {
	t := float64(z * z)
	num, den := float64(0.065682337918207449113*t), t
	num = float64((num + 2.2352520354606839287) * t)
	den = float64((den + 47.20258190468824187) * t)
	num = float64((num + 161.02823106855587881) * t)
	den = float64((den + 976.09855173777669322) * t)
	num = float64((num + 1067.6894854603709582) * t)
	den = float64((den + 10260.932208618978205) * t)
	return float64(z*(num+18154.981253343561249)) / (den + 45507.789335026729956)
}

var (
	shoulderNum = [...]float64{
		0.39894151208813466764, 8.8831497943883759412, 93.506656132177855979, 597.27027639480026226,
		2494.5375852903726711, 6848.1904505362823326, 11602.651437647350124,
	}
	shoulderDen = [...]float64{
		22.266688044328115691, 235.38790178262499861, 1519.377599407554805, 6485.558298266760755,
		18615.571640885098091, 34900.952721145977266, 38912.003286093271411,
	}
	wingNum = [...]float64{0.21589853405795699, 0.1274011611602473639, 0.022235277870649807, 0.001421619193227893466}
	wingDen = [...]float64{1.28426009614491121, 0.468238212480865118, 0.0659881378689285515, 0.00378239633202758244}
)

func shoulder(a float64) float64 {
	num, den := float64(1.0765576773720192317e-8*a), a
	for i := range shoulderNum {
		num = float64((num + shoulderNum[i]) * a)
		den = float64((den + shoulderDen[i]) * a)
	}
	return (num + 9842.7148383839780218) / (den + 19685.429676859990727)
}

func wing(a float64) float64 {
	t := 1 / float64(a*a)
	num, den := float64(0.02307344176494017303*t), t
	for i := range wingNum {
		num = float64((num + wingNum[i]) * t)
		den = float64((den + wingDen[i]) * t)
	}
	v := float64(t*(num+2.9112874951168792e-5)) / (den + 7.29751555083966205e-5)
	const root = 0.398942280401432677939946059934 // one over the root of two pi
	return (root - v) / a
}
