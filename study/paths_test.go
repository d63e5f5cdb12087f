package study

import (
	"os"
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
