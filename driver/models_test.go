package driver

import (
	"testing"

	"switchyard/unit"
)

func TestLookupModel(t *testing.T) {
	for name, want := range map[string]unit.Power{
		"Antminer S19 XP":      3010 * unit.Watt,
		"ANTMINER-S19XP":       3010 * unit.Watt,
		"S21":                  3500 * unit.Watt,
		"Antminer S21 XP Hyd.": 5676 * unit.Watt,
		"Antminer S21 Imm.":    0,
		"":                     0,
		"Antminer":             0,
		"Bitmain Antminer S9":  1323 * unit.Watt,
	} {
		f, ok := LookupModel(name)
		if f.Power != want || ok != (want > 0) {
			t.Errorf("LookupModel(%q) = %v, %v, want %v", name, f, ok, want)
		}
	}
}

func TestSplitBrand(t *testing.T) {
	for in, want := range map[string][2]string{
		"Antminer S19 Pro":        {"Antminer", "S19 Pro"},
		"Bitmain Antminer  S19XP": {"Antminer", "S19XP"},
		"antminer-S9":             {"Antminer", "S9"},
		"WhatsMiner M60":          {"", "WhatsMiner M60"},
		"Antminer":                {"", "Antminer"},
	} {
		if b, m := SplitBrand(in); b != want[0] || m != want[1] {
			t.Errorf("SplitBrand(%q) = %q, %q, want %q", in, b, m, want)
		}
	}
}
