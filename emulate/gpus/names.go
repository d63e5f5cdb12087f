package gpus

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNames bounds one list of names, and maxDigits the width of a number in it.
const (
	maxNames  = 100_000
	maxDigits = 9
)

// Expand writes a list of names in Slurm's short form out: "gpu[1-3,07-09],login" is gpu1, gpu2,
// gpu3, gpu07, gpu08, gpu09, login. Brackets may stand once in a name.
func Expand(list string) ([]string, error) {
	var names []string
	for rest := list; rest != ""; {
		var one string
		one, rest = nextName(rest)
		head, tail, has := strings.Cut(one, "[")
		switch {
		case one == "":
			return nil, fmt.Errorf("%q has an empty name; write names like \"gpu[1-4],login\"", list)
		case !has:
			names = append(names, one)
		default:
			ranges, end, ok := strings.Cut(tail, "]")
			if !ok || strings.ContainsAny(end, "[]") {
				return nil, fmt.Errorf("%q: brackets do not close, or stand twice", one)
			}
			for _, r := range strings.Split(ranges, ",") {
				var err error
				if names, err = appendRange(names, head, r, end); err != nil {
					return nil, fmt.Errorf("%q: %w", one, err)
				}
			}
		}
		if len(names) > maxNames {
			return nil, fmt.Errorf("%q is more than %d names", list, maxNames)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no names; write names like \"gpu[1-4]\"")
	}
	return names, nil
}

// nextName cuts the first name off, at a comma outside brackets.
func nextName(s string) (one, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

func appendRange(names []string, head, r, tail string) ([]string, error) {
	low, high, span := strings.Cut(r, "-")
	if !span {
		high = low
	}
	if len(low) > maxDigits || len(high) > maxDigits {
		return nil, fmt.Errorf("%q: a number has more than %d digits", r, maxDigits)
	}
	from, err := strconv.ParseUint(low, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is no number or range of numbers", r)
	}
	to, err := strconv.ParseUint(high, 10, 32)
	if err != nil || to < from {
		return nil, fmt.Errorf("%q is no range that rises", r)
	}
	if to-from >= maxNames {
		return nil, fmt.Errorf("%q is more than %d names", r, maxNames)
	}
	for i := from; i <= to; i++ {
		names = append(names, fmt.Sprintf("%s%0*d%s", head, len(low), i, tail))
	}
	return names, nil
}
