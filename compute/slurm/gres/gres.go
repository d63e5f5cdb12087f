// Package gres owns Slurm's short texts for what a job or node has: GPUs with their indices, counts
// by TRES, and lists of nodes. It never holds more than a bound of what a text unfolds to.
//
// Concurrency: all functions are pure.
package gres

import (
	"fmt"
	"strconv"
	"strings"
)

// The most that one text may unfold to, so that no answer costs us our memory.
const (
	MostHosts   = 20_000 // nodes of one list
	mostIndices = 256
)

// GPUs counts the GPUs of a gres text, "gpu:h100:4(IDX:0-3),license:2" or "gpu:2(S:0-1)", and
// tells their indices where it does.
func GPUs(s string) (count int, indices []int) {
	for _, item := range splitOutside(s) {
		body, paren, _ := strings.Cut(strings.TrimSpace(item), "(")
		body = strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(body, "gres:"), "gres/"), "=", ":")
		fields := strings.Split(body, ":")
		if fields[0] != "gpu" {
			continue
		}
		n := 1
		if len(fields) > 1 {
			if v, err := strconv.Atoi(fields[len(fields)-1]); err == nil {
				n = v
			}
		}
		if n < 0 || n > 1<<20 {
			continue
		}
		count += n
		if idx, ok := strings.CutPrefix(strings.TrimSuffix(paren, ")"), "IDX:"); ok {
			indices = append(indices, intRanges(idx)...)
		}
	}
	return count, indices
}

// TRES counts the GPUs of a TRES text, "cpu=4,node=2,gres/gpu=8,gres/gpu:h100=8". The count
// without a type holds; those by type add up where it is missing.
func TRES(s string) int {
	typed := 0
	for item := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(item), "=")
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 1<<20 {
			continue
		}
		switch {
		case k == "gres/gpu":
			return n
		case strings.HasPrefix(k, "gres/gpu:"):
			typed = min(typed+n, 1<<20)
		}
	}
	return typed
}

// splitOutside splits at commas that stand in neither brackets nor parentheses.
func splitOutside(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[', '(':
			depth++
		case ']', ')':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	if from < len(s) {
		out = append(out, s[from:])
	}
	return out
}

// intRanges reads "0-3,7"; what is no number is left out.
func intRanges(s string) []int {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(lo)
		if err != nil || a < 0 {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(hi); err != nil {
				continue
			}
		}
		for ; a <= b && len(out) < mostIndices; a++ {
			out = append(out, a)
		}
	}
	return out
}

// Hosts unfolds Slurm's hostlist form: "gpu[1-3,07],login". Two brackets in one name are unfolded
// one after the other.
func Hosts(s string) ([]string, error) {
	var out []string
	for _, item := range splitOutside(s) {
		if item = strings.TrimSpace(item); item == "" || item == "(null)" {
			continue
		}
		var err error
		if out, err = unfold(out, "", item, 0); err != nil {
			return nil, fmt.Errorf("list of nodes %.80q: %w", s, err)
		}
	}
	return out, nil
}

func unfold(out []string, done, rest string, depth int) ([]string, error) {
	open := strings.IndexByte(rest, '[')
	if open < 0 {
		if len(out) >= MostHosts {
			return nil, fmt.Errorf("more than %d nodes", MostHosts)
		}
		return append(out, done+rest), nil
	}
	end := strings.IndexByte(rest, ']')
	if end < open || depth == 3 {
		return nil, fmt.Errorf("its brackets do not close")
	}
	for part := range strings.SplitSeq(rest[open+1:end], ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.Atoi(lo)
		b, err2 := strconv.Atoi(hi)
		if err1 != nil || err2 != nil || a < 0 || b < a || b-a >= MostHosts {
			return nil, fmt.Errorf("%.40q is no range", part)
		}
		for ; a <= b; a++ {
			var err error
			name := fmt.Sprintf("%s%s%0*d", done, rest[:open], len(lo), a)
			if out, err = unfold(out, name, rest[end+1:], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
