package discover

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"switchyard/site"
	"switchyard/strictyaml"
)

// Place is where a device stands and what it is plugged into; empty: not said.
type Place struct {
	Rack, Position string
	Cord                           // the first
	More           [moreCords]Cord // the others, in the order of their columns
}

// Cord is one outlet that a device is plugged into.
type Cord struct{ PDU, Outlet string }

// String is the cord as "pdu/outlet".
func (c Cord) String() string { return c.PDU + "/" + c.Outlet }

// Cords lists all outlets that the device is plugged into.
func (p Place) Cords() []Cord {
	var out []Cord
	for _, c := range append([]Cord{p.Cord}, p.More[:]...) {
		if c != (Cord{}) {
			out = append(out, c)
		}
	}
	return out
}

// RackRow is one line of a rack map: who, by one or more of four marks, and where.
type RackRow struct {
	Line    int // of the file, from 1
	Device  site.DeviceID
	Address netip.Addr // zero: not said
	MAC     string
	Serial  string
	Place
}

// Racks is a rack map. It is not written once read. A nil map knows nobody.
type Racks struct {
	rows []RackRow
	by   [4]map[string]int // rows by device, MAC, serial, address
}

// The bounds of a rack map.
const (
	maxRackBytes = 32 << 20
	maxRackRows  = 300_000
	maxRackField = 200
	moreCords    = 3  // of one device, beside the first
	maxFaults    = 50 // that are told one by one
)

// ReadRacks reads a rack map: CSV with a header line, columns in any order: at least one of
// device, address, mac and serial, and rack, position, pdu, outlet; pdu2 and outlet2 are
// those of a second cord, and so on to the fourth. Commas or semicolons part the fields. name is the file's, for errors, which tell all that is wrong, with lines.
func ReadRacks(name string, in io.Reader) (*Racks, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxRackBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read rack map %s: %w", name, err)
	}
	if len(data) > maxRackBytes {
		return nil, fmt.Errorf("%s: a rack map has at most %d MB", name, maxRackBytes>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	p := &rackReader{name: name, racks: &Racks{}, outlets: map[Cord]int{}}
	for i := range p.racks.by {
		p.racks.by[i] = map[string]int{}
	}
	p.read(data)
	if p.count > 0 {
		if more := p.count - len(p.faults); more > 0 {
			p.faults = append(p.faults, fmt.Errorf("%s: and %d more faults", name, more))
		}
		return nil, errors.Join(p.faults...)
	}
	return p.racks, nil
}

// Rows returns all lines in the file's order.
func (r *Racks) Rows() []RackRow {
	if r == nil {
		return nil
	}
	return slices.Clone(r.rows)
}

// Find returns where a device is: by its id, else by its MAC, its serial number, or its address.
func (r *Racks) Find(device site.DeviceID, addr netip.Addr, id site.Identity) (Place, bool) {
	if r == nil {
		return Place{}, false
	}
	mac, _ := MAC(id.MAC)
	for i, key := range [4]string{string(device), mac, strings.ToUpper(Serial(id.Serial)), addrKey(addr)} {
		if at, ok := r.by[i][key]; ok && key != "" {
			return r.rows[at].Place, true
		}
	}
	return Place{}, false
}

func addrKey(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

type rackReader struct {
	name    string
	racks   *Racks
	columns map[string]int
	outlets map[Cord]int // lines by PDU and outlet
	faults  []error
	count   int // of faults
}

func (p *rackReader) fault(line int, format string, args ...any) {
	if p.count++; p.count <= maxFaults {
		p.faults = append(p.faults, fmt.Errorf("%s:%d: "+format, append([]any{p.name, line}, args...)...))
	}
}

func (p *rackReader) read(data []byte) {
	c := csv.NewReader(bytes.NewReader(data))
	first, _ := bufio.NewReader(bytes.NewReader(data)).ReadString('\n')
	if strings.Count(first, ";") > strings.Count(first, ",") {
		c.Comma = ';'
	}
	c.FieldsPerRecord, c.TrimLeadingSpace, c.ReuseRecord = -1, true, true
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			p.fault(bad.Line, "%v", bad.Err)
			continue // the reader goes on at the next line
		}
		line, _ := c.FieldPos(0)
		switch {
		case p.columns == nil:
			if !p.header(line, row) {
				return
			}
		case len(p.racks.rows) >= maxRackRows:
			p.fault(line, "a rack map has at most %d lines", maxRackRows)
			return
		default:
			p.row(line, row)
		}
	}
	if p.columns == nil && p.count == 0 {
		p.fault(1, "the header line is missing; write one like %q", "device,rack,position,pdu,outlet")
	}
}

func rackColumns() []string {
	return []string{
		"device", "address", "mac", "serial", "rack", "position", "pdu", "outlet", "pdu2", "outlet2", "pdu3", "outlet3", "pdu4", "outlet4",
	}
}

func (p *rackReader) header(line int, row []string) bool {
	p.columns = map[string]int{}
	for i, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		_, twice := p.columns[name]
		switch {
		case !slices.Contains(rackColumns(), name):
			p.fault(line, "unknown column %s; %s", quote(name), strictyaml.Suggest(name, rackColumns()))
		case twice:
			p.fault(line, "the column %s comes twice", name)
		}
		p.columns[name] = i
	}
	who := false
	for _, name := range rackColumns()[:4] {
		_, has := p.columns[name]
		who = who || has
	}
	if !who && p.count == 0 {
		p.fault(line, "a column that says which device is missing: device, address, mac or serial")
	}
	return p.count == 0
}

func (p *rackReader) row(line int, row []string) {
	if len(row) != len(p.columns) {
		p.fault(line, "%d fields, and the header has %d", len(row), len(p.columns))
		return
	}
	get := func(column string) string {
		i, ok := p.columns[column]
		if !ok {
			return ""
		}
		v := strings.TrimSpace(row[i])
		if len(v) > maxRackField || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			p.fault(line, "%s: %s is no name", column, quote(v))
			return ""
		}
		return v
	}
	if strings.Join(row, "") == "" {
		return
	}
	before := p.count
	r := RackRow{
		Line: line, Device: site.DeviceID(get("device")), Serial: get("serial"),
		Place: Place{Rack: get("rack"), Position: get("position"), Cord: Cord{get("pdu"), get("outlet")}},
	}
	for i := range r.More {
		n := strconv.Itoa(i + 2)
		r.More[i] = Cord{get("pdu" + n), get("outlet" + n)}
	}
	if a := get("address"); a != "" {
		addr, err := netip.ParseAddr(a)
		if err != nil || addr.Zone() != "" {
			p.fault(line, "address: %s is not an IP address", quote(a))
		}
		r.Address = addr.Unmap()
	}
	if m := get("mac"); m != "" {
		mac, ok := MAC(m)
		if !ok {
			p.fault(line, "mac: %s is not a device's MAC; write it like AA:BB:CC:DD:EE:0F", quote(m))
		}
		r.MAC = mac
	}
	if r.Serial != "" && Serial(r.Serial) == "" {
		p.fault(line, "serial: %s is no serial number", quote(r.Serial))
	}
	p.check(line, r, before)
}

// check says what is wrong with a row among the others, and keeps it.
func (p *rackReader) check(line int, r RackRow, before int) {
	marks := [4]string{string(r.Device), r.MAC, strings.ToUpper(Serial(r.Serial)), addrKey(r.Address)}
	if marks == [4]string{} && p.count == before {
		p.fault(line, "it does not say which device: device, address, mac and serial are empty")
	}
	for _, c := range r.Cords() {
		p.cord(line, c)
	}
	for i, what := range [4]string{"device", "mac", "serial", "address"} {
		if marks[i] == "" {
			continue
		}
		if at, twice := p.racks.by[i][marks[i]]; twice {
			p.fault(line, "the %s %s stands on line %d as well", what, quote(marks[i]), p.racks.rows[at].Line)
			continue
		}
		p.racks.by[i][marks[i]] = len(p.racks.rows)
	}
	p.racks.rows = append(p.racks.rows, r)
}

// cord says what is wrong with a cord among the others, and remembers it.
func (p *rackReader) cord(line int, c Cord) {
	if c.PDU == "" || c.Outlet == "" {
		p.fault(line, "pdu and outlet go together, and one is empty")
		return
	}
	if other, twice := p.outlets[c]; twice {
		p.fault(line, "outlet %s of %s has the device of line %d already", quote(c.Outlet), quote(c.PDU), other)
	}
	p.outlets[c] = line
}
