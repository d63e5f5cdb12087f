package input

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"switchyard/strictyaml"
)

// wrong are studies that are sound but for one passage. Want is all that must be said: the key, what
// is wrong and what would be right. Line holds text of the line that must be named; empty: the
// last word of the key.
var wrong = []struct{ name, old, with, line, want string }{
	{"no name", "study: Sound\n", "", "start", `study: study is missing; name the study`},
	{"no start", "start: 2027-01\n", "", "study", `start: start is missing; write the first month, like "2027-01"`},
	{"a start that is no month", "start: 2027-01", "start: January 2027", "", `start: "January 2027" is no month; write it like "2026-03"`},
	{"winding down what costs nothing", "  pue: 1.25", "  pue: 1.25\n  wind_down: 3 months", "", `site.wind_down: there are no site's own costs that could go on; add fixed_costs:, or remove the key`},
	{"an odd use of losses", "tax:\n", "tax:\n  losses: sold\n", "", `tax.losses: unknown use of losses "sold"; it can be one of carried, relief`},
	{"a limit on losses that are not carried", "tax:\n", "tax:\n  losses: relief\n  loss_limit: 60 %\n", "", `tax.loss_limit: with losses: relief none is carried that it could limit; write losses: carried, or remove the key`},
	{"no end", "years: 10", "years: 100", "", `years: 100 years are out of range; it can be from 1 to 40`},
	{"an unknown key", "years: 10", "years: 10\ndiscuont: 9 %", "", `discuont: unknown key "discuont"; did you mean "discount"?`},
	{"a rate without its sign", "years: 10", "years: 10\ndiscount: 0.09", "", `discount: "0.09" has no unit; write it like "99.9 %"`},
	{"a rate that is a factor", "years: 10", "years: 10\ndiscount: 110 %", "", `discount: 110 % is out of range; it can be from 0 % to 50 %`},
	{"too many paths", "years: 10", "years: 10\npaths: 1_000_000", "", `paths: 1000000 paths are out of range; it can be from 0, the expected case alone, to 200000`},
	{"a source without its figure", "years: 10", "years: 10\ndiscount: {from: quote, source: the bank}", "", `discount: there is no figure; write the figure as is: beside its from: and source:`},
	{"an empty figure", "years: 10", "years: 10\ndiscount: {}", "", `discount: there is no figure; write the figure as is: beside its from: and source:`},
	{"an unknown origin", "from: contract\n  source: interconnection", "from: hearsay\n  source: interconnection", "hearsay", `site.from: "hearsay" is no origin; write measured, contract, quote, published or assumption`},
	{"no connection", "  utility: 60 MW\n", "", "site", `site.utility: utility is missing; write the connection's power, like "100 MW"`},
	{"halls above the connection", "utility: 60 MW", "utility: 50 MW", "halls", `halls: the halls draw 60 MW together, more than the connection's 50 MW; lower the halls' power, or raise site.utility`},
	{"a PUE below one", "pue: 1.25", "pue: 0.8", "", `site.pue: 0.8 is out of range; it can be from 1 to 3`},
	{"a PUE of eleven months", "pue: 1.25", "pue_by_month: [1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2]", "", `site.pue_by_month: there are 11 figures; write twelve figures, from January`},
	{"two PUEs", "pue: 1.25", "pue: 1.25\n  pue_by_month: [1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2]", "  pue: 1.25", `site.pue: pue and pue_by_month are both there; write one of them`},
	{"a chance above one", "pue: 1.25", "pue: 1.25\n  status: queued\n  energised: 2028-01\n  chance: 180 %", "", `site.chance: 180 % is out of range; it can be from 0 % to 100 %`},
	{"a chance of what is there", "pue: 1.25", "pue: 1.25\n  chance: 80 %", "", `site.chance: it goes with power that is still to come, and the status is energised; write status: approved or queued, or remove the key`},
	{"power that comes too late", "pue: 1.25", "pue: 1.25\n  status: queued\n  energised: 2038-01", "energised: 2038", `site.energised: 2038-01 lies outside the study; the study goes from 2027-01 to 2036-12`},
	{"queued and no date", "pue: 1.25", "pue: 1.25\n  status: queued", "site", `site.energised: energised is missing; write the month in which queued power comes`},
	{"an unknown status", "pue: 1.25", "pue: 1.25\n  status: energized", "", `site.status: unknown status "energized"; did you mean "energised"?`},
	{"a ramp above the connection", "pue: 1.25", "pue: 1.25\n  ramp: [{from: 2027-01, power: 70 MW}]", "", `site.ramp[0].power: 70 MW is out of range; it can be from 0 W to 60 MW`},
	{"a ramp out of order", "pue: 1.25", "pue: 1.25\n  ramp: [{from: 2028-01, power: 30 MW}, {from: 2027-01, power: 60 MW}]", "ramp", `site.ramp[1].from: 2027-01 does not follow 2028-01; write the steps in the order of time`},
	{"two halls of one name", "- id: two", "- id: one", "- id: one", `halls[1].id: "one" stands twice, first as halls[0]; give each a name of its own`},
	{"a spread upside down", "p10: 7 $M/MW, p90: 10 $M/MW", "p10: 10 $M/MW, p90: 7 $M/MW", "", `halls[0].capex: p10 10 $M/MW, p50 8 $M/MW and p90 7 $M/MW do not rise; nine in ten cases lie above p10, half above p50, one in ten above p90`},
	{"half a spread", "p10: 7 $M/MW, p90: 10 $M/MW", "p10: 7 $M/MW", "", `halls[0].capex.p10: there is a p10 and no p90; write both p10 and p90, or neither`},
	{"no capex of a hall to convert", "    capex: {p50: 8 $M/MW, p10: 7 $M/MW, p90: 10 $M/MW, from: quote, source: contractor's offer}\n", "", "id: one", `halls[0].capex: capex is missing; write what the conversion costs per MW of critical load, like "8.0 $M/MW"`},
	{"no time to build in", "    build: 12 months\n", "", "id: one", `halls[0].build: build is missing; write how long the conversion takes, like "12 months"`},
	{"more load than the hall feeds", "    build: 12 months\n", "    build: 12 months\n    critical: 26 MW\n", "", `halls[0].critical: 26 MW of critical load draw 32.5 MW at a PUE of 1.25, more than the hall's 30 MW; at that PUE it can be 24 MW`},
	{"load of a hall that carries none", "    power: 30 MW\n    fleet:\n      - model: home", "    power: 30 MW\n    critical: 20 MW\n    fleet:\n      - model: home", "", `halls[1].critical: the hall cannot be converted and carries no AI load; write convertible: true, or remove the key`},
	{"more machines than the hall feeds", "count: 8000", "count: 9000", "fleet", `halls[0].fleet: the machines draw 32.445 MW at a PUE of 1.03, more than the hall's 30 MW; lower the count, or raise the hall's power`},
	{"an unknown model", "model: S21,", "model: S22,", "", `halls[0].fleet[0].model: no figures are known of the model "S22"; did you mean "S21"? else write hashrate: and power: of one machine`},
	{"power of a machine left out", "        power: 3 kW\n", "", "home-made", `halls[1].fleet[0].power: power is missing; write that of one machine, like "3500 W"`},
	{"a fleet's hashrate for a machine's", "hashrate: 100 TH/s", "hashrate: 100 PH/s", "", `halls[1].fleet[0].hashrate: 100 PH/s at 3 kW make 0.03 J/TH; miners need 10 to 100 J/TH: are both figures of one machine, and the units right?`},
	{"a mode above the full one", "hashrate: 60 TH/s", "hashrate: 160 TH/s", "", `halls[1].fleet[0].curve[0].hashrate: 160 TH/s at 1.6 kW is not below the full 100 TH/s at 3 kW; leave the full mode out of the curve`},
	{"renewed every month", "every: 4 years", "every: 1 month", "", `halls[1].fleet[0].renew.every: 1 month is out of range; it can be from 6 months to 240 months`},
	{"two kinds of price", "flat: 45 $/MWh", "flat: 45 $/MWh\n  prices: p.csv", "flat", "power.flat: prices and flat are both there; write one of them\npower.prices: \"p.csv\" cannot be read: files beside a study are not read here; leave the key out here"},
	{"a price per kWh", "flat: 45 $/MWh", "flat: 45 $/kWh", "", `power.flat: 45000 $/MWh is out of range; it can be from -100 $/MWh to 2000 $/MWh`},
	{"half a spike", "flat: 45 $/MWh", "flat: 45 $/MWh\n  spike_chance: 4 %\n  spike_hours: 8", "power:", `power.spike_price: spike_price is missing; write spike_chance, spike_hours and spike_price together, or none of them`},
	{"a policy of no backtest", "flat: 45 $/MWh", "flat: 45 $/MWh\n  backtest_policy: switchyard", "", `power.backtest_policy: backtest_policy goes with backtest, which is not there; add backtest: or remove the key`},
	{"a block that ends before it begins", "price: 40 $/MWh}", "price: 40 $/MWh, from: 2029-01, until: 2028-01}", "until", `power.blocks[0].until: 2028-01 does not follow 2029-01; it is the first month without the block`},
	{"a block after the end", "price: 40 $/MWh}", "price: 40 $/MWh, from: 2040-01}", "from: 2040", `power.blocks[0].from: 2040-01 lies outside the study; the study goes from 2027-01 to 2036-12`},
	{"no bitcoin", "  price: 90000 $\n", "", "bitcoin", `bitcoin.price: price is missing; write what a bitcoin costs at the start, like "90000 $"`},
	{"difficulty twice", "difficulty: 150e12", "difficulty: 150e12\n  network: 1080 EH/s", "", `bitcoin.network: difficulty and network are both there; write one of them`},
	{"no difficulty", "  difficulty: 150e12\n", "", "bitcoin", `bitcoin: difficulty is missing; write difficulty: 150e12, or the network's hashrate, network: 1080 EH/s`},
	{"a height of another year", "height: 982000", "height: 882000", "", `bitcoin.height: 882000 cannot be the height in 2027-01; from block 840,000 of 20 April 2024 on, a block every ten minutes makes about 981984`},
	{"forward and drift", "height: 982000", "drift: 5 %\n  forward: [{month: 2028-01, price: 95000 $}]", "", `bitcoin.drift: forward and drift are both there; write one of them`},
	{"a curve that goes back", "height: 982000", "forward: [{month: 2029-01, price: 95000 $}, {month: 2028-01, price: 95000 $}]", "forward", `bitcoin.forward[1].month: 2028-01 does not follow 2029-01; write the points in the order of time`},
	{"an unknown kind of lease", "kind: net", "kind: triple-net", "", `leases[0].kind: unknown kind of lease "triple-net"; it can be one of gross, modified, net`},
	{"a rent a year", "rate: 130 $/kW-month", "rate: 130 $/kW-year", "", `leases[0].rate: "$/kW-year" is not a unit of capacity rate; write it like "120 $/kW-month"`},
	{"an extension that is sure twice", "chance: 50 %", "chance: 150 %", "", `leases[0].extensions[0].chance: 150 % is out of range; it can be from 0 % to 100 %`},
	{"more prepaid than owed", "term: 10 years\n", "term: 1 month\n", "prepaid", `leases[0].prepaid: 6 months of rent are prepaid of a lease of 1 month`},
	{"prepaid and never credited", "prepaid: 6 months", "prepaid: 6 months\n    credit_cap: 0 %", "", `leases[0].credit_cap: what the tenant pays beforehand is never credited; write what share of a month's rent may be credited, or leave it out for 50 %`},
	{"an unknown GPU", "gpu: H100,", "gpu: H1000,", "own", `gpu_clouds[0].power_per_gpu: no power is known of the GPU "H1000"; write it, its server's and network's share included, like "1.4 kW", or name one of H100, H200, B200, GB200`},
	{"sold by the night", "rate: 2.4 $/GPU-hour", "rate: 2.4 $/GPU-hour, utilisation: 110 %", "", `gpu_clouds[0].utilisation: 110 % is out of range; it can be from 0 % to 100 %`},
	{"a sale for nothing", "source: a builder, price: 1 $M/MW}", "source: a builder}", "out", `sales[0].price: price is missing; write it per MW of utility power, like "0.9 $M/MW"`},
	{"power sold at a price of its own", "source: a builder, price:", "source: a builder, of: power, price:", "", `sales[0].price: power is sold at the hourly price, not at one of its own; remove the key, or write of: site`},
	{"a lease that is not there", "lease: big}", "lease: bug}", "", `greenfields[0].lease: there is no lease "bug"; did you mean "big"?`},
	{"a draw of nine tenths", "tenor: 9 years", "tenor: 9 years\n    draw: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2]", "", `financings[0].draw: there are 9 figures and not ten; write a share for each tenth of the building time`},
	{"a draw of more than all", "tenor: 9 years", "tenor: 9 years\n    draw: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2]", "", `financings[0].draw: the shares sum to 1.1; the ten shares sum to 1`},
	{"a DSCR below one", "tenor: 9 years", "tenor: 9 years\n    dscr: 0.9", "", `financings[0].dscr: 0.9 is out of range; it can be from 1 to 5`},
	{"a covenant above the target", "tenor: 9 years", "tenor: 9 years\n    covenant: 1.5", "", `financings[0].covenant: a covenant of 1.5 is above the target of 1.4; the covenant lies below the ratio that the loan is sized by`},
	{"a loan above cost", "loan_to_cost: 70 %", "loan_to_cost: 120 %", "", `financings[0].loan_to_cost: 120 % is out of range; it can be from 0 % to 100 %`},
	{"a loan of no time", "tenor: 9 years", "tenor: 0 years", "", `financings[0].tenor: 0 months is out of range; it can be from 1 month to 480 months`},
	{"notes without a coupon", "tenor: 9 years", "tenor: 9 years\n    notes: {amount: 10 $M, term: 5 years}", "notes", `financings[0].notes.coupon: coupon is missing; write the interest a year, like 8 %`},
	{"an unknown table", "tax:", "tax:\n  machines: macrs-6", "", `tax.machines: unknown table of depreciation "macrs-6"; did you mean "macrs-5"?`},
	{"an unknown kind of option", "kind: mine}", "kind: hold}", "", `options[0].kind: unknown kind of option "hold"; it can be one of mine, host, cloud, sell, greenfield`},
	{"an option with nobody", "with: big, financing", "financing", "let", `options[1].with: with is missing; name the lease`},
	{"an option with somebody unknown", "with: big, financing", "with: bigger, financing", "", `options[1].with: there is no lease "bigger"; it can be big`},
	{"an option of a hall that is not there", "halls: [one]", "halls: [oen]", "", `options[2].halls[0]: there is no hall "oen"; did you mean "one"?`},
	{"hosting in a hall that cannot", "halls: [one]", "halls: [one, two]", "", `options[2].halls[1]: the hall "two" cannot be converted; write convertible: true in the hall, or leave it out here`},
	{"no bank", "financing: bank, from", "financing: bnak, from", "", `options[1].financing: there is no financing "bnak"; did you mean "bank"?`},
	{"an option after the end", "to: 2029-06", "to: 2039-06", "", `options[1].to: 2039-06 lies outside the study; the study goes from 2027-01 to 2036-12`},
	{"an option that ends first", "to: 2029-06", "to: 2027-05", "", `options[1].to: 2027-05 lies before 2027-06; it is the last month in which the option may begin`},
	{"a hall without options", "  - {id: stay, kind: mine}\n", "  - {id: stay, kind: mine, halls: [one]}\n", "", ""}, // sound: it may be sold
	{"a scenario without a world", "bitcoin: 0.5", "bitcoin: 0", "", `scenarios[0].bitcoin: 0 is out of range; it is a factor, 1 where nothing changes, above 0 and to 100`},
	{"two scenarios of one name", "bitcoin: 0.5}", "bitcoin: 0.5}\n  - {name: low}", "{name: low}", `scenarios[1].name: "low" stands twice; give each a name of its own`},
	{"a crew below nothing", "tax:", "limits: {from: quote, source: builder, crew: -5 MW}\ntax:", "", `limits.crew: -5 MW is out of range; it can be from 0 W to 5000 MW`},
}

func TestWrongStudies(t *testing.T) {
	faulty := 0
	for _, c := range wrong {
		t.Run(c.name, func(t *testing.T) {
			f, err := edited(t, c.old, c.with)
			if c.want == "" {
				must(t, f, err)
				return
			}
			if err == nil {
				t.Fatal("it was taken")
			}
			faulty++
			var said []string
			text := strings.Split(strings.Replace(soundText(t), c.old, c.with, 1), "\n")
			var faults strictyaml.Faults
			errors.As(err, &faults)
			for _, one := range faults {
				said = append(said, strings.TrimPrefix(one.Error(), fmt.Sprintf("study.yaml:%d:%d: ", one.Line, one.Column)))
				line := c.line
				if line == "" {
					line = strings.TrimRight(one.Path[strings.LastIndexByte(one.Path, '.')+1:], "[0123456789]")
				}
				if i := strings.Index(c.want, "\n"); i < 0 && !strings.Contains(text[one.Line-1], line) {
					t.Errorf("line %d is %q and does not hold %q", one.Line, text[one.Line-1], line)
				}
			}
			if got := strings.Join(said, "\n"); got != c.want {
				t.Errorf("it says\n%s\nand should say\n%s", got, c.want)
			}
		})
	}
	if faulty < 60 {
		t.Errorf("only %d wrong studies", faulty)
	}
}

// TestAllFaultsTogether: what is wrong is told at once, and in the order of the file.
func TestAllFaultsTogether(t *testing.T) {
	text := soundText(t)
	for _, c := range [][2]string{{"years: 10", "years: 0"}, {"pue: 1.25", "pue: 12.5"}, {"kind: net", "kind: nett"}, {"rate: 8 %", "rate: 8"}, {"with: own", "with: won"}} {
		text = strings.Replace(text, c[0], c[1], 1)
	}
	_, faults := Parse("study.yaml", []byte(text), nil)
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
	}
	if want := "[3 8 46 63 70]"; fmt.Sprint(lines) != want {
		t.Errorf("faults on lines %v, want %s:\n%v", lines, want, faults)
	}
}

func TestNoStudyAtAll(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a list":   {"- a\n", "study.yaml:1:1: there must be keys with values, not a list"},
		"no YAML":  {"study: [a\n", "study.yaml:1:8: not YAML: sequence end token ']' not found; check the indentation, the colons and the quotes here"},
		"too long": {strings.Repeat("#\n", MaxSize/2+1), "study.yaml:1:1: the file has more than the 1048576 bytes allowed; a study is a few pages, and its hourly prices a file of their own: is this the right file?"},
	} {
		if _, faults := Parse("study.yaml", []byte(c.text), nil); faults.Error() != c.want {
			t.Errorf("%s: %v", name, faults)
		}
	}
	if _, faults := Parse("study.yaml", nil, nil); len(faults) < 4 {
		t.Errorf("an empty file: %v", faults)
	}
	many := "scenarios:\n" + strings.Repeat("  - {name: a}\n", 1000)
	if _, faults := Parse("study.yaml", []byte(soundText(t)[:strings.Index(soundText(t), "scenarios:")]+many), nil); faults.Error() != "study.yaml:73:1: scenarios: there are 1000 items, more than the 24 allowed" {
		t.Errorf("a thousand scenarios: %v", faults)
	}
}
