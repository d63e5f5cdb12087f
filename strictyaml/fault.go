package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing wrong in a file.
type Fault struct {
	File         string
	Line, Column int    // from 1
	Path         string // the key, such as "groups[1].driver"; empty for the file as a whole
	Message      string // what is wrong
	Suggestion   string // what would be right; may be empty
}

// Error prints the fault on one line: file, line, column, key, what is wrong, what would be right.
func (f Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		s += f.Path + ": "
	}
	s += f.Message
	if f.Suggestion != "" {
		s += "; " + f.Suggestion
	}
	return s
}

// Faults are all things wrong in a file. An empty list is no error: return it as an error
// through Err only.
type Faults []Fault

// Error prints all faults, one a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults as an error, or nil where there are none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sorted returns the faults in the order of the file, each once, at most MaxFaults of
// them; a last one then says how many more there are.
func (fs Faults) Sorted() Faults {
	if len(fs) == 0 {
		return nil
	}
	out := slices.Clone(fs)
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	out = slices.Compact(out)
	if more := len(out) - MaxFaults; more > 0 {
		last := out[MaxFaults-1]
		out = append(out[:MaxFaults:MaxFaults], Fault{File: last.File, Line: last.Line, Column: last.Column, Message: fmt.Sprintf("and %d more faults", more)})
	}
	return out
}

// Suggest says which of the allowed words was probably meant by word, or else lists them.
func Suggest(word string, allowed []string) string {
	if near := Nearest(word, allowed); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	if len(allowed) == 0 {
		return ""
	}
	const most = 24
	list := strings.Join(allowed[:min(len(allowed), most)], ", ")
	if len(allowed) > most {
		list += ", …"
	}
	if len(allowed) == 1 {
		return "it can be " + list
	}
	return "it can be one of " + list
}

// Nearest returns the allowed word closest to word when it is close enough to have been
// meant, else "".
func Nearest(word string, allowed []string) string {
	const longest = 64 // no key of ours is longer, and the distance takes the square of it
	plain := strip(word)
	best, least := "", 1<<30
	if plain == "" || len(plain) > longest {
		return ""
	}
	for _, a := range allowed {
		b := strip(a)
		if d := distance(plain, b); d < least && d <= max(1, min(len(plain), len(b))/3) {
			best, least = a, d
		}
	}
	return best
}

// strip makes PoolFee, pool-fee and pool_fee one word.
func strip(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(s))
}

// distance counts the letters to add, drop, change or swap with their neighbour.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
