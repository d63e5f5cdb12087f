package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/fleet"
	"switchyard/site"
)

// siteSnippet writes what a scan found as groups of a site file, one for each driver and
// model. What a scan cannot know is left for a person, with a word on what belongs there.
func siteSnippet(list []fleet.Found, ports map[string]int) string {
	type kind struct{ driver, model string }
	byKind := map[kind][]netip.Addr{}
	var order []kind
	unknown := 0
	for _, d := range list {
		if d.Driver == "" {
			unknown++
			continue
		}
		k := kind{d.Driver, modelName(d.Identity)}
		if byKind[k] == nil {
			order = append(order, k)
		}
		byKind[k] = append(byKind[k], d.Address)
	}
	var b strings.Builder
	b.WriteString("groups:")
	if len(order) == 0 {
		b.WriteString(" []")
	}
	ids := map[string]int{}
	for _, k := range order {
		id := groupID(k.driver, k.model)
		if ids[id]++; ids[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, ids[id])
		}
		fmt.Fprintf(&b, "\n  - id: %s\n    node: hall-a # the node they hang below\n    driver: %s\n", id, k.driver)
		if k.model != "" {
			fmt.Fprintf(&b, "    model: %q\n", k.model)
		}
		fmt.Fprintf(&b, "    addresses: [%s]\n", strings.Join(ranges(byKind[k]), ", "))
		writePorts(&b, k.driver, ports)
		b.WriteString("    # credentials: {user: root, password: env:MINER_PASSWORD}\n")
		if n, ok := driver.LookupModel(k.model); ok {
			fmt.Fprintf(&b, "    nameplate: %s # the maker's figure; write what yours draw\n    hashrate: %s", n.Power, n.Hashrate)
		} else {
			b.WriteString("    nameplate: 0 W # of one miner at full work: write it in\n    hashrate: 0 TH/s # likewise")
		}
	}
	if unknown > 0 {
		fmt.Fprintf(&b, "\n# %s answered and could not be told; `switchyard scan` without --site says why", count(unknown, "device"))
	}
	return b.String()
}

// writePorts writes the ports that the driver knows of those that were asked.
func writePorts(b *strings.Builder, name string, ports map[string]int) {
	var words []string
	for _, port := range slices.Sorted(maps.Keys(ports)) {
		if has(name, port) {
			words = append(words, fmt.Sprintf("%s: %d", port, ports[port]))
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(b, "    ports: {%s}\n", strings.Join(words, ", "))
	}
}

func modelName(id site.Identity) string {
	if id.Model == "" || id.Make == "" || strings.Contains(strings.ToLower(id.Model), strings.ToLower(id.Make)) {
		return id.Model
	}
	return id.Make + " " + id.Model
}

var notID = regexp.MustCompile(`[^a-z0-9]+`)

// groupID makes an id such as "antminer-s21" from what was found.
func groupID(driver, model string) string {
	if model == "" {
		model = driver
	}
	id := strings.Trim(notID.ReplaceAllString(strings.ToLower(model), "-"), "-")
	if id == "" {
		id = driver
	}
	return strings.TrimRight(id[:min(len(id), 40)], "-")
}

// ranges writes sorted addresses as runs: 10.0.0.1-10.0.0.44.
func ranges(addrs []netip.Addr) []string {
	addrs = slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare)
	var out []string
	for i := 0; i < len(addrs); {
		j := i
		for j+1 < len(addrs) && addrs[j+1] == addrs[j].Next() {
			j++
		}
		run := addrs[i].String()
		if j > i {
			run += "-" + addrs[j].String()
		}
		if strings.Contains(run, ":") {
			run = `"` + run + `"` // YAML would take it for a mapping
		}
		out = append(out, run)
		i = j + 1
	}
	return out
}

// has says whether a driver has a port of that name.
func has(name, port string) bool {
	d, ok := all.ByName(name)
	if !ok {
		return false
	}
	_, ok = d.Ports[port]
	return ok
}
