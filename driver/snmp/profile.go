package snmp

import (
	"embed"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"switchyard/strictyaml"
)

//go:embed profiles/*.yaml
var shipped embed.FS

const (
	maxProfile = 64 << 10 // bytes of a profile file
	maxOID     = 128      // numbers of an OID, by the protocol
)

// Profile says where a unit keeps its figures: object identifiers of a maker's MIB.
type Profile struct {
	Name  string `yaml:"name"`
	About string `yaml:"about"`
	// Source names the public MIB or document that the objects come from.
	Source string `yaml:"source"`
	// Object is what the device's sysObjectID must begin with; empty: any.
	Object OID `yaml:"object"`
	// MaxOIDs is how many objects one request may ask for, 1 to 60; default 20. A device that
	// finds its reply too big is asked for fewer.
	MaxOIDs  int      `yaml:"max_oids"`
	Identity Identity `yaml:"identity"`
	// Power entering the unit, and its energy register. Without Power it is the outlets' sum.
	Power  *Value `yaml:"power"`
	Energy *Value `yaml:"energy"`
	// Outlets are missing in the profile of a meter.
	Outlets *Outlets `yaml:"outlets"`
}

// Identity is where the unit says who it is; Make is the text itself.
type Identity struct {
	Make     string `yaml:"make"`
	Model    OID    `yaml:"model"`
	Serial   OID    `yaml:"serial"`
	Firmware OID    `yaml:"firmware"`
	MAC      OID    `yaml:"mac"`
}

// Value is a figure: raw x scale x 10^-digits x 10^exponent, in Unit. In Outlets, OIDs are
// columns: the outlet's index and Suffix follow; elsewhere they are whole.
type Value struct {
	OID    OID  `yaml:"oid"`
	Suffix OID  `yaml:"suffix"`
	Unit   Unit `yaml:"unit"`
	// Scale multiplies the raw value; default 1.
	Scale float64 `yaml:"scale"`
	// Digits is the object that holds the number of decimal digits, Exponent that of a power of ten.
	Digits   OID `yaml:"digits"`
	Exponent OID `yaml:"exponent"`
	// Invalid are raw values that mean "not known".
	Invalid []int64 `yaml:"invalid"`
	// Available is an object that says whether the figure counts.
	Available *Flag `yaml:"available"`
	// Sum adds up all rows of the column OID; for Profile.Power and Energy only.
	Sum bool `yaml:"sum"`
}

// Flag is an object and the values that mean yes. The Value's Suffix follows.
type Flag struct {
	OID OID     `yaml:"oid"`
	Is  []int64 `yaml:"is"`
}

// Outlets says how outlets are found and read.
type Outlets struct {
	// Label is the column of what the outlets are called. Its rows are the outlets.
	Label  OID    `yaml:"label"`
	Power  *Value `yaml:"power"`
	Energy *Value `yaml:"energy"`
	State  *State `yaml:"state"`
}

// State says which values of an object mean on and which off; others are unknown.
type State struct {
	OID    OID     `yaml:"oid"`
	Suffix OID     `yaml:"suffix"`
	On     []int64 `yaml:"on"`
	Off    []int64 `yaml:"off"`
}

// OID is an object identifier with dots and without one before it: "1.3.6.1.2.1.1.2.0".
type OID string

var oidForm = regexp.MustCompile(`^[0-9]{1,10}(\.[0-9]{1,10})*$`)

// UnmarshalText reads an OID with or without a dot before it.
func (o *OID) UnmarshalText(b []byte) error {
	s := strings.TrimPrefix(strings.TrimSpace(string(b)), ".")
	if !oidForm.MatchString(s) || strings.Count(s, ".") >= maxOID {
		return fmt.Errorf("%q is not an object identifier; write it like %q", b, "1.3.6.1.4.1.318.1.1.26")
	}
	for _, n := range strings.Split(s, ".") {
		if _, err := strconv.ParseUint(n, 10, 32); err != nil {
			return fmt.Errorf("%q is not an object identifier; its numbers are below 2^32", b)
		}
	}
	*o = OID(s)
	return nil
}

// at is the OID with further numbers behind it.
func (o OID) at(rest ...OID) OID {
	s := string(o)
	for _, r := range rest {
		if r != "" {
			s += "." + string(r)
		}
	}
	return OID(s)
}

// under returns what follows prefix; false where the OID is not below it.
func (o OID) under(prefix OID) (OID, bool) {
	rest, ok := strings.CutPrefix(string(o), string(prefix)+".")
	return OID(rest), ok && rest != ""
}

// Unit is the unit of a scaled value.
type Unit string

// perUnit is what a unit is in watts or watt-hours.
func perUnit(u Unit) float64 {
	return map[Unit]float64{"mW": 1e-3, "W": 1, "kW": 1e3, "mWh": 1e-3, "Wh": 1, "kWh": 1e3, "MWh": 1e6}[u]
}

// Profiles returns the names of the shipped profiles, sorted.
func Profiles() []string {
	entries, err := shipped.ReadDir("profiles")
	if err != nil {
		return nil // cannot be: the folder is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// LoadProfile returns a shipped profile by its name, or reads one from a path that ends in
// .yaml. Its error lists every fault with file, line and key. It blocks on the disk.
func LoadProfile(nameOrPath string) (*Profile, error) {
	if !strings.HasSuffix(nameOrPath, ".yaml") && !strings.HasSuffix(nameOrPath, ".yml") {
		data, err := shipped.ReadFile(path.Join("profiles", nameOrPath+".yaml"))
		if err != nil {
			hint := strictyaml.Suggest(nameOrPath, Profiles())
			return nil, fmt.Errorf("there is no SNMP profile %q; %s, or a path that ends in .yaml", nameOrPath, hint)
		}
		return ParseProfile(nameOrPath+".yaml", data)
	}
	f, err := os.Open(nameOrPath)
	if err != nil {
		return nil, fmt.Errorf("read SNMP profile: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err != nil {
		return nil, fmt.Errorf("read SNMP profile %s: %w", nameOrPath, err)
	}
	return ParseProfile(nameOrPath, data)
}

// ParseProfile reads a profile strictly; file is the name used in faults.
func ParseProfile(file string, data []byte) (*Profile, error) {
	if len(data) > maxProfile {
		return nil, fmt.Errorf("%s: an SNMP profile has at most %d bytes", file, maxProfile)
	}
	p := &Profile{MaxOIDs: 20}
	doc, faults := strictyaml.Decode(file, data, p)
	c := checker{doc: doc, faults: faults}
	c.profile(p)
	if err := c.faults.Sorted().Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// checker holds the semantic checks, after the strict decoding.
type checker struct {
	doc    *strictyaml.Doc
	faults strictyaml.Faults
}

func (c *checker) fault(at, suggestion, format string, args ...any) {
	if !c.doc.Faulty(at) {
		c.faults = append(c.faults, c.doc.Fault(at, suggestion, format, args...))
	}
}

func (c *checker) profile(p *Profile) {
	if p.Name == "" {
		c.fault("name", "", "a profile needs a name")
	}
	if p.Source == "" {
		c.fault("source", "name the MIB that the objects come from", "a profile needs its source")
	}
	if p.MaxOIDs < 1 || p.MaxOIDs > 60 {
		c.fault("max_oids", "", "one request asks for 1 to 60 objects")
	}
	if p.Power == nil && p.Outlets == nil && !c.doc.Faulty("power") && !c.doc.Faulty("outlets") {
		c.fault("", "", `a profile has "power", "outlets" or both`)
	}
	c.value("power", p.Power, true, "W", "kW", "mW")
	c.value("energy", p.Energy, true, "Wh", "kWh", "MWh", "mWh")
	o := p.Outlets
	if o == nil {
		return
	}
	if o.Label == "" {
		c.fault("outlets.label", "the column that names the outlets", "label is missing")
	}
	if o.Power == nil {
		c.fault("outlets.power", "", "outlets are read for their power")
	}
	c.value("outlets.power", o.Power, false, "W", "kW", "mW")
	c.value("outlets.energy", o.Energy, false, "Wh", "kWh", "MWh", "mWh")
	if s := o.State; s != nil {
		if s.OID == "" {
			c.fault("outlets.state.oid", "", "a state needs its object")
		}
		if len(s.On) == 0 || len(s.On)+len(s.Off) > 32 {
			c.fault("outlets.state.on", "write it like \"on: [1]\"", "a state needs the values that mean on")
		}
	}
}

func (c *checker) value(at string, v *Value, whole bool, units ...string) {
	if v == nil {
		return
	}
	if v.OID == "" {
		c.fault(at+".oid", "", "a value needs its object")
	}
	if !slices.Contains(units, string(v.Unit)) {
		c.fault(at+".unit", "it can be "+strings.Join(units, ", "), "%q does not fit here", string(v.Unit))
	}
	if c.doc.Has(at+".scale") && !(math.Abs(v.Scale) >= 1e-9 && math.Abs(v.Scale) <= 1e9) {
		c.fault(at+".scale", "", "a scale is between 1e-9 and 1e9, and not 0")
	}
	if v.Scale == 0 {
		v.Scale = 1
	}
	if whole && v.Suffix != "" {
		c.fault(at+".suffix", "write the whole OID", "a suffix goes with outlets")
	}
	if v.Sum && (!whole || v.Digits != "" || v.Exponent != "" || v.Available != nil) {
		c.fault(at+".sum", "", "a sum is of one column, without digits, exponent or available, and not of outlets")
	}
	if v.Available != nil && (v.Available.OID == "" || len(v.Available.Is) == 0) {
		c.fault(at+".available", "write it like \"{oid: 1.3.6..., is: [1]}\"", "it needs its object and the values that mean yes")
	}
	if len(v.Invalid) > 16 {
		c.fault(at+".invalid", "", "at most 16 invalid values")
	}
}
