package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/unit"
)

// channel is what a payload asks of: payloads of one channel may contradict each other, and
// the event's priority decides; those of different channels all hold.
type channel string

const (
	onPrice        channel = "price"
	onLevel        channel = "simple"
	onDispatch     channel = "dispatch"
	onCapacity     channel = "capacity"
	onSubscription channel = "subscription" // holds where no capacity limit does
	onReservation  channel = "reservation"  // adds to the subscription
	onAlert        channel = "alert"        // an emergency: as SIMPLE level 3
	onNote         channel = "note"         // an alert that asks for nothing
)

// ask is one payload value understood.
type ask struct {
	on    channel
	power unit.Power
	price unit.Price
	firm  bool // power is the firm load, whatever it then is
	kind  string
	text  string
	level int
}

// meaning is what is done with a payload type.
type meaning struct {
	on channel
	// ignored says why a type that the specification defines is not followed; refused that
	// it asks for something that is not done, which a person should know.
	ignored, refused string
}

// meaningOf returns what a payload type means here; known is false for private types.
func meaningOf(kind string) (m meaning, known bool) {
	switch kind {
	case "PRICE":
		return meaning{on: onPrice}, true
	case "SIMPLE":
		return meaning{on: onLevel}, true
	case "DISPATCH_SETPOINT":
		return meaning{on: onDispatch}, true
	case "IMPORT_CAPACITY_LIMIT":
		return meaning{on: onCapacity}, true
	case "IMPORT_CAPACITY_SUBSCRIPTION":
		return meaning{on: onSubscription}, true
	case "IMPORT_CAPACITY_RESERVATION":
		return meaning{on: onReservation}, true
	case "ALERT_GRID_EMERGENCY", "ALERT_BLACK_START":
		return meaning{on: onAlert}, true
	case "EXPORT_PRICE", "EXPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_SUBSCRIPTION", "EXPORT_CAPACITY_RESERVATION",
		"EXPORT_CAPACITY_RESERVATION_FEE", "EXPORT_CAPACITY_AVAILABLE", "EXPORT_CAPACITY_AVAILABLE_PRICE":
		return meaning{ignored: "the site sends no power out"}, true
	case "IMPORT_CAPACITY_RESERVATION_FEE", "IMPORT_CAPACITY_AVAILABLE", "IMPORT_CAPACITY_AVAILABLE_PRICE":
		return meaning{ignored: "no capacity is reserved by reports"}, true
	case "PRICE_ALTERNATE":
		return meaning{ignored: "it prices another form of energy"}, true
	case "GHG":
		return meaning{ignored: "emissions do not decide"}, true
	case "CURVE", "CHARGE_STATE_SETPOINT":
		return meaning{ignored: "there is no inverter and no storage"}, true
	case "CTA2045_REBOOT", "CTA2045_SET_OVERRIDE_STATUS":
		return meaning{ignored: "there is no CTA-2045 device"}, true
	case "DISPATCH_SETPOINT_RELATIVE", "DISPATCH_INSTRUCTION", "CONTROL_SETPOINT", "CONTROL_LEVEL_OFFSET",
		"CONTROL_LEVEL_OFFSET_PERCENT", "OLS":
		return meaning{refused: "is not followed: only absolute limits, levels and prices are"}, true
	}
	if strings.HasPrefix(kind, "ALERT_") {
		return meaning{on: onNote}, true
	}
	return meaning{}, false
}

// absurd is the price in $/MWh beyond which one is taken for a mistake in its unit.
const absurd = 100_000

// reader turns the payloads of one event into asks.
type reader struct {
	e        *Event
	defaults []Descriptor // of its program
	levels   map[int]unit.Power

	problems []string
	ignored  []string
	told     map[string]bool // a line a payload type is enough
}

// read returns the asks of each interval, by place. An error means that something which
// limits the site cannot be understood: then the event is not followed in part.
func (r *reader) read() ([][][]ask, error) {
	r.told = map[string]bool{}
	all := make([][][]ask, len(r.e.Intervals))
	for i := range r.e.Intervals {
		iv := &r.e.Intervals[i]
		for _, p := range iv.Payloads {
			asks, err := r.payload(p)
			var lost *lostPrice
			switch {
			case errors.As(err, &lost):
				r.tell(fmt.Sprintf("price %d", i), "interval %d: %s: %v; this price is left out", iv.number(i), Quote(p.Type), err)
			case err != nil:
				return nil, fmt.Errorf("interval %d: %s: %w", iv.number(i), Quote(p.Type), err)
			case len(asks) > 0:
				all[i] = append(all[i], asks)
			}
		}
	}
	return all, nil
}

// lostPrice is a price that cannot be read. Without it the site's own price holds, so the
// other prices of the event may.
type lostPrice struct{ error }

func (r *reader) tell(key, format string, args ...any) {
	if !r.told[key] && len(r.problems) < 20 {
		r.told[key] = true
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

// payload reads one payload: one ask a value, each for its even share of the interval.
func (r *reader) payload(p payload) ([]ask, error) {
	m, known := meaningOf(p.Type)
	switch {
	case !known:
		r.tell(p.Type, "payload type %s is not known and is ignored", Quote(p.Type))
		return nil, nil
	case m.refused != "":
		r.tell(p.Type, "payload type %s %s", p.Type, m.refused)
		return nil, nil
	case m.ignored != "":
		if !r.told[p.Type] {
			r.told[p.Type] = true
			r.ignored = append(r.ignored, p.Type+": "+m.ignored)
		}
		return nil, nil
	case m.on == onNote, m.on == onAlert:
		power, firm := r.level(3)
		return []ask{{on: m.on, kind: p.Type, text: textOf(p.Values), power: power, firm: firm}}, nil
	case len(p.Values) == 0:
		return nil, r.lost(m.on, errors.New("there is no value"))
	}
	var asks []ask
	for _, v := range p.Values {
		a, err := r.value(m.on, p.Type, v)
		if err != nil {
			return nil, r.lost(m.on, err)
		}
		asks = append(asks, a)
	}
	return asks, nil
}

func (r *reader) lost(on channel, err error) error {
	if on == onPrice {
		return &lostPrice{err}
	}
	return err
}

func (r *reader) value(on channel, kind string, raw json.RawMessage) (ask, error) {
	f, err := numberOf(raw)
	if err != nil {
		return ask{}, err
	}
	a := ask{on: on, kind: kind}
	units, currency := r.e.units(kind, r.defaults)
	switch on {
	case onPrice:
		a.price, err = priceOf(f, units, currency)
	case onLevel:
		if f != math.Trunc(f) || f < 0 || f > 3 {
			return a, fmt.Errorf("level %v is not 0, 1, 2 or 3", f)
		}
		a.level = int(f)
		a.text = fmt.Sprintf("level %d", a.level)
		a.power, a.firm = r.level(int(f))
		if a.power < 0 && f > 0 && !a.firm {
			r.tell(a.text, "SIMPLE level %d has no limit in the site file (levels): nothing is done", int(f))
		}
	default:
		a.power, err = powerOf(f, units)
	}
	return a, err
}

// none is the power of a level that limits nothing.
const none unit.Power = -1

// level returns the limit of a SIMPLE level, or that the firm load is.
func (r *reader) level(n int) (power unit.Power, firm bool) {
	if p, ok := r.levels[n]; ok {
		return p, false
	}
	return none, n == 3
}

// priceOf turns a price into $/MWh. Without a Descriptor it is taken for $/kWh, as in the
// specification's own examples.
func priceOf(f float64, units, currency string) (unit.Price, error) {
	if currency != "" && !strings.EqualFold(currency, "USD") {
		return 0, fmt.Errorf("the currency is %s, only USD is understood", Quote(currency))
	}
	switch strings.ToUpper(units) {
	case "", "KWH":
		f *= 1000
	case "MWH":
	case "WH":
		f *= 1e6
	default:
		return 0, fmt.Errorf("a price per %s is not understood; it should be per KWH", Quote(units))
	}
	if math.Abs(f) > absurd {
		return 0, fmt.Errorf("%v $/MWh is absurd", f)
	}
	return unit.DollarsPerMWh(f), nil
}

// powerOf turns a power into our own unit. Without a Descriptor it is taken for kW.
func powerOf(f float64, units string) (unit.Power, error) {
	scale, ok := PowerScale(units)
	switch {
	case !ok:
		return 0, fmt.Errorf("a power in %s is not understood; it should be in KW", Quote(units))
	case f < 0:
		return 0, fmt.Errorf("%v is below zero", f)
	case f*scale > 1e12:
		return 0, fmt.Errorf("%v %s is absurd", f, Plain(units, 16))
	}
	return unit.Watts(f * scale), nil
}

// PowerScale returns the watts of a unit of power; kW where none is named.
func PowerScale(units string) (watts float64, ok bool) {
	switch strings.ToUpper(units) {
	case "", "KW":
		return 1e3, true
	case "W":
		return 1, true
	case "MW":
		return 1e6, true
	}
	return 0, false
}

// Held is an event that is followed: its times settled and its payloads understood.
type Held struct {
	Event    *Event
	Priority int
	Issued   time.Time // by the VTN: what "now" means
	Problems []string  // what of it is not followed, a line each
	Ignored  []string  // payload types that are understood and not used, with the reason

	table timetable
	asks  [][][]ask // by interval, payload, value
}

// Terms are what an event's meaning depends on beside its own words.
type Terms struct {
	VEN      string             // seeds the random shift of starts
	Old      bool               // version 3.0
	Levels   map[int]unit.Power // the limit of each SIMPLE level
	Defaults []Descriptor       // of the event's program
	Issued   time.Time
}

// late is the time after its start from which an event is said to have been sent late.
const late = time.Minute

// Hold works out what an event means. An error says why it must not be followed, not even in
// part.
func Hold(e *Event, terms Terms) (*Held, error) {
	h := &Held{Event: e, Issued: terms.Issued}
	var err error
	if h.Priority, err = e.priority(); err != nil {
		return nil, err
	}
	work := clockwork{e: e, ven: terms.VEN, issued: h.Issued, old: terms.Old}
	if h.table, err = work.settle(); err != nil {
		return nil, err
	}
	r := reader{e: e, defaults: terms.Defaults, levels: terms.Levels}
	if h.asks, err = r.read(); err != nil {
		return nil, err
	}
	h.Problems, h.Ignored = r.problems, r.ignored
	if first := h.table.first(); h.Limits() && !first.IsZero() && h.Issued.Sub(first) > late && work.shift == 0 {
		h.Problems = append(h.Problems, fmt.Sprintf("it was sent at %s, after its start at %s: it is followed from now on", Stamp(h.Issued), Stamp(first)))
	}
	return h, nil
}

// Stamp prints a time for people, to the second in UTC.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// IssuedAt is when the VTN issued the event: what "now" means, the same after a restart. A
// stamp that is missing or ahead of our clock is taken for now.
func (e *Event) IssuedAt(now time.Time) time.Time {
	for _, s := range []*string{e.Modified, e.Created} {
		if s == nil {
			continue
		}
		if t, isNow, err := parseTime(*s); err == nil && !isNow && !t.After(now) {
			return t
		}
	}
	return now
}

// Label is how lines name the event.
func (e *Event) Label() string {
	if n := Plain(Text(e.Name), 48); n != "" {
		return fmt.Sprintf("event %s (%s)", Plain(e.ID, 40), n)
	}
	return "event " + Plain(e.ID, 40)
}

// Limits says whether any of the event's asks limits the site.
func (h *Held) Limits() bool {
	for _, payloads := range h.asks {
		for _, asks := range payloads {
			for _, a := range asks {
				if a.on != onPrice && a.on != onNote && (a.power >= 0 || a.firm) {
					return true
				}
			}
		}
	}
	return false
}

// Over says whether all that the event asks for is past. One without times of its own, such
// as one that only wants reports, is never over.
func (h *Held) Over(now time.Time) bool {
	last := h.table.last()
	return !last.IsZero() && !last.After(now)
}

// Last is when the event is over; zero: never, or it has no times of its own.
func (h *Held) Last() time.Time { return h.table.last() }

// Level is the SIMPLE level that the events ask for at a time; 0 where none does.
func Level(events []*Held, now time.Time) int {
	level, best := 0, Lowest+1
	for _, h := range events {
		for _, w := range h.wishes(now) {
			if w.on == onLevel && !w.from.After(now) && w.to.After(now) && (h.Priority < best || h.Priority == best && w.level > level) {
				best, level = h.Priority, w.level
			}
		}
	}
	return level
}
