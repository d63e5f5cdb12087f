package input

import (
	"slices"
	"strings"
)

// miner is a model of miners with the nominal figures of one machine.
type miner struct {
	name      string
	th, watts float64
}

// miners are those that a file may name without writing their figures. Where a maker sells a model in
// several bins it is the commonest.
func miners() []miner {
	return []miner{
		{"S9", 13.5, 1323},
		{"S17e", 64, 2880},
		{"T19", 84, 3150},
		{"S19", 95, 3250},
		{"S19j Pro", 104, 3068},
		{"S19 Pro", 110, 3250},
		{"S19j Pro+", 117, 3218},
		{"S19k Pro", 120, 2760},
		{"S19 XP", 140, 3010},
		{"S19 XP Hyd", 255, 5304},
		{"S21", 200, 3500},
		{"S21+", 216, 3564},
		{"S21 Pro", 234, 3510},
		{"S21 Hyd", 335, 5360},
		{"S21 XP", 270, 3645},
		{"S21 XP Hyd", 473, 5676},
		{"S21e XP Hyd 3U", 860, 11180},
		{"T21", 190, 3610},
		{"M30S", 88, 3344},
		{"M30S+", 100, 3400},
		{"M30S++", 112, 3472},
		{"M50", 114, 3306},
		{"M50S", 126, 3276},
		{"M50S++", 140, 3080},
		{"M60", 172, 3423},
		{"M60S", 186, 3441},
		{"M63S", 390, 7215},
		{"M66S", 298, 5513},
		{"M66S++", 356, 5518},
		{"A1246", 90, 3420},
		{"A1566", 185, 3420},
		{"SealMiner A2 Pro Hyd", 500, 7450},
		{"AH3880", 600, 8700},
	}
}

// minerOf finds a model, whatever its maker's name before it, its capitals and blanks.
func minerOf(name string) (miner, bool) {
	all, key := miners(), plainModel(name)
	i := slices.IndexFunc(all, func(m miner) bool { return plainModel(m.name) == key })
	if i < 0 {
		return miner{}, false
	}
	return all[i], true
}

func minerNames() []string {
	all := miners()
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	return names
}

func plainModel(s string) string {
	s = strings.ToLower(s)
	for _, maker := range []string{"bitmain", "antminer", "microbt", "whatsminer", "canaan", "avalon", "auradine", "teraflux"} {
		s = strings.ReplaceAll(s, maker, "")
	}
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s)
}

// gpu is a model of accelerators, with the power of one, its server's and its network's share included.
type gpu struct {
	name, of string
	watts    float64
}

func gpus() []gpu {
	return []gpu{
		{"H100", "DGX H100 (10.2 kW)", 1400}, {"H200", "DGX H200 (10.2 kW)", 1400}, {"B200", "DGX B200 (14.3 kW)", 1970}, {"GB200", "GB200 NVL72 rack (120 kW)", 1830},
	}
}

func gpuOf(name string) (gpu, bool) {
	all := gpus()
	i := slices.IndexFunc(all, func(g gpu) bool { return g.name == strings.ToUpper(strings.TrimSpace(name)) })
	if i < 0 {
		return gpu{}, false
	}
	return all[i], true
}

func gpuNames() []string {
	all := gpus()
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = g.name
	}
	return names
}
