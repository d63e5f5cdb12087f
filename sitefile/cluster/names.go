package cluster

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MaxMachines bounds the machines of a cluster.
const MaxMachines = 20_000

const (
	maxList = 64 << 10 // bytes of one list
	maxName = 253      // of one machine, as DNS has it
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)

// Names returns the machines that a list in Slurm's form names, in its order: "gpu[1-4]" are
// gpu1 to gpu4, "r[01-03]n[1,5-8]" are racks with padded numbers, a comma stands between
// entries. A list that is none, names one machine twice or more than MaxMachines machines is an
// error that says what would be right.
func Names(list string) ([]string, error) {
	const hint = `; write it like "gpu[1-4]", "node-a,node-b" or "r[01-03]n[1-8]"`
	if len(list) > maxList {
		return nil, fmt.Errorf("the list has more than the %d bytes allowed; write ranges such as gpu[1-99]", maxList)
	}
	entries, err := split(list)
	if err != nil {
		return nil, fmt.Errorf("%w"+hint, err)
	}
	var out []string
	seen := map[string]bool{}
	for _, e := range entries {
		if out, err = expand(out, "", e); err != nil {
			return nil, fmt.Errorf("%w"+hint, err)
		}
	}
	for _, n := range out {
		switch {
		case len(n) > maxName || !nameForm.MatchString(n):
			return nil, fmt.Errorf("%q cannot be a machine's name"+hint, short(n))
		case seen[n]:
			return nil, fmt.Errorf("the list names %s twice; remove one of them", n)
		}
		seen[n] = true
	}
	return out, nil
}

// split cuts a list at the commas outside brackets.
func split(list string) ([]string, error) {
	var out []string
	start, open := 0, -1
	for i, r := range list {
		switch {
		case r == '[' && open >= 0:
			return nil, fmt.Errorf("%q has a bracket inside brackets", short(list))
		case r == '[':
			open = i
		case r == ']' && open < 0:
			return nil, fmt.Errorf("%q has a bracket that nothing opens", short(list))
		case r == ']':
			open = -1
		case r == ',' && open < 0:
			out = append(out, strings.TrimSpace(list[start:i]))
			start = i + 1
		}
	}
	if open >= 0 {
		return nil, fmt.Errorf("%q has a bracket that nothing closes", short(list))
	}
	out = append(out, strings.TrimSpace(list[start:]))
	for _, e := range out {
		if e == "" {
			return nil, fmt.Errorf("%q has an empty entry", short(list))
		}
	}
	return out, nil
}

// expand appends the names of one entry, each with head before it.
func expand(out []string, head, entry string) ([]string, error) {
	if len(head) > maxName {
		return nil, fmt.Errorf("%q cannot be a machine's name", short(head))
	}
	before, rest, ranged := strings.Cut(entry, "[")
	if !ranged {
		if len(out) >= MaxMachines {
			return nil, fmt.Errorf("the list names more than the %d machines allowed", MaxMachines)
		}
		return append(out, head+entry), nil
	}
	inside, tail, _ := strings.Cut(rest, "]")
	for part := range strings.SplitSeq(inside, ",") {
		from, to, width, err := numbers(part)
		if err != nil {
			return nil, err
		}
		for n := from; n <= to; n++ {
			if out, err = expand(out, fmt.Sprintf("%s%s%0*d", head, before, width, n), tail); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// numbers reads "7", "01-03" or "8-12"; width is that of padded numbers, else 1.
func numbers(part string) (from, to, width int, err error) {
	low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
	if !ranged {
		high = low
	}
	if from, err = number(low); err != nil {
		return 0, 0, 0, err
	}
	if to, err = number(high); err != nil {
		return 0, 0, 0, err
	}
	width = 1
	if low[0] == '0' {
		width = len(low)
	}
	switch {
	case to < from:
		return 0, 0, 0, fmt.Errorf("the range %q runs backwards", part)
	case width > 1 && len(high) != width:
		return 0, 0, 0, fmt.Errorf("the range %q pads its numbers in two ways", part)
	}
	return from, to, width, nil
}

// number reads up to nine digits: more name no machine.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) > 9 || s[0] < '0' || s[0] > '9' {
		return 0, fmt.Errorf("%q is no number", short(s))
	}
	return n, nil
}

// short keeps a long text from filling the screen.
func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
