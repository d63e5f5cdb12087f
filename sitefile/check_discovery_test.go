package sitefile

import (
	"strings"
	"testing"
)

func TestDiscoveryChecks(t *testing.T) {
	const base = "site: {name: x}\nconnection: {limit: 1 MW, meter: {address: 10.9.9.9, profile: generic}}\n" +
		"market: {price: {fixed: 45 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}\n"
	for _, c := range []struct{ text, fault, warning string }{
		{"discovery: {networks: [10.0.0.0/24, 10.1.0.1-10.1.0.9, 10.2.0.7], listen: true}\n", "", ""},
		{"discovery: {off: true}\n", "", ""},
		{"discovery: {networks: [10.0.0.0/33]}\n", "discovery.networks[0]", ""},
		{"discovery: {networks: [there]}\n", `"there" is not an IP address`, ""},
		{"discovery: {networks: [10.0.0.7/24]}\n", `write "10.0.0.0/24"`, ""},
		{"discovery: {networks: [10.0.0.0/8]}\n", "has more than the 65536", ""},
		{"discovery: {networks: [10.0.0.0/17, 10.1.0.0/17, 10.2.0.0/17]}\n", "discovery.networks[2]: the networks have more", ""},
		{"discovery: {networks: [\"127.0.0.1*9\"]}\n", "many times", ""},
		{"discovery: {networks: [10.0.0.0/24, 10.0.0.0/24]}\n", "", "the same addresses as in networks[0]"},
		{"discovery: {off: true, listen: true}\n", "", "while it is off"},
		{"discovery: {networks: [10.0.0.0/24], of: true}\n", `did you mean "off"?`, ""},
	} {
		f, err := Parse("site.yaml", []byte(base+c.text), Known{})
		if c.fault == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: want %q, got %v", c.text, c.fault, err)
			continue
		}
		if f != nil && (c.warning == "" != (len(f.Warnings) == 0) || c.warning != "" && !strings.Contains(f.Warnings.Error(), c.warning)) {
			t.Errorf("%s: want the warning %q, got %v", c.text, c.warning, f.Warnings)
		}
	}
	there := func(path string) error { return mustExist(path) }
	if _, err := parse(t.TempDir()+"/site.yaml", []byte(base+"racks: racks.csv\n"), Known{}, there); err == nil || !strings.Contains(err.Error(), "racks: cannot read") {
		t.Errorf("a rack map that is not there: %v", err)
	}
}
