package main

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestErrorsOfSeveralLinesAreIndented(t *testing.T) {
	if got := message(errors.Join(errors.New("one"), errors.New("two\nthree"))); got != "one\n  two\n  three" {
		t.Errorf("%q", got)
	}
	if got := message(errors.New("one\n")); got != "one" {
		t.Errorf("%q", got)
	}
}

func TestProgressTellsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := (&cli{err: &out}).progress()
		for i := range 20 {
			time.Sleep(time.Second)
			p.Tell("wave %d", i/10)
		}
		p.Done()
		if got := out.String(); got != "wave 0\nwave 1\n" {
			t.Errorf("%q", got)
		}
	})
}
