package modbus

import (
	"embed"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

//go:embed profiles/*.yaml
var shipped embed.FS

// maxProfile bounds a profile file, in bytes; the longest shipped one has 2,000.
const maxProfile = 256 << 10

// Profile is a meter's register map.
type Profile struct {
	Name  string `yaml:"name"`
	About string `yaml:"about"`
	// Source names the public document that the registers come from.
	Source string `yaml:"source"`
	// Kind is where registers lie unless one says otherwise; default holding.
	Kind Kind `yaml:"kind"`
	// ByteOrder is of the bytes in a register, WordOrder of the registers in a value; both default big.
	ByteOrder Order `yaml:"byte_order"`
	WordOrder Order `yaml:"word_order"`
	// Sign says what a positive power means; default import (consumed).
	Sign Sign `yaml:"sign"`
	// Sane bounds the power; a reading outside it is unknown. Nil: no bound.
	Sane *Sane `yaml:"sane"`
	// MaxGap is how many unwanted registers one request may read over; default 16.
	MaxGap *int `yaml:"max_gap"`
	// MaxRead is how many registers one request may ask for, 1 to 125; default 100.
	MaxRead int `yaml:"max_read"`
	// Registers at fixed addresses; or Chain. Exactly one of them.
	Registers *Registers `yaml:"registers"`
	Chain     *Chain     `yaml:"chain"`
}

// Registers are the values that a meter gives. Power is required.
type Registers struct {
	Power       *Register  `yaml:"power"`
	Energy      *Register  `yaml:"energy"` // import, cumulative
	Frequency   *Register  `yaml:"frequency"`
	Voltage     *Register  `yaml:"voltage"`
	PowerFactor *Register  `yaml:"power_factor"`
	Heartbeat   *Heartbeat `yaml:"heartbeat"`
}

// Register is one value: raw x scale x 10^(scale factor register), in Unit.
type Register struct {
	// Address on the wire, from 0; in a chain the offset from the model's ID register.
	Address uint16 `yaml:"address"`
	Kind    Kind   `yaml:"kind"`
	Type    Type   `yaml:"type"`
	Unit    Unit   `yaml:"unit"`
	// Scale multiplies the raw value; default 1.
	Scale float64 `yaml:"scale"`
	// ScaleFactor is the address of a signed register holding a power of ten.
	ScaleFactor *uint16 `yaml:"scale_factor"`
	// Invalid are raw values that mean "not known". NaN and infinities always do.
	Invalid []Raw `yaml:"invalid"`
	// Wraps is the raw count at which a cumulative register starts again at 0; 0 if not known.
	Wraps Raw `yaml:"wraps"`
}

// Heartbeat is a counter or timestamp that the meter moves at every measurement.
type Heartbeat struct {
	Address uint16 `yaml:"address"`
	Kind    Kind   `yaml:"kind"`
	Type    Type   `yaml:"type"`
	// StaleAfter is how long it may stand still, in site time, before readings are refused.
	StaleAfter time.Duration `yaml:"stale_after"`
}

// Sane is a closed range of power, in the meter's sense after Sign.
type Sane struct {
	Min unit.Power `yaml:"min"`
	Max unit.Power `yaml:"max"`
}

// Chain finds registers by walking a SunSpec model chain.
type Chain struct {
	Bases  []uint16 `yaml:"bases"`
	Models []Model  `yaml:"models"`
}

// Model is what to read of a SunSpec model; the first in the device's chain that is listed wins.
type Model struct {
	IDs       []uint16  `yaml:"ids"`
	Registers Registers `yaml:"registers"`
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
// .yaml. Its error lists every fault with file, line and key.
func LoadProfile(nameOrPath string) (*Profile, error) {
	if !strings.HasSuffix(nameOrPath, ".yaml") && !strings.HasSuffix(nameOrPath, ".yml") {
		data, err := shipped.ReadFile(path.Join("profiles", nameOrPath+".yaml"))
		if err != nil {
			hint := strictyaml.Suggest(nameOrPath, Profiles())
			return nil, fmt.Errorf("there is no meter profile %q; %s, or a path that ends in .yaml", nameOrPath, hint)
		}
		return ParseProfile(nameOrPath+".yaml", data)
	}
	f, err := os.Open(nameOrPath)
	if err != nil {
		return nil, fmt.Errorf("read meter profile: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err != nil {
		return nil, fmt.Errorf("read meter profile %s: %w", nameOrPath, err)
	}
	return ParseProfile(nameOrPath, data)
}

// ParseProfile reads a profile strictly; file is the name used in faults.
func ParseProfile(file string, data []byte) (*Profile, error) {
	if len(data) > maxProfile {
		return nil, fmt.Errorf("%s: a meter profile has at most %d bytes", file, maxProfile)
	}
	p := &Profile{MaxRead: 100}
	doc, faults := strictyaml.Decode(file, data, p)
	c := checker{doc: doc, faults: faults}
	c.profile(p)
	if err := c.faults.Sorted().Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Profile) gap() int {
	if p.MaxGap == nil {
		return 16
	}
	return *p.MaxGap
}

// Kind is one of Modbus's two tables of registers.
type Kind uint8

// The kinds; the zero Kind means the profile's.
const (
	kindDefault Kind = iota
	Holding
	Input
)

// UnmarshalText reads "holding" or "input".
func (k *Kind) UnmarshalText(b []byte) error {
	return choose(k, b, "a kind of register", map[string]Kind{"holding": Holding, "input": Input})
}

// String returns the kind's name.
func (k Kind) String() string {
	if k == Input {
		return "input"
	}
	return "holding"
}

// Order is the order of bytes or words; the zero Order is big.
type Order uint8

// The orders.
const (
	Big Order = iota
	Little
)

// UnmarshalText reads "big" or "little".
func (o *Order) UnmarshalText(b []byte) error {
	return choose(o, b, "an order", map[string]Order{"big": Big, "little": Little})
}

// Sign is what a positive power means; the zero Sign is import.
type Sign uint8

// The signs.
const (
	Import Sign = iota // positive when consumed
	Export
)

// UnmarshalText reads "import" or "export".
func (s *Sign) UnmarshalText(b []byte) error {
	return choose(s, b, "a sign", map[string]Sign{"import": Import, "export": Export})
}

// Type is how a value lies in its registers.
type Type uint8

// The types.
const (
	typeNone Type = iota
	U16
	S16
	U32
	S32
	U64
	S64
	F32
	F64
)

var types = []string{"", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"}

// UnmarshalText reads the type's name.
func (t *Type) UnmarshalText(b []byte) error {
	if i := slices.Index(types, string(b)); i > 0 {
		*t = Type(i)
		return nil
	}
	return fmt.Errorf("%q is not a type; %s", b, strictyaml.Suggest(string(b), types[1:]))
}

// words returns how many registers the type takes.
func (t Type) words() int { return []int{1, 1, 1, 2, 2, 4, 4, 2, 4}[t] }

// Unit is the unit of a scaled value.
type Unit string

// factor is in milliwatts or milliwatt-hours, or 1 for values without a unit type.
var factors = map[Unit]float64{
	"mW": 1, "W": 1e3, "kW": 1e6, "MW": 1e9, "Wh": 1e3, "kWh": 1e6, "MWh": 1e9, "mWh": 1,
	"Hz": 1, "V": 1, "kV": 1e3, "%": 0.01, "": 1,
}

// UnmarshalText reads a unit's name.
func (u *Unit) UnmarshalText(b []byte) error {
	if _, ok := factors[Unit(b)]; !ok || len(b) == 0 {
		return fmt.Errorf("%q is not a unit; it can be one of W, kW, MW, Wh, kWh, MWh, Hz, V, kV, %%", b)
	}
	*u = Unit(b)
	return nil
}

// Raw is a register's bits as an unsigned number, written like "0x8000" or "32768".
type Raw uint64

// UnmarshalText reads a decimal or hexadecimal number.
func (r *Raw) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 0, 64)
	if err != nil {
		return fmt.Errorf("%q is not a register value; write it like \"0x8000\"", b)
	}
	*r = Raw(v)
	return nil
}

func choose[T any](to *T, b []byte, what string, names map[string]T) error {
	v, ok := names[string(b)]
	if !ok {
		all := make([]string, 0, len(names))
		for n := range names {
			all = append(all, n)
		}
		slices.Sort(all)
		return fmt.Errorf("%q is not %s; %s", b, what, strictyaml.Suggest(string(b), all))
	}
	*to = v
	return nil
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
		c.fault("source", "name the document the registers come from", "a profile needs its source")
	}
	if p.MaxRead < 1 || p.MaxRead > maxRegisters {
		c.fault("max_read", "", "one request reads 1 to %d registers", maxRegisters)
	}
	if p.gap() < 0 || p.gap() > maxRegisters {
		c.fault("max_gap", "", "a gap is 0 to %d registers", maxRegisters)
	}
	if p.Sane != nil && p.Sane.Min >= p.Sane.Max {
		c.fault("sane", "", "min must be below max")
	}
	if (p.Registers == nil) == (p.Chain == nil) && !c.doc.Faulty("registers") && !c.doc.Faulty("chain") {
		c.fault("", "", `a profile has either "registers" or "chain"`)
	}
	if p.Registers != nil {
		c.registers("registers", p.Registers)
	}
	if p.Chain == nil {
		return
	}
	if n := len(p.Chain.Bases); n == 0 || n > 8 {
		c.fault("chain.bases", "", "a chain needs 1 to 8 base addresses")
	}
	if n := len(p.Chain.Models); n == 0 || n > 32 {
		c.fault("chain.models", "", "a chain needs 1 to 32 models")
	}
	for i := range p.Chain.Models {
		at := fmt.Sprintf("chain.models[%d]", i)
		if len(p.Chain.Models[i].IDs) == 0 {
			c.fault(at+".ids", "", "a model needs its ids")
		}
		c.registers(at+".registers", &p.Chain.Models[i].Registers)
	}
}

func (c *checker) registers(at string, r *Registers) {
	if r.Power == nil {
		c.fault(at+".power", "", "a meter needs a power register")
	}
	c.register(at+".power", r.Power, "W", "kW", "MW", "mW")
	c.register(at+".energy", r.Energy, "Wh", "kWh", "MWh", "mWh")
	c.register(at+".frequency", r.Frequency, "Hz")
	c.register(at+".voltage", r.Voltage, "V", "kV")
	c.register(at+".power_factor", r.PowerFactor, "", "%")
	if h := r.Heartbeat; h != nil {
		if h.Type == typeNone || h.Type == F32 || h.Type == F64 {
			c.fault(at+".heartbeat.type", "it can be one of u16, s16, u32, s32, u64, s64", "a heartbeat needs a whole type")
		}
		if h.StaleAfter <= 0 {
			c.fault(at+".heartbeat.stale_after", "", "a heartbeat needs a time after which it is stale")
		}
	}
}

func (c *checker) register(at string, r *Register, units ...Unit) {
	if r == nil {
		return
	}
	if r.Type == typeNone {
		c.fault(at+".type", "it can be one of u16, s16, u32, s32, u64, s64, f32, f64", "a register needs a type")
	}
	if int(r.Address)+r.Type.words() > 1<<16 {
		c.fault(at+".address", "", "the value reaches over the last address, 65535")
	}
	if !slices.Contains(units, r.Unit) {
		c.fault(at+".unit", "it can be "+join(units), "%q does not fit here", string(r.Unit))
	}
	if c.doc.Has(at+".scale") && (r.Scale == 0 || math.Abs(r.Scale) > 1e9 || math.Abs(r.Scale) < 1e-9) {
		c.fault(at+".scale", "", "a scale is between 1e-9 and 1e9, and not 0")
	}
	if r.Scale == 0 {
		r.Scale = 1
	}
	if r.Wraps != 0 && (r.Type == F32 || r.Type == F64) {
		c.fault(at+".wraps", "", "a floating-point register does not wrap")
	}
	if len(r.Invalid) > 16 {
		c.fault(at+".invalid", "", "at most 16 invalid values")
	}
}

func join(units []Unit) string {
	var names []string
	for _, u := range units {
		names = append(names, string(u))
	}
	return strings.Join(names, ", ")
}
