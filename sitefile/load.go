package sitefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
)

// Known is what the rest of the program knows by name. A nil list is not checked against,
// nor a driver that Ports does not name.
type Known struct {
	Drivers []string // without "auto", which is always allowed
	// Ports are the names of each driver's ports, those of "auto" too.
	Ports    map[string][]string
	Profiles []string // shipped register maps of meters
	// UnitProfiles are the shipped SNMP profiles of power distribution units.
	UnitProfiles []string
	// Address says what is wrong with what stands behind a notice's reference: a warning, since
	// the controller may run elsewhere. Nil: nobody looks.
	Address func(f *File, ref string) error
	// Adjust, if set, changes the file before it is checked: a caller that brings sources of its
	// own puts them in the place of those that the file names.
	Adjust func(f *File)
}

// Load reads and checks the site file at path. It blocks on the disk. Where the file has
// faults the error is a strictyaml.Faults with all of them. Files that it names must exist.
func Load(path string, k Known) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, strictyaml.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read site file %s: %w", path, err)
	}
	return parse(path, data, k, mustExist)
}

// Parse checks data, the content of the site file called name, without touching the disk.
// The error is a strictyaml.Faults.
func Parse(name string, data []byte, k Known) (*File, error) {
	return parse(name, data, k, func(string) error { return nil })
}

func parse(name string, data []byte, k Known, exists func(string) error) (*File, error) {
	f := &File{Dir: filepath.Dir(name)}
	doc, faults := strictyaml.Decode(name, data, f)
	if doc.Faulty("") && !doc.Has("site") && !doc.Has("connection") {
		return nil, faults.Err() // no YAML, or no site file: the checks would only add noise
	}
	f.setDefaults(doc)
	if k.Adjust != nil {
		k.Adjust(f)
	}
	c := &checker{doc: doc, f: f, known: k, exists: exists, nodes: map[string]int{}, loads: map[string]string{}}
	c.Check = check.Check{To: c}
	c.all()
	if err := slices.Concat(faults, c.faults).Sorted().Err(); err != nil {
		return nil, err
	}
	for i := -1; i < len(f.Nodes); i++ {
		n := c.nodeAt(i)
		n.Overload = longestFirst(n.Overload)
	}
	f.Warnings = c.warnings.Sorted()
	return f, nil
}

// mustExist opens the file for reading once, so that a path or a right that is wrong is
// found by `check` and not at night.
func mustExist(path string) error {
	in, err := os.Open(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			return p.Err
		}
		return err
	}
	defer in.Close()
	if st, err := in.Stat(); err == nil && st.IsDir() {
		return errFolder
	}
	return nil
}

// Path returns p, or p below the site file's folder where it is relative.
func (f *File) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.Dir, p)
}

// Location returns the site's time zone; UTC where the file names none.
func (f *File) Location() *time.Location {
	loc, err := time.LoadLocation(f.Site.Timezone)
	if err != nil {
		return time.UTC // Parse has refused it; a File made by hand falls to the default
	}
	return loc
}

// Group returns the group called id.
func (f *File) Group(id string) (Group, bool) {
	for _, g := range f.Groups {
		if g.ID == id {
			return g, true
		}
	}
	return Group{}, false
}
