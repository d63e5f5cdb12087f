package input

import "testing"

func TestExampleIsSound(t *testing.T) {
	f, faults := Parse("study.yaml", Example(), nil)
	if faults != nil {
		t.Fatal(faults)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("the example has warnings:\n%v", f.Warnings)
	}
	if len(f.Halls) != 4 || len(f.Options) != 5 || f.Months() != 144 || f.Start.String() != "2027-01" {
		t.Errorf("the example is not of four halls, five options and twelve years: %d, %d, %d from %v", len(f.Halls), len(f.Options), f.Months(), f.Start)
	}
}
