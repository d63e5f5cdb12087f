package finance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// macrs are the shares of cost that US tax law lets one write off in the first, second … year, in
// hundred-thousandths: IRS Publication 946, appendix A, table A-1 (half-year convention).
var macrs = map[string][]float64{
	"macrs-5": {20000, 32000, 19200, 11520, 11520, 5760},
	"macrs-7": {14290, 24490, 17490, 12490, 8930, 8920, 8930, 4460},
	"macrs-15": {
		5000, 9500, 8550, 7700, 6930, 6230, 5900, 5900, 5910, 5900, 5910, 5900, 5910, 5900,
		5910, 2950,
	},
	"macrs-20": {
		3750, 7219, 6677, 6177, 5713, 5285, 4888, 4522, 4462, 4461, 4462, 4461, 4462, 4461,
		4462, 4461, 4462, 4461, 4462, 4461, 2231,
	},
}

// MACRS is the table of a name: "macrs-5", "macrs-7", "macrs-15" and "macrs-20", or "line-39" for a
// straight line over so many years, from 1 to 100. Its shares sum to one.
func MACRS(name string) ([]float64, error) {
	if years, ok := strings.CutPrefix(name, "line-"); ok {
		n, err := strconv.Atoi(years)
		if err != nil || n < 1 || n > 100 {
			return nil, fmt.Errorf("%q has no years from 1 to 100; write it like %q", name, "line-39")
		}
		return slices.Repeat([]float64{1 / float64(n)}, n), nil
	}
	table, ok := macrs[name]
	if !ok {
		return nil, fmt.Errorf("%q is no way to write off; write macrs-5, macrs-7, macrs-15, macrs-20 or line-39", name)
	}
	shares := make([]float64, len(table))
	for y, v := range table {
		shares[y] = v / 1e5
	}
	return shares, nil
}
