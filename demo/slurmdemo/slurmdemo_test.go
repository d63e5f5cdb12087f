package slurmdemo

import (
	"io"
	"strings"
	"testing"

	"switchyard/demo"
)

func TestIsOff(t *testing.T) {
	const log = "1.5 off gpu1\n2.0 on gpu1\n2.5 off gpu2\n3.0 off gpu11\n"
	for node, want := range map[string]bool{"gpu1": false, "gpu2": true, "gpu11": true, "gpu3": false} {
		if got := isOff(log, node); got != want {
			t.Errorf("%s is off: %v", node, got)
		}
	}
	if isOff("", "gpu1") {
		t.Error("off without a word of it")
	}
}

func TestWhatASlurmCannotDoIsRefusedBeforeItIsStarted(t *testing.T) {
	for want, o := range map[string]demo.Options{
		"leave the speed at 1": {Speed: 60},
		"at most 16":           {Miners: 600},
	} {
		o.Out, o.Err = io.Discard, io.Discard
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
