package driver

import (
	"strings"

	"switchyard/unit"
)

// Nameplate is what a maker publishes of a model: at the wall, at 25 to 35 deg C, within
// 5 to 10 %. A site file's figures come before it.
type Nameplate struct {
	Power    unit.Power
	Hashrate unit.Hashrate
}

// LookupModel returns the nameplate of a model by its name, such as "Antminer S19 XP" or "s19xp".
// The brand, case, blanks and hyphens do not count; a suffix like "Hyd." does. A model that
// is not listed is unknown: nothing is guessed from its name.
func LookupModel(model string) (Nameplate, bool) {
	key := plainModel(model)
	for _, r := range antminers {
		if plainModel(r.model) == key {
			return Nameplate{unit.Watts(r.watts), unit.Hashrate(r.terahash) * unit.TeraHash}, true
		}
	}
	return Nameplate{}, false
}

// SplitBrand cuts the brand off a model's name: "Antminer S19 XP" is Antminer, S19 XP.
func SplitBrand(name string) (brand, model string) {
	name = strings.Join(strings.Fields(name), " ")
	for _, b := range []string{"Bitmain", "Antminer"} {
		if len(name) > len(b) && strings.EqualFold(name[:len(b)], b) {
			brand, name = "Antminer", strings.TrimLeft(name[len(b):], " -")
		}
	}
	return brand, name
}

// antminers are Bitmain's figures for the most sold bin of each model.
var antminers = []struct {
	model           string
	terahash, watts float64
}{
	{"S9", 13.5, 1323},
	{"S17e", 64, 2880},
	{"S19", 95, 3250},
	{"S19 Pro", 110, 3250},
	{"S19j Pro", 104, 3068},
	{"S19k Pro", 120, 2760},
	{"S19 XP", 140, 3010},
	{"S19 XP Hyd", 255, 5304},
	{"T19", 84, 3150},
	{"S21", 200, 3500},
	{"S21 Pro", 234, 3510},
	{"S21 XP", 270, 3645},
	{"S21 Hyd", 335, 5360},
	{"S21 XP Hyd", 473, 5676},
	{"T21", 190, 3610},
}

func plainModel(model string) string {
	s := strings.ToLower(model)
	for _, cut := range []string{"bitmain", "antminer", " ", "-", "_", "."} {
		s = strings.ReplaceAll(s, cut, "")
	}
	return s
}
