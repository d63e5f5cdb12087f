package study

import (
	"os"
	"slices"
	"strings"
	"testing"

	"switchyard/study/input"
)

// A fault in one future is the study's error, and not the program's end.
func TestFaultOfAFuture(t *testing.T) {
	f, faults := input.Parse("sample.yaml", input.Sample(), os.ReadFile)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(f)
	if err != nil {
		t.Fatal(err)
	}
	err = e.each(t.Context(), 500, 2, 1, nil, func(_ *worker, path int) {
		if path == 77 {
			panic("no such future")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "no such future") {
		t.Errorf("the fault was told as %v", err)
	}
}

// Where nothing binds, each hall takes the option that is worth most over all futures, and not in the expected case.
func TestChosenByTheMean(t *testing.T) {
	f := sample(t)
	f.Limits = input.Limits{}
	r := run(t, f, 400)
	differs := 0
	for _, c := range r.Best {
		most, expected := "", ""
		var mean, alone float64
		for _, o := range r.Options {
			if o.Hall != c.Hall {
				continue
			}
			if most == "" || o.NPV.Mean > mean {
				most, mean = o.Name, o.NPV.Mean
			}
			if expected == "" || o.Expected > alone {
				expected, alone = o.Name, o.Expected
			}
		}
		if c.Option != most || !about(c.NPV.Mean, mean) {
			t.Errorf("%s takes %s, worth %.0f; %s is worth %.0f", c.Hall, c.Option, c.NPV.Mean, most, mean)
		}
		if most != expected {
			differs++
		}
	}
	if told := len(slices.DeleteFunc(r.Findings, func(f Finding) bool { return f.Kind != "choice" })); differs == 0 || told != differs {
		t.Errorf("in %d halls the expected case would choose otherwise, and %d findings say so", differs, told)
	}
}
