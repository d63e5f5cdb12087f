// Package groups owns what a scan found as groups of a site file: dividing it, writing it as
// YAML, and adding it to a file that is there, without changing anything else in it.
//
// It never replaces a file's lines, never writes a file that would say something else than
// before and the groups, and never makes up a figure: what a scan cannot know is left for a
// person, with a word on what belongs there.
//
// Concurrency: a File belongs to one goroutine. Open and Add block on the disk.
package groups

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"switchyard/discover"
	"switchyard/driver"
	"switchyard/site"
)

// Style is how groups are written.
type Style struct {
	Node string // that they hang below; empty: "hall-a"
	// Ports replace the standard ones by name; Has says whether a driver has a port of a name.
	Ports map[string]int
	Has   func(driver, port string) bool
	// Credentials is what stands in their braces; empty: a comment shows how.
	Credentials string
}

// Text writes what a scan found as the groups of a site file, one for each driver, model and
// network of 256 addresses.
func (s Style) Text(list []discover.Found) string {
	g := divide(list, nil)
	head := "groups:"
	if len(g.list) == 0 {
		head += " []"
	}
	out := []string{head}
	for _, line := range s.lines(g, "0 W", "0 TH/s") {
		if !strings.HasPrefix(line, "#") {
			line = "  " + line
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// groups is what a scan found, divided as a site file divides it: by driver, model and
// network of 256 addresses, for those mostly hang below one node.
type groups struct {
	list    []group
	unknown int // devices that could not be told
}

// group is one of them.
type group struct {
	id, driver, model string
	addresses         []netip.Addr
}

// divide divides what was found. taken are ids that are not to be used.
func divide(list []discover.Found, taken map[string]bool) groups {
	type kind struct {
		driver, model string
		net           netip.Prefix
	}
	var out groups
	at := map[kind]int{}
	ids := maps.Clone(taken)
	if ids == nil {
		ids = map[string]bool{}
	}
	for _, d := range list {
		if d.Driver == "" {
			out.unknown++
			continue
		}
		bits := 24
		if !d.Address.Is4() {
			bits = 120
		}
		net, _ := d.Address.Prefix(bits) // they fit
		k := kind{d.Driver, modelName(d.Identity), net}
		i, known := at[k]
		if !known {
			i = len(out.list)
			at[k] = i
			out.list = append(out.list, group{id: freeID(groupID(k.driver, k.model), ids), driver: k.driver, model: k.model})
		}
		out.list[i].addresses = append(out.list[i].addresses, d.Address)
	}
	return out
}

// freeID returns the id, with a number behind it where it is taken, and takes it.
func freeID(id string, taken map[string]bool) string {
	free := id
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	taken[free] = true
	return free
}

// lines writes the groups as items of a list, each line without the list's own indent.
// power and hashrate stand for the figures of a model that the table does not know.
func (s Style) lines(g groups, power, hashrate string) []string {
	var out []string
	if s.Node == "" {
		s.Node = "hall-a"
	}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, k := range g.list {
		add("- id: %s", k.id)
		add("  node: %s # the node they hang below", s.Node)
		add("  driver: %s", k.driver)
		if k.model != "" {
			add("  model: %q", k.model)
		}
		add("  addresses: [%s]", strings.Join(ranges(k.addresses), ", "))
		if p := s.portsOf(k.driver); p != "" {
			add("  ports: {%s}", p)
		}
		if s.Credentials != "" {
			add("  credentials: {%s}", s.Credentials)
		} else {
			add("  # credentials: {user: root, password: env:MINER_PASSWORD}")
		}
		if n, ok := driver.LookupModel(k.model); ok {
			add("  nameplate: %s # the maker's figure; write what yours draw", n.Power)
			add("  hashrate: %s", n.Hashrate)
		} else {
			add("  nameplate: %s # of one miner at full work: write it in", power)
			add("  hashrate: %s # likewise", hashrate)
		}
	}
	if g.unknown > 0 {
		add("# %s answered and could not be told; `switchyard scan` without --site says why", count(g.unknown, "device"))
	}
	return out
}

// portsOf writes the ports that the driver knows of those that were asked.
func (s Style) portsOf(name string) string {
	var words []string
	for _, port := range slices.Sorted(maps.Keys(s.Ports)) {
		if s.Has == nil || s.Has(name, port) {
			words = append(words, fmt.Sprintf("%s: %d", port, s.Ports[port]))
		}
	}
	return strings.Join(words, ", ")
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
	id := strings.Trim(notID.ReplaceAllString(strings.ToLower(strings.ReplaceAll(model, "+", "p")), "-"), "-")
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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
