package groups

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
	"switchyard/sitefile"
)

// ErrNoNode says that the site file has no node of that name.
var ErrNoNode = errors.New("there is no such node")

// File is the site file that groups are to be added to, as it was when it was opened.
type File struct {
	path  string
	known sitefile.Known
	data  []byte         // nil: it is to be made
	file  *sitefile.File // nil: it is to be made
	style Style
	taken map[netip.Addr]string // group or meter by address
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

// Open reads the site file at path, by load, which also checks it; one that is not there is
// to be made. Its node must be there, or be the only one that nothing hangs below.
func Open(path string, style Style, known sitefile.Known, load func(path string) (*sitefile.File, error)) (*File, error) {
	t := &File{path: path, known: known, style: style, taken: map[netip.Addr]string{}}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		t.path = real
	}
	var err error
	t.data, err = os.ReadFile(t.path)
	if errors.Is(err, os.ErrNotExist) {
		if t.data = nil; t.style.Node == "" {
			t.style.Node = "hall-a"
		}
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	if t.file, err = load(t.path); err != nil {
		return nil, err
	}
	if err := t.findNode(); err != nil {
		return nil, err
	}
	t.claim()
	return t, nil
}

// Path is where the file is, without links.
func (t *File) Path() string { return t.path }

// HasAll returns an error where the file has all of these addresses already, so that a scan
// of them could add nothing.
func (t *File) HasAll(addrs []netip.Addr) error {
	for _, a := range addrs {
		if t.taken[a] == "" {
			return nil
		}
	}
	if len(addrs) == 0 {
		return nil
	}
	return fmt.Errorf("%s has all of these addresses already, such as %s in %s; nothing can be added", t.path, addrs[0], t.taken[addrs[0]])
}

// findNode checks --node, or takes the only node that nothing hangs below.
func (t *File) findNode() error {
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
	case t.style.Node == "" && len(t.file.Nodes) == 0:
		t.style.Node = t.file.Connection.ID
	case t.style.Node == "" && len(leaves) == 1:
		t.style.Node = leaves[0]
	case t.style.Node == "":
		return fmt.Errorf("say with --node which node the groups hang below: %s", strings.Join(names, ", "))
	case !slices.Contains(names, t.style.Node):
		return fmt.Errorf("%s has no node %q; it has %s: %w", t.path, t.style.Node, strings.Join(names, ", "), ErrNoNode)
	}
	return nil
}

// claim notes which addresses the file has.
func (t *File) claim() {
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

// Add appends what was found to the site file, or makes it, and returns how many groups with
// how many devices were added. Nothing in the file is changed but that lines are added; where
// that cannot be made sure of, or where an address is the file's already, nothing is written.
func (t *File) Add(list []discover.Found) (added, devices int, err error) {
	var collide []string
	for _, d := range list {
		if by := t.taken[d.Address]; by != "" && d.Driver != "" {
			collide = append(collide, fmt.Sprintf("%s (%s)", d.Address, by))
		}
	}
	if len(collide) > 0 {
		some := strings.Join(collide[:min(len(collide), 5)], ", ")
		return 0, 0, fmt.Errorf("nothing is written: %s has %s of what was found already: %s; scan the other addresses only", t.path, count(len(collide), "device"), some)
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
	g := divide(list, ids)
	g.unknown = 0
	if len(g.list) == 0 {
		return 0, 0, errors.New("nothing is written: the scan found no device that could be told")
	}
	text, err := t.with(g)
	if err != nil {
		return 0, 0, err
	}
	if err := t.replace(text); err != nil {
		return 0, 0, err
	}
	for _, k := range g.list {
		devices += len(k.addresses)
	}
	return len(g.list), devices, nil
}

// with returns the file's text with the groups, after making sure that it says what it said
// before and the groups besides.
func (t *File) with(g groups) ([]byte, error) {
	old := t.data
	if t.file == nil {
		old = fmt.Appendf(nil, newSite, t.style.Node)
	}
	text, err := appendGroups(old, t.style.lines(g, "0 W", "0 TH/s"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	if t.file == nil {
		return text, nil
	}
	// Figures that a person is to write in are no reason to think that the text went wrong.
	trial, err := appendGroups(old, t.style.lines(g, "1000 W", "40 TH/s"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	f, err := sitefile.Parse(t.path, trial, t.known)
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
func (t *File) replace(text []byte) error {
	if t.data == nil {
		return create(t.path, text)
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

// create writes a file that must not be there yet.
func create(path string, text []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write the site file: %w", err)
	}
	_, err = out.Write(text)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write the site file: %w", err)
	}
	return nil
}
