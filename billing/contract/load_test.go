package contract

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/strictyaml"
	"switchyard/unit"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

// head is a contract up to its versions.
const head = `tenant: acme
contract: MSA-1
timezone: America/Chicago
customer: {name: Acme}
seller: {name: North Creek, pay: [Bank]}
versions:
`

// lease is a version that holds, and cloud one of the other kind.
const lease = `  - from: 2026-01-01
    kind: colocation
    colocation:
      critical: 60 MW
      gross: 72.5 MW
      rate: 125 $/kW-month
      escalator: 3 %
      lease: modified
      power: {losses: true}
    sla:
      availability: 99.9 %
      credits: [{below: 99.9 %, credit: 5 %}, {below: 99 %, credit: 10 %}]
      maintenance_notice: 168h
    curtailment: {power: 10 MW, hours: 100h, price: 150 $/MWh}
    prepayment: {amount: 1000000 $, paid: 2025-12-01}
`

const cloud = `  - from: 2026-01-01
    kind: gpu-cloud
    gpu_cloud:
      reserved: [{model: H100, gpus: 256, rate: 2.10 $}]
      on_demand: {H100: 2.80 $}
      interruptible: {H100: 1.20 $}
      storage: {tb: 500, rate: 20 $}
`

func TestExampleIsSound(t *testing.T) {
	c, err := Parse("contract.yaml", Example())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("the example has warnings:\n%v", c.Warnings)
	}
	v := c.Versions[0]
	if v.Start != (Date{2026, 1, 1}) || v.SLA.Delivered != 0.95 || v.SLA.Cap != 0.3 || v.PaymentDays != 30 || v.TaxName != "Tax" {
		t.Errorf("defaults are not as documented: %+v", v)
	}
	if second := c.Versions[1].SLA; len(second.Excluded) != 2 || second.Delivered != 0.95 {
		t.Errorf("the second version's SLA has no defaults: %+v", second)
	}
}

// TestCloudPartOfExample takes the commented part of the example for what it says it is.
func TestCloudPartOfExample(t *testing.T) {
	_, part, ok := strings.Cut(string(Example()), "#   - from: 2026-01-01\n")
	if !ok {
		t.Fatal("the example has no GPU cloud")
	}
	text := head + "  - from: 2026-01-01\n" + strings.ReplaceAll(part, "#     ", "    ")
	if _, err := Parse("contract.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestDefaultsThatAWrittenValueReplaces(t *testing.T) {
	c, err := Parse("c.yaml", []byte(head+strings.Replace(lease, "credits:", "excluded: []\n      credits:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Versions[0].SLA.Excluded; len(got) != 0 {
		t.Errorf("an empty list of what is excluded became %v", got)
	}
	if c.Currency != "USD" || c.Versions[0].Prepayment.Share != 1 {
		t.Errorf("currency %q, share %v", c.Currency, c.Versions[0].Prepayment.Share)
	}
}

func TestLoadBounds(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#", MaxSize+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var faults strictyaml.Faults
	if _, err := Load(path); !errors.As(err, &faults) || !strings.Contains(err.Error(), "more than the 262144 bytes") {
		t.Errorf("a huge file gave %v", err)
	}
	if err := os.WriteFile(path, []byte(head+lease), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKnowing(path, Known{Tenants: []string{"acme"}}); err != nil {
		t.Error(err)
	}
}

func TestInSite(t *testing.T) {
	text := strings.Replace(head, "timezone: America/Chicago\n", "", 1) + lease
	c, err := Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || c.Location().String() != "UTC" {
		t.Errorf("warnings %v, zone %v", c.Warnings, c.Location())
	}
	in := c.InSite("Europe/Berlin")
	if in.Location().String() != "Europe/Berlin" || c.Timezone != "" {
		t.Errorf("zone %v, and the contract read is in %q", in.Location(), c.Timezone)
	}
	if again := in.InSite("UTC"); again.Timezone != "Europe/Berlin" {
		t.Errorf("a named zone was replaced by %q", again.Timezone)
	}
}

// edit is a change of head + lease + cloud's text: what is replaced by what.
type edit struct{ name, base, old, new string }

// wrong are contracts that are not right, each by one slip.
var wrong = []edit{
	{"not YAML", "", "tenant: acme", "tenant: [acme"},
	{"unknown key", lease, "rate: 125", "rent: 125"},
	{"misspelt key", lease, "escalator: 3 %", "escalater: 3 %"},
	{"no tenant", lease, "tenant: acme\n", ""},
	{"tenant is no id", lease, "tenant: acme", "tenant: Acme AI"},
	{"tenant not of the site", lease, "tenant: acme", "tenant: acne"},
	{"no number", lease, "contract: MSA-1\n", ""},
	{"empty number", lease, "contract: MSA-1", `contract: " "`},
	{"no customer", lease, "customer: {name: Acme}\n", ""},
	{"email", lease, "{name: Acme}", "{name: Acme, email: acme.example}"},
	{"currency", lease, "contract: MSA-1", "contract: MSA-1\ncurrency: EUR"},
	{"time zone", lease, "America/Chicago", "America/Chigaco"},
	{"time zone of the machine", lease, "America/Chicago", "Local"},
	{"no versions", "", "versions:\n", ""},
	{"empty versions", "", "versions:\n", "versions: []\n"},
	{"no from", lease, "from: 2026-01-01\n    kind", "kind"},
	{"day that does not exist", lease, "from: 2026-01-01", "from: 2026-02-30"},
	{"29 February", lease, "from: 2026-01-01", "from: 2027-02-29"},
	{"month that does not exist", lease, "from: 2026-01-01", "from: 2026-13-01"},
	{"day of another form", lease, "from: 2026-01-01", "from: 01/01/2026"},
	{"year far off", lease, "from: 2026-01-01", "from: 0206-01-01"},
	{"to before from", lease, "kind: colocation", "to: 2025-12-31\n    kind: colocation"},
	{"to is from", lease, "kind: colocation", "to: 2026-01-01\n    kind: colocation"},
	{"overlap", strings.Replace(lease, "kind:", "to: 2028-06-01\n    kind:", 1) + strings.Replace(lease, "2026-01-01", "2028-01-01", 1), "", ""},
	{"two versions of one day", lease + lease, "", ""},
	{"versions out of order", lease + strings.Replace(lease, "2026-01-01", "2025-01-01", 1), "", ""},
	{"kind missing", lease, "    kind: colocation\n", ""},
	{"kind unknown", lease, "kind: colocation", "kind: colo"},
	{"kind without its part", lease, "kind: colocation", "kind: gpu-cloud"},
	{"kind with an empty part", cloud, "kind: gpu-cloud\n", "kind: colocation\n    colocation:\n"},
	{"two parts", lease + strings.SplitAfter(cloud, "gpu-cloud\n")[1], "", ""},
	{"no critical", lease, "      critical: 60 MW\n", ""},
	{"zero critical", lease, "critical: 60 MW", "critical: 0 MW"},
	{"milliwatts", lease, "critical: 60 MW", "critical: 60 mW"},
	{"milliwatts of a ramp and a right", lease, "      gross: 72.5 MW\n", "      gross: 72.5 mW\n      ramp: [{from: 2026-01-01, critical: 20 mW}]\n"},
	{"milliwatts taken back", lease, "power: 10 MW", "power: 10 mW"},
	{"a few hundred watts", lease, "critical: 60 MW", "critical: 999.9 W"},
	{"critical without unit", lease, "critical: 60 MW", "critical: 60"},
	{"negative rate", lease, "rate: 125", "rate: -125"},
	{"rate of a year", lease, "rate: 125", "rate: 15000"},
	{"rate per MWh", lease, "125 $/kW-month", "125 $/MWh"},
	{"escalator above", lease, "escalator: 3 %", "escalator: 30 %"},
	{"escalator below", lease, "escalator: 3 %", "escalator: -26 %"},
	{"escalator as a fraction", lease, "escalator: 3 %", "escalator: 0.03"},
	{"lease missing", lease, "      lease: modified\n", ""},
	{"lease unknown", lease, "lease: modified", "lease: triple-net"},
	{"gross lease that passes through", lease, "lease: modified", "lease: gross"},
	{"modified lease without power", lease, "      power: {losses: true}\n", ""},
	{"empty power", lease, "power: {losses: true}", "power:"},
	{"net lease without upkeep", lease, "lease: modified", "lease: net"},
	{"upkeep of a modified lease", lease, "lease: modified", "lease: modified\n      upkeep: 8 $/kW-month"},
	{"negative upkeep", lease, "lease: modified", "lease: net\n      upkeep: -8 $/kW-month"},
	{"negative overage", lease, "lease: modified", "lease: modified\n      overage: -1 $/kW-month"},
	{"negative adder", lease, "losses: true", "losses: true, adder: -2 $/MWh"},
	{"PUE cap below one", lease, "losses: true", "losses: true, pue_cap: 0.9"},
	{"ramp above critical", lease, "lease:", "ramp: [{from: 2026-01-01, critical: 70 MW}]\n      lease:"},
	{"ramp out of order", lease, "lease:", "ramp: [{from: 2026-02-01, critical: 1 MW}, {from: 2026-01-01, critical: 60 MW}]\n      lease:"},
	{"negative ramp", lease, "lease:", "ramp: [{from: 2026-02-01, critical: -1 MW}]\n      lease:"},
	{"ramp without a day", lease, "lease:", "ramp: [{critical: 60 MW}]\n      lease:"},
	{"ramp after the end", lease, "kind: colocation\n    colocation:", "to: 2026-06-01\n    kind: colocation\n    colocation:\n      ramp: [{from: 2026-07-01, critical: 60 MW}]"},
	{"availability as a number", lease, "availability: 99.9 %", "availability: 99.9"},
	{"availability above one", lease, "availability: 99.9 %", "availability: 999 %"},
	{"credits not descending", lease, "below: 99 %,", "below: 99.9 %,"},
	{"credit above the promise", lease, "below: 99.9 %,", "below: 99.99 %,"},
	{"credit above all rent", lease, "credit: 10 %", "credit: 110 %"},
	{"worse costs less", lease, "credit: 10 %", "credit: 1 %"},
	{"cap above all rent", lease, "maintenance_notice", "cap: 120 %\n      maintenance_notice"},
	{"delivered of nothing", lease, "maintenance_notice", "delivered: 0 %\n      maintenance_notice"},
	{"excluded unknown", lease, "maintenance_notice", "excluded: [curtailment]\n      maintenance_notice"},
	{"notice without a unit", lease, "168h", "168"},
	{"negative notice", lease, "168h", "-168h"},
	{"maintenance of more than a month", lease, "maintenance_notice", "maintenance_hours: 800h\n      maintenance_notice"},
	{"curtailment above critical", lease, "power: 10 MW", "power: 61 MW"},
	{"curtailment without end", lease, "hours: 100h", "hours: 9000h"},
	{"curtailment without a price", lease, ", price: 150 $/MWh", ""},
	{"negative curtailment price", lease, "150 $/MWh", "-150 $/MWh"},
	{"negative prepayment", lease, "1000000 $", "-1000000 $"},
	{"prepayment share", lease, "paid: 2025-12-01", "paid: 2025-12-01, share: 150 %"},
	{"prepayment never paid", lease, ", paid: 2025-12-01", ""},
	{"prepayment that changes its amount", lease + strings.NewReplacer("2026-01-01", "2028-01-01", "1000000 $", "900000 $").Replace(lease), "", ""},
	{"prepayment larger than the contract", lease, "kind: colocation", "to: 2026-01-05\n    kind: colocation"},
	{"tax", lease, "kind: colocation", "tax: 820 %\n    kind: colocation"},
	{"payment days", lease, "kind: colocation", "payment_days: -1\n    kind: colocation"},
	{"unknown model reserved", cloud, "model: H100", "model: H10"},
	{"unknown models on demand", cloud, "{H100: 2.80 $}", "{H100: 2.80 $, A10O: 1 $}"},
	{"model twice", cloud, "rate: 2.10 $}", "rate: 2.10 $}, {model: H100, gpus: 1, rate: 2 $}"},
	{"no GPUs", cloud, "gpus: 256", "gpus: 0"},
	{"negative GPU rate", cloud, "2.10 $", "-2.10 $"},
	{"negative interruptible rate", cloud, "{H100: 1.20 $}", "{H100: -1.20 $}"},
	{"negative storage", cloud, "tb: 500", "tb: -500"},
	{"nothing sold", strings.SplitAfter(cloud, "gpu_cloud:\n")[0] + "      reserved: []\n", "", ""},
	{"all at once", lease, "critical: 60 MW\n      gross: 72.5 MW\n      rate: 125 $/kW-month\n      escalator: 3 %\n      lease: modified", "critical: -60 MW\n      rate: -125 $/kW-month\n      escalator: 50 %\n      lease: gros"},
}

func TestWrongContracts(t *testing.T) {
	known := Known{Tenants: []string{"acme", "zeta"}, Models: []string{"H100", "A100"}}
	for _, good := range []string{lease, cloud} {
		if _, err := ParseKnowing("c.yaml", []byte(head+good), known); err != nil {
			t.Fatalf("what the slips are made in is wrong itself:\n%v", err)
		}
	}
	var b strings.Builder
	for _, w := range wrong {
		text := head + w.base
		if w.old != "" && !strings.Contains(text, w.old) {
			t.Fatalf("%s: the text has no %q", w.name, w.old)
		}
		if w.old != "" {
			text = strings.Replace(text, w.old, w.new, 1)
		}
		_, err := ParseKnowing("c.yaml", []byte(text), known)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: no faults, but %v", w.name, err)
			continue
		}
		for _, f := range faults {
			if f.Line < 1 || f.File != "c.yaml" || f.Message == "" {
				t.Errorf("%s: a fault without a place or a message: %+v", w.name, f)
			}
		}
		fmt.Fprintf(&b, "# %s\n%v\n\n", w.name, err)
	}
	golden(t, "wrong.txt", b.String())
}

// odd are contracts that hold, and that a person should look at.
var odd = []edit{
	{"PUE below one", lease, "gross: 72.5 MW", "gross: 55 MW"},
	{"PUE above two", lease, "gross: 72.5 MW", "gross: 150 MW"},
	{"gap", strings.Replace(lease, "kind:", "to: 2027-06-01\n    kind:", 1) + strings.Replace(lease, "2026-01-01", "2028-01-01", 1), "", ""},
	{"rate restated without a start", lease + strings.NewReplacer("2026-01-01", "2028-01-01", "rate: 125", "rate: 131").Replace(lease), "", ""},
	{"no credits", lease, "      credits: [{below: 99.9 %, credit: 5 %}, {below: 99 %, credit: 10 %}]\n", ""},
	{"no notice", lease, "      maintenance_notice: 168h\n", ""},
	{"nowhere to pay", lease, ", pay: [Bank]", ""},
	{"ramp that starts late and stops early", lease, "lease:", "ramp: [{from: 2026-02-01, critical: 30 MW}]\n      lease:"},
	{"availability of GPU time", cloud, "    kind: gpu-cloud\n", "    kind: gpu-cloud\n    sla: {availability: 99.9 %, credits: [{below: 99.9 %, credit: 5 %}], maintenance_notice: 168h}\n"},
	{"PUE cap without losses", lease, "losses: true", "losses: false, pue_cap: 1.3"},
}

func TestWarnings(t *testing.T) {
	var b strings.Builder
	for _, o := range odd {
		c, err := Parse("c.yaml", []byte(strings.Replace(head+o.base, o.old, o.new, 1)))
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
			continue
		}
		if len(c.Warnings) == 0 {
			t.Errorf("%s: no warning", o.name)
		}
		fmt.Fprintf(&b, "# %s\n%v\n\n", o.name, c.Warnings)
	}
	golden(t, "odd.txt", b.String())
}

// A payment that a later version repeats with another share is the same one: $6,000,000 fit into
// the $7,500,000 of a month, and twice as much would not.
func TestRepeatedPrepaymentIsOne(t *testing.T) {
	first := strings.NewReplacer("1000000 $", "6000000 $", "kind:", "to: 2026-01-16\n    kind:").Replace(lease)
	then := strings.NewReplacer("2026-01-01", "2026-01-16", "to: 2026-01-16", "to: 2026-02-01", "2025-12-01", "2025-12-01, share: 50 %").Replace(first)
	if _, err := Parse("c.yaml", []byte(head+first+then)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add([]byte(head + lease))
	f.Add([]byte(head + cloud))
	for _, w := range wrong {
		f.Add([]byte(strings.Replace(head+w.base, w.old, w.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("c.yaml", data)
		if err != nil {
			var faults strictyaml.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		// What passed can be reckoned with: pieces sum to the month, nothing is negative.
		from := c.Versions[0].From
		stretches := c.stretches(from.firstOfMonth(), from.firstOfMonth().AddMonths(1))
		var days int
		for _, s := range stretches {
			days += s.From.Days(s.To)
			for _, p := range append(s.Space, s.Upkeep...) {
				if p.Amount < 0 || p.Days <= 0 || p.Days > p.Of {
					t.Errorf("a piece of %+v", p)
				}
			}
		}
		if days > from.daysInMonth() || Total(c, 3) < unit.Money(0) {
			t.Errorf("%d days in a month, total %v", days, Total(c, 3))
		}
	})
}
