package query

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"switchyard/site"
)

// field is one thing that can be compared. Exactly one of texts, number, fans and flag says how.
type field struct {
	name  string
	about string
	// texts says whether one of the row's texts is as the node's pattern says.
	texts func(n *node, r *Row) bool
	// empty says that the row has no such text at all.
	empty  func(r *Row) bool
	number func(r *Row) site.Opt[float64]
	share  func(r *Row) site.Opt[float64] // where the value was given in %
	fans   bool
	flag   func(r *Row) bool
	units  []scale
	yesNo  bool     // of a text: yes and no ask whether there is any
	bare   bool     // of a text: separators do not count
	net    bool     // of a text: may be compared with a network
	values []string // of a text: all it can be; nil: anything
}

// scale is a unit with what one of it is worth in the field's own.
type scale struct {
	name string
	of   float64
}

// figure is a number that was asked for; near is half of the last digit that was written.
type figure struct {
	v, near float64
	percent bool
}

type prefix struct {
	netip.Prefix
	ok bool
}

// text makes a field of one text.
func text(name, about string, get func(r *Row) string) field {
	return field{
		name: name, about: about,
		texts: func(n *node, r *Row) bool { return n.text.match(get(r)) },
		empty: func(r *Row) bool { return get(r) == "" },
	}
}

// list makes a field of several texts.
func list(name, about string, get func(r *Row) []string) field {
	return field{
		name: name, about: about,
		texts: func(n *node, r *Row) bool {
			for _, s := range get(r) {
				if n.text.match(s) {
					return true
				}
			}
			return false
		},
		empty: func(r *Row) bool { return len(get(r)) == 0 },
	}
}

// pool makes a field of one text of each pool.
func pool(name, about string, get func(p *site.Pool) string) field {
	return field{
		name: name, about: about,
		texts: func(n *node, r *Row) bool {
			for i := range r.Pools {
				if n.text.match(get(&r.Pools[i])) {
					return true
				}
			}
			return false
		},
		empty: func(r *Row) bool { return len(r.Pools) == 0 },
	}
}

func number(name, about string, get func(r *Row) site.Opt[float64], units ...scale) field {
	return field{name: name, about: about, number: get, units: units}
}

const (
	minute = 60.
	hour   = 60 * minute
	day    = 24 * hour
)

var (
	powerUnits = []scale{{"W", 1}, {"kW", 1e3}, {"MW", 1e6}}
	hashUnits  = []scale{{"TH/s", 1}, {"TH", 1}, {"GH/s", 1e-3}, {"GH", 1e-3}, {"PH/s", 1e3}, {"PH", 1e3}, {"MH/s", 1e-6}, {"MH", 1e-6}, {"EH/s", 1e6}, {"EH", 1e6}, {"%", 1}}
	tempUnits  = []scale{{"C", 1}, {"°C", 1}}
	fanUnits   = []scale{{"rpm", 1}}
	timeUnits  = []scale{{"s", 1}, {"m", minute}, {"min", minute}, {"h", hour}, {"d", day}, {"w", 7 * day}}
)

// fields are all fields, in the order in which people are told of them.
var fields = []field{
	text("device", "the device's id", func(r *Row) string { return r.Device }),
	text("group", "the group of the site file", func(r *Row) string { return r.Group }),
	list("node", "the node it hangs on, or any above it", func(r *Row) []string { return r.Nodes }),
	text("rack", "of the rack map", func(r *Row) string { return r.Rack }),
	text("position", "in the rack", func(r *Row) string { return r.Position }),
	text("make", "the maker, as the device tells", func(r *Row) string { return r.Make }),
	{
		name: "model", about: "as the device tells, with the brand before it or without",
		texts: func(n *node, r *Row) bool {
			return n.text.match(r.Model) || n.kind == kindField && n.op != opHas && n.text.match(withoutBrand(r.Model))
		},
		empty: func(r *Row) bool { return r.Model == "" },
	},
	text("firmware", "as the device tells", func(r *Row) string { return r.Firmware }),
	text("driver", "that talks to it", func(r *Row) string { return r.Driver }),
	{
		name: "address", about: "an IP address, or a network such as 10.0.4.0/24", net: true,
		texts: func(n *node, r *Row) bool {
			if !n.net.ok {
				return n.text.match(r.Address)
			}
			a, err := netip.ParseAddr(r.Address)
			return err == nil && n.net.Contains(a.Unmap())
		},
		empty: func(r *Row) bool { return r.Address == "" },
	},
	{
		name: "mac", about: "the hardware address or a part of it, with any separators or none", bare: true,
		texts: func(n *node, r *Row) bool { return n.text.match(r.MAC) },
		empty: func(r *Row) bool { return r.MAC == "" },
	},
	text("serial", "the serial number", func(r *Row) string { return r.Serial }),
	closed(text("state", "hashing, starting, stopping, sleeping, fault, quarantined, stale or unknown", func(r *Row) string { return r.State }), States()),
	{
		name: "hashrate", about: "TH/s, or % of nameplate", units: hashUnits,
		number: func(r *Row) site.Opt[float64] { return r.Hashrate },
		share:  func(r *Row) site.Opt[float64] { return r.HashratePct },
	},
	number("power", "W, kW or MW", func(r *Row) site.Opt[float64] { return r.Power }, powerUnits...),
	number("temp", "the hottest chip, deg C", func(r *Row) site.Opt[float64] { return r.Temp }, tempUnits...),
	{name: "fans", about: "rpm of any of its fans", fans: true, units: fanUnits},
	number("uptime", "since it started, such as 3d or 1h30m", func(r *Row) site.Opt[float64] {
		return site.Opt[float64]{V: r.Uptime.V.Seconds(), OK: r.Uptime.OK}
	}, timeUnits...),
	number("age", "of the newest reading, such as 5m", func(r *Row) site.Opt[float64] {
		return site.Opt[float64]{V: r.Age.V.Seconds(), OK: r.Age.OK}
	}, timeUnits...),
	pool("pool", "the address of any of its pools", func(p *site.Pool) string { return p.URL }),
	pool("worker", "at any of its pools", func(p *site.Pool) string { return p.Worker }),
	text("profile", "the firmware's profile in force", func(r *Row) string { return r.Profile }),
	yesNo(closed(list("alert", "a rule that fires, or yes or no", func(r *Row) []string { return r.Alerts }), Rules())),
	yesNo(text("held", "by whom, or yes or no", func(r *Row) string { return r.Held })),
	{name: "maintenance", about: "yes or no", flag: func(r *Row) bool { return r.Maintenance }},
}

// States returns all that a row's state can be.
func States() []string {
	return []string{"hashing", "starting", "stopping", "sleeping", "fault", "quarantined", "stale", "unknown"}
}

// Rules returns the names of the rules that a row's alerts can be of.
func Rules() []string {
	return []string{"dead-board", "hot", "fan", "low-hashrate", "wrong-pool", "flapping", "stale", "not-hashing", "fault", "stranger"}
}

// withoutBrand is "S19 Pro" of "Antminer S19 Pro": what stands after a first word without
// digits. It is empty where there is no such word, or nothing after it.
func withoutBrand(model string) string {
	brand, rest, _ := strings.Cut(model, " ")
	if strings.ContainsAny(brand, "0123456789") {
		return ""
	}
	return strings.TrimSpace(rest)
}

func closed(f field, values []string) field {
	f.values = values
	return f
}

func yesNo(f field) field {
	f.yesNo = true
	return f
}

// other names people type.
var aliases = map[string]string{
	"id": "device", "name": "device", "ip": "address", "fw": "firmware", "temperature": "temp", "chip": "temp", "fan": "fans",
	"hash": "hashrate", "url": "pool", "alerts": "alert", "pools": "pool", "hall": "node",
}

// Field is one field of the language, for people.
type Field struct{ Name, About string }

// Fields returns the fields with what they mean.
func Fields() []Field {
	out := make([]Field, len(fields))
	for i := range fields {
		out[i] = Field{fields[i].name, fields[i].about}
	}
	return out
}

func fieldNames() []string {
	out := make([]string, len(fields))
	for i := range fields {
		out[i] = fields[i].name
	}
	return out
}

// match carries out a comparison.
func (f *field) match(n *node, r *Row) bool {
	switch {
	case f.texts != nil:
		if len(n.word) == 0 {
			return f.empty(r) == (n.op != opNot)
		}
		return f.texts(n, r) == (n.op != opNot)
	case f.flag != nil:
		return f.flag(r) == n.want
	case f.fans:
		return n.fans(r.Fans)
	}
	get := f.number
	if n.num.percent {
		get = f.share
	}
	v := get(r)
	return v.OK && n.compare(v.V)
}

// fans says whether any fan compares so; != wants all of them to differ.
func (n *node) fans(rpm []int) bool {
	if n.op == opNot {
		return len(rpm) > 0 && !slices.ContainsFunc(rpm, func(v int) bool { return n.near(float64(v)) })
	}
	for _, v := range rpm {
		if n.compare(float64(v)) {
			return true
		}
	}
	return false
}

func (n *node) near(v float64) bool { return math.Abs(v-n.num.v) <= n.num.near }

func (n *node) compare(v float64) bool {
	switch n.op {
	case opEqual:
		return n.near(v)
	case opNot:
		return !n.near(v) && !math.IsNaN(v)
	case opLess:
		return v < n.num.v
	case opAtMost:
		return v <= n.num.v
	case opMore:
		return v > n.num.v
	}
	return v >= n.num.v
}
