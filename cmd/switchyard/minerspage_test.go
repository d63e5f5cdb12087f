package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/site"
)

const minersPage = "../../docs/miners.md"

// docs/miners.md is made from what the drivers say of themselves and from the table of
// models; `make docs` writes it anew.
func TestMinersPage(t *testing.T) {
	want := pageOfMiners(all.Drivers(), driver.Models())
	if *update {
		if err := os.WriteFile(minersPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(minersPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 1
		for a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n"); at <= min(len(a), len(b)) && a[at-1] == b[at-1]; {
			at++
		}
		t.Errorf("docs/miners.md is out of date from line %d on: run `make docs` and commit it with the change", at)
	}
}

// Every driver says what its devices can do: the page is worth no more than that.
func TestDriversSayWhatTheyCan(t *testing.T) {
	for _, d := range all.Drivers() {
		a := d.Abilities
		for what, text := range map[string]string{"devices": a.Devices, "auth": a.Auth, "checked": a.Checked, "source": a.Source} {
			if text == "" {
				t.Errorf("%s: its abilities do not tell %s", d.Name, what)
			}
			if strings.ContainsAny(text, "|\n") {
				t.Errorf("%s: %s %q breaks a table", d.Name, what, text)
			}
		}
		if !slices.Contains([]string{"all", "some", "none"}, a.Power) {
			t.Errorf("%s: power readings %q are none of all, some, none", d.Name, a.Power)
		}
		if d.Probe != nil && a.Sleep && a.Times == "" {
			t.Errorf("%s: its abilities do not tell how long it takes to sleep and to wake", d.Name)
		}
	}
}

func pageOfMiners(drivers []driver.Driver, models []driver.Model) []byte {
	var b bytes.Buffer
	b.WriteString(`# Miners

This page is made from what the drivers say of themselves and from the table of models, by ` + "`make docs`" + `; a test holds it to
them. What one device can do, it says itself when it is asked: ` + "`switchyard scan`" + ` shows who answers, and the page of a
device which actions it takes.

## What can be told and read, by driver

`)
	var miners, meters []driver.Driver
	for _, d := range drivers {
		if d.Probe == nil {
			meters = append(meters, d)
		} else {
			miners = append(miners, d)
		}
	}
	writeAbilities(&b, miners)
	b.WriteString(`
Sleep is standby with the control board reachable. Watts, percent and profiles are the ways in which a power target is
given: a site that follows the grid finely wants one of them. "Power" says whose power the firmware tells: all, some or
none of them; what is not told is taken from an outlet, from the hall's meter, or from the nameplate. A driver named in a
site file is used as it is; ` + "`driver: auto`" + ` asks the device, in the order of this table.

## How they are spoken to

| driver | ports | login | to sleep and to wake | checked against | protocol from |
|---|---|---|---|---|---|
`)
	for _, d := range miners {
		a := d.Abilities
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", d.Name, namedPorts(d.Ports), a.Auth, orDash(a.Times), a.Checked, a.Source)
	}
	if len(meters) > 0 {
		b.WriteString("\n## Meters and power distribution units\n\n| driver | for | ports | checked against |\n|---|---|---|---|\n")
		for _, d := range meters {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.About, namedPorts(d.Ports), d.Abilities.Checked)
		}
	}
	writeModels(&b, models)
	return b.Bytes()
}

func writeAbilities(b *bytes.Buffer, drivers []driver.Driver) {
	acts := site.Acts()
	b.WriteString("| driver | devices | sleep | watts | percent | profiles |")
	for _, a := range acts {
		if a != site.ActProfile { // the column before says it
			fmt.Fprintf(b, " %s |", strings.ReplaceAll(a.String(), "led", "LED"))
		}
	}
	b.WriteString(" power |\n" + strings.Repeat("|---", 7+len(acts)-1) + "|\n")
	for _, d := range drivers {
		a := d.Abilities
		fmt.Fprintf(b, "| `%s` | %s |", d.Name, a.Devices)
		for _, can := range []bool{a.Sleep, a.Watts, a.Percent, a.Profiles || a.Acts.Has(site.ActProfile)} {
			fmt.Fprintf(b, " %s |", yes(can))
		}
		for _, act := range acts {
			if act != site.ActProfile {
				fmt.Fprintf(b, " %s |", yes(a.Acts.Has(act)))
			}
		}
		fmt.Fprintf(b, " %s |\n", a.Power)
	}
}

func writeModels(b *bytes.Buffer, models []driver.Model) {
	names := map[string]bool{}
	var makes []string
	for _, m := range models {
		names[m.Make+" "+m.Model] = true
		if !slices.Contains(makes, m.Make) {
			makes = append(makes, m.Make)
		}
	}
	fmt.Fprintf(b, `
## Models

The figures of %d models, %d with their bins, are those of makers and public lists: at the wall, within 5 to 10 %%. They
serve as nameplates until a site file says better, and as estimates until something was measured. A name may carry its
bin ("S19 XP (141T)") or a chip's variant ("M60S_VK40"); of several bins the first is taken where the name has none. A
model that is not listed is unknown, and its figures belong into the site file. All hash SHA-256.
`, len(names), len(models))
	for _, name := range makes {
		fmt.Fprintf(b, "\n### %s\n\n| model | TH/s | W | J/TH | cooling | low power | source |\n|---|---|---|---|---|---|---|\n", name)
		for _, m := range models {
			if m.Make != name {
				continue
			}
			low := "-"
			if m.Low.OK {
				low = fmt.Sprintf("%g TH/s at %.0f W", m.Low.V.Hashrate.TH(), m.Low.V.Power.Watts())
			}
			fmt.Fprintf(b, "| %s | %g | %.0f | %.1f | %s | %s | %s |\n",
				m.Model, m.Hashrate.TH(), m.Power.Watts(), m.Power.Watts()/m.Hashrate.TH(), m.Cooling, low, m.Source)
		}
	}
}

func yes(can bool) string {
	if can {
		return "yes"
	}
	return "-"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// namedPorts writes ports as "80 http, 4028 rpc".
func namedPorts(ports map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		out = append(out, fmt.Sprintf("%d %s", ports[name], name))
	}
	return strings.Join(out, ", ")
}
