package driver

import (
	"strings"
	"testing"

	"switchyard/unit"
)

// A family has a figure, a bin its own, a variant of a chip its model's, and what is not
// listed has none.
func TestLookupModel(t *testing.T) {
	for name, want := range map[string]unit.Power{
		"Antminer S19 XP":               3010 * unit.Watt,
		"ANTMINER-S19XP":                3010 * unit.Watt,
		"S19 XP (141T)":                 3032 * unit.Watt,
		"Antminer S19 XP 134TH/s":       2881 * unit.Watt,
		"S19 XP (999T)":                 3010 * unit.Watt,
		"S21":                           3500 * unit.Watt,
		"Antminer S21 XP Hyd.":          5676 * unit.Watt,
		"Antminer S21 XP Hydro":         5676 * unit.Watt,
		"Antminer S21 Imm.":             5569 * unit.Watt,
		"Antminer S21 Immersion":        5569 * unit.Watt,
		"Antminer T21":                  3610 * unit.Watt,
		"Bitmain Antminer S9":           1323 * unit.Watt,
		"M60S_VK40":                     3441 * unit.Watt,
		"M50S++ VH70":                   3080 * unit.Watt,
		"M20SV10":                       3360 * unit.Watt,
		"M30S++_VE30":                   3472 * unit.Watt,
		"MicroBT WhatsMiner M66S++VL20": 5518 * unit.Watt,
		"AvalonMiner 1246":              3420 * unit.Watt,
		"AvalonMiner 1166Pro":           3400 * unit.Watt,
		"Canaan Avalon A15Pro-221T":     3662 * unit.Watt,
		"Avalon Q":                      1674 * unit.Watt,
		"Avalon Nano3s":                 140 * unit.Watt,
		"SEALMINER A2 Pro":              3790 * unit.Watt,
		"SealMiner A2_Pro_Hyd":          7450 * unit.Watt,
		"Auradine Teraflux AH3880":      8700 * unit.Watt,
		"Proto Rig":                     12000 * unit.Watt,
		"bitaxeGamma":                   17 * unit.Watt,
		"Bitaxe Gamma 601":              17 * unit.Watt,
		"NerdQAxe++":                    76 * unit.Watt,
		"T2T 26T":                       2100 * unit.Watt,
		"Ebang Ebit E12+":               2500 * unit.Watt,
		// What is not listed, or of another make.
		"":                        0,
		"Antminer":                0,
		"Antminer S19 XP Plus":    0,
		"WhatsMiner S19 XP":       0,
		"Antminer 1246":           0,
		"V40":                     0,
		"(141T)":                  0,
		strings.Repeat("S19", 99): 0,
	} {
		f, ok := LookupModel(name)
		if f.Power != want || ok != (want > 0) {
			t.Errorf("LookupModel(%q) = %v, %v, want %v", name, f, ok, want)
		}
	}
}

func TestSplitBrand(t *testing.T) {
	for in, want := range map[string][2]string{
		"Antminer S19 Pro":         {"Antminer", "S19 Pro"},
		"Bitmain Antminer  S19XP":  {"Antminer", "S19XP"},
		"antminer-S9":              {"Antminer", "S9"},
		"WhatsMiner M60":           {"WhatsMiner", "M60"},
		"Canaan AvalonMiner 1246":  {"Avalon", "1246"},
		"Avalon Made A1466":        {"Avalon", "A1466"},
		"Avalonia 5":               {"", "Avalonia 5"},
		"SEALMINER_A2":             {"SealMiner", "A2"},
		"Auradine Teraflux AT2880": {"Auradine", "AT2880"},
		"Prototype":                {"", "Prototype"},
		"BMM 101":                  {"", "BMM 101"},
		"Antminer":                 {"", "Antminer"},
		"Bitmain Antminer":         {"Antminer", "Antminer"},
		"":                         {"", ""},
	} {
		if b, m := SplitBrand(in); b != want[0] || m != want[1] {
			t.Errorf("SplitBrand(%q) = %q, %q, want %q", in, b, m, want)
		}
	}
}

// The table itself: no faults, of every make that there is to be, and each row is found by
// its own name and bin.
func TestModelsTable(t *testing.T) {
	list, err := parseModels(modelsCSV)
	if err != nil {
		t.Fatal(err)
	}
	models, makes := map[string]bool{}, map[string]int{}
	for _, m := range list {
		models[m.Make+" "+m.Model] = true
		makes[m.Make]++
		if m.Power < 5*unit.Watt || m.Power > 30*unit.Kilowatt {
			t.Errorf("%s %s: %s", m.Make, m.Model, m.Power)
		}
		got, ok := FindModel(m.Make + " " + m.Model)
		if !ok || got.Make != m.Make || got.Model != m.Model {
			t.Errorf("%s %s is found as %s %s", m.Make, m.Model, got.Make, got.Model)
		}
	}
	if len(models) < 60 {
		t.Errorf("%d models, 60 are the least", len(models))
	}
	for _, name := range []string{"Antminer", "WhatsMiner", "Avalon", "SealMiner", "Auradine", "Proto", "Bitaxe", "NerdQAxe", "Innosilicon", "Ebang"} {
		if makes[name] == 0 {
			t.Errorf("no model of %s", name)
		}
	}
	if t21, _ := FindModel("T21 233T"); !t21.Low.OK || t21.Low.V.Power != 3610*unit.Watt {
		t.Errorf("the T21's normal mode: %+v", t21.Low)
	}
}

func TestModelsTableIsStrict(t *testing.T) {
	head := strings.Join(columns(), ",") + "\n"
	good := "Antminer,S9,13.5,1323,98,air,sha256,,,a list 2026\n"
	if _, err := parseModels([]byte(head + good)); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"first line must be":  good,
		"the same as line 2":  head + good + "Antminer,s-9,13.5,1323,98,air,sha256,,,a list 2026\n",
		"wrong number":        head + "Antminer,S9\n",
		"J/TH":                head + "Antminer,S9,13.5,1323,95,air,sha256,,,a list 2026\n",
		"th:":                 head + "Antminer,S9,,1323,95,air,sha256,,,a list 2026\n",
		"watts:":              head + "Antminer,S9,13.5,-1,95,air,sha256,,,a list 2026\n",
		"cooling":             head + "Antminer,S9,13.5,1323,98,oil,sha256,,,a list 2026\n",
		"algorithm":           head + "Antminer,S9,13.5,1323,98,air,scrypt,,,a list 2026\n",
		"source":              head + "Antminer,S9,13.5,1323,98,air,sha256,,,somebody\n",
		"the model":           head + "Antminer,,13.5,1323,98,air,sha256,,,a list 2026\n",
		"not below":           head + "Antminer,S9,13.5,1323,98,air,sha256,14,1400,a list 2026\n",
		"low_watts":           head + "Antminer,S9,13.5,1323,98,air,sha256,10,,a list 2026\n",
		"line 3: cooling \"x": head + good + "Antminer,S8,13.5,1323,98,x,sha256,,,a list 2026\n",
	} {
		if _, err := parseModels([]byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want a fault with %q, got %v", what, err)
		}
	}
}
