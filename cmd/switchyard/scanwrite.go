package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"switchyard/discover"
	"switchyard/driver/all"
	"switchyard/sitefile"
)

// siteTarget is the site file that groups are to be written to.
type siteTarget struct {
	path        string
	data        []byte         // as it was read; nil: it is to be made
	file        *sitefile.File // nil: it is to be made
	node        string
	credentials string
	taken       map[netip.Addr]string // group or meter by address
}

// newSite is the beginning of a site file that is made for groups: all that a scan cannot
// know is left out, and `switchyard check` asks for it.
const newSite = `# A Switchyard site file, begun by a scan. "switchyard check" says what is still missing;
# "switchyard init example.yaml" writes an example with every part explained.

site:
  name: ""
  timezone: UTC # days of reports and months of rent begin here

connection: {} # limit: 5 MW, meter: {address: 10.0.0.2, profile: generic}

nodes:
  - id: %s

groups:
`

// prepareWrite reads the file of --write before the scan, so that what is wrong with it is
// said at once; nil where nothing is to be written.
func prepareWrite(in scanFlags, scanned []netip.Addr) (*siteTarget, error) {
	if in.write == "" {
		return nil, nil
	}
	t := &siteTarget{path: in.write, node: in.node, taken: map[netip.Addr]string{}}
	if in.password != "" {
		user := in.user
		if user == "" {
			user = "root"
		}
		t.credentials = fmt.Sprintf("user: %q, password: %q", user, in.password)
	}
	if real, err := filepath.EvalSymlinks(in.write); err == nil {
		t.path = real
	}
	var err error
	t.data, err = os.ReadFile(t.path)
	if errors.Is(err, os.ErrNotExist) {
		if t.data = nil; t.node == "" {
			t.node = "hall-a"
		}
		return t, nil
	}
	if err != nil {
		return nil, badInput("read site file: %w", err)
	}
	if t.file, err = loadSite(t.path); err != nil {
		return nil, err
	}
	if err := t.findNode(); err != nil {
		return nil, err
	}
	t.claim()
	var all []netip.Addr
	for _, a := range scanned {
		if t.taken[a] == "" {
			all = append(all, a)
		}
	}
	if len(scanned) > 0 && len(all) == 0 {
		return nil, badInput("%s has all of these addresses already, such as %s in %s; nothing can be added", in.write, scanned[0], t.taken[scanned[0]])
	}
	return t, nil
}

// findNode checks --node, or takes the only node that nothing hangs below.
func (t *siteTarget) findNode() error {
	var leaves, names []string
	parents := map[string]bool{}
	for _, n := range t.file.Nodes {
		parents[n.Parent] = true
	}
	for _, n := range t.file.Nodes {
		names = append(names, n.ID)
		if !parents[n.ID] {
			leaves = append(leaves, n.ID)
		}
	}
	names = append(names, t.file.Connection.ID)
	switch {
	case t.node == "" && len(t.file.Nodes) == 0:
		t.node = t.file.Connection.ID
	case t.node == "" && len(leaves) == 1:
		t.node = leaves[0]
	case t.node == "":
		return badInput("say with --node which node the groups hang below: %s", strings.Join(names, ", "))
	case !slices.Contains(names, t.node):
		return withCode(exitNotFound, "%s has no node %q; it has %s", t.path, t.node, strings.Join(names, ", "))
	}
	return nil
}

// claim notes which addresses the file has.
func (t *siteTarget) claim() {
	take := func(host, what string) {
		if a, err := netip.ParseAddr(host); err == nil && t.taken[a] == "" {
			t.taken[a] = what
		}
	}
	for _, g := range t.file.Groups {
		for _, a := range g.Targets() {
			take(a.Host, "group "+g.ID)
		}
	}
	for _, n := range append([]sitefile.Node{t.file.Connection}, t.file.Nodes...) {
		if n.Meter != nil {
			take(n.Meter.Address, "the meter of "+n.ID)
		}
	}
}

// writeGroups appends what was found to the site file, or makes it. Nothing in the file is
// changed but that lines are added; where that cannot be made sure of, nothing is written.
func (c *cli) writeGroups(t *siteTarget, list []discover.Found, ports map[string]int) error {
	var collide []string
	for _, d := range list {
		if by := t.taken[d.Address]; by != "" && d.Driver != "" {
			collide = append(collide, fmt.Sprintf("%s (%s)", d.Address, by))
		}
	}
	if len(collide) > 0 {
		some := strings.Join(collide[:min(len(collide), 5)], ", ")
		return badInput("nothing is written: %s has %s of what was found already: %s; scan the other addresses only", t.path, count(len(collide), "device"), some)
	}
	ids := map[string]bool{}
	if t.file != nil {
		for _, g := range t.file.Groups {
			ids[g.ID] = true
		}
		for _, k := range t.file.Tenants {
			ids[k.ID] = true
		}
	}
	g := groupsOf(list, ids)
	g.unknown = 0
	if len(g.list) == 0 {
		return withCode(exitNotFound, "nothing is written: the scan found no device that could be told")
	}
	text, err := t.with(g, ports)
	if err != nil {
		return err
	}
	if err := t.replace(text); err != nil {
		return err
	}
	devices := 0
	for _, k := range g.list {
		devices += len(k.addresses)
	}
	c.note("%s with %s written to %s; next: switchyard check %s", count(len(g.list), "group"), count(devices, "device"), t.path, t.path)
	return nil
}

// with returns the file's text with the groups, after making sure that it says what it said
// before and the groups besides.
func (t *siteTarget) with(g groups, ports map[string]int) ([]byte, error) {
	s := snippet{node: t.node, ports: ports, credentials: t.credentials, power: "0 W", hashrate: "0 TH/s"}
	old := t.data
	if t.file == nil {
		old = fmt.Appendf(nil, newSite, t.node)
	}
	text, err := appendGroups(old, s.lines(g))
	if err != nil {
		return nil, badInput("%s: %w", t.path, err)
	}
	if t.file == nil {
		return text, nil
	}
	// Figures that a person is to write in are no reason to think that the text went wrong.
	s.power, s.hashrate = "1000 W", "40 TH/s"
	trial, err := appendGroups(old, s.lines(g))
	if err != nil {
		return nil, badInput("%s: %w", t.path, err)
	}
	f, err := sitefile.Parse(t.path, trial, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		return nil, fmt.Errorf("nothing is written: with the groups %s would not pass: %w", t.path, err)
	}
	n := len(t.file.Groups)
	if len(f.Groups) != n+len(g.list) || !reflect.DeepEqual(f.Groups[:n:n], t.file.Groups[:n:n]) && n > 0 {
		return nil, fmt.Errorf("nothing is written: the groups of %s are written in a way that lines cannot be added to; print them with --site and add them by hand", t.path)
	}
	return text, nil
}

var (
	groupsKey = regexp.MustCompile(`^groups:\s*(\[\s*\]|~|null)?\s*(#.*)?$`)
	topKey    = regexp.MustCompile(`^([^\s#-]|---|\.\.\.)`)
	listItem  = regexp.MustCompile(`^( *)- `)
)

// appendGroups adds items to the list under the key "groups" of a YAML text, behind the
// last one, and makes the key at the end where there is none. All other lines stay as they are.
func appendGroups(text []byte, items []string) ([]byte, error) {
	lines := strings.SplitAfter(string(text), "\n")
	eol := "\n"
	if strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	} else {
		lines[len(lines)-1] += eol
	}
	key := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "groups:") })
	indent, at := "  ", key+1
	if key < 0 {
		lines = append(lines, eol, "groups:"+eol)
		at = len(lines)
	} else {
		m := groupsKey.FindStringSubmatch(strings.TrimRight(lines[key], "\r\n"))
		if m == nil {
			return nil, errors.New(`the groups stand on one line behind "groups:"; write each on lines of its own, or add what --site prints by hand`)
		}
		if m[1] != "" {
			lines[key] = strings.Replace(lines[key], m[1], "", 1)
		}
		first := true
		for i := key + 1; i < len(lines) && !topKey.MatchString(lines[i]); i++ {
			if m := listItem.FindStringSubmatch(lines[i]); m != nil && first {
				indent, first = m[1], false
			}
			if l := strings.TrimSpace(lines[i]); l != "" && !strings.HasPrefix(l, "#") {
				at = i + 1 // comments behind the last item belong to what follows
			}
		}
	}
	add := make([]string, len(items))
	for i, l := range items {
		add[i] = indent + l + eol
	}
	return []byte(strings.Join(slices.Insert(lines, at, add...), "")), nil
}

// replace writes the text in the place of what was read, whole or not at all; a file that
// somebody changed meanwhile, or made, stays as it is.
func (t *siteTarget) replace(text []byte) error {
	if t.data == nil {
		return writeNew(t.path, text, false)
	}
	now, err := os.ReadFile(t.path)
	if err != nil || !bytes.Equal(now, t.data) {
		return fmt.Errorf("nothing is written: %s was changed during the scan", t.path)
	}
	st, err := os.Stat(t.path)
	if err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(t.path), ".site-*.yaml")
	if err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(st.Mode().Perm()), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), t.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", t.path, err), os.Remove(tmp.Name()))
	}
	return nil
}
