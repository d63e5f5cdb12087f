package contract

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Terms are read again exactly as they were written.
func TestTermsAreKeptExactly(t *testing.T) {
	full := strings.NewReplacer(
		"lease: modified", "lease: net\n      upkeep: 8.25 $/kW-month\n      overage: 150.000001 $/kW-month\n      ramp: [{from: 2026-01-01, critical: 20.5 MW}]",
		"losses: true", "losses: true, adder: 2.5 $/MWh, pue_cap: 1.27, demand_share: true, coincident_share: true",
		"maintenance_notice: 168h", "maintenance_notice: 168h\n      maintenance_hours: 1h30m\n      cap: 33.33 %",
		"price: 150 $/MWh", "notice: 45m, price: 0.000001 $/MWh").Replace(lease) + "    tax: 8.25 %\n    payment_days: 0\n"
	for _, text := range []string{lease, full, cloud, strings.Replace(lease, "credits:", "excluded: []\n      credits:", 1)} {
		c, err := Parse("c.yaml", []byte(head+text))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(c.Versions)
		if err != nil {
			t.Fatal(err)
		}
		var back []Version
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Versions, back); diff != "" {
			t.Errorf("%s\n%s", diff, data)
		}
		if !back[0].Same(c.Versions[0]) {
			t.Error("it is not the same as itself")
		}
		back[0].To = Date{2030, 1, 1}
		if !back[0].Same(c.Versions[0]) {
			t.Error("an end makes it another")
		}
		back[0].TaxRate += 0.01
		if back[0].Same(c.Versions[0]) {
			t.Error("another tax is the same")
		}
	}
}
