package braiins

import (
	"encoding/json"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"switchyard/driver"
)

// The messages of package braiins.bos.v1, as far as they are used: field numbers are those
// of the maker's public descriptions (braiins/bos-plus-api). A reply is turned into the JSON
// that REST has for it, so that both interfaces share what comes after.

type kind uint8

const (
	kindMessage kind = iota
	kindDouble
	kindUint // also enumerations and google.protobuf.UInt32Value, whose field 1 it then is
	kindBool
	kindText
)

// field is one field of a message under its name in JSON.
type field struct {
	name string
	kind kind
	sub  message
	many bool
	// maybe says that a field that was not sent is unknown; else it is the kind's zero,
	// which is not sent.
	maybe bool
}

type message map[protowire.Number]field

// What is sent of figures and readings.
var (
	msgWatt   = message{1: {name: "watt", kind: kindUint}}
	msgGiga   = message{1: {name: "gigahash_per_second", kind: kindDouble}}
	msgDegree = message{1: {name: "degree_c", kind: kindDouble}}
	msgNumber = message{1: {name: "value", kind: kindUint}}
	msgWork   = message{1: {name: "real_hashrate", sub: message{
		1: {name: "last_5s", sub: msgGiga}, 2: {name: "last_15s", sub: msgGiga}, 4: {name: "last_1m", sub: msgGiga},
	}}}
	msgStats = message{
		2: {name: "miner_stats", sub: msgWork},
		3: {name: "power_stats", sub: message{1: {name: "approximated_consumption", sub: msgWatt}}},
	}
	msgDetails = message{
		2:  {name: "miner_identity", sub: message{3: {name: "name", kind: kindText}, 4: {name: "miner_model", kind: kindText}}},
		5:  {name: "bos_version", sub: message{1: {name: "current", kind: kindText}}},
		7:  {name: "mac_address", kind: kindText},
		8:  {name: "system_uptime", kind: kindUint},
		10: {name: "bosminer_uptime_s", kind: kindUint},
		11: {name: "system_uptime_s", kind: kindUint, maybe: true}, // the first versions have 8 only
		12: {name: "status", kind: kindUint, maybe: true},
		16: {name: "serial_number", kind: kindText, maybe: true},
	}
	msgBoards = message{1: {name: "hashboards", many: true, sub: message{
		2:  {name: "enabled", kind: kindBool},
		3:  {name: "chips_count", kind: kindUint, sub: msgNumber, maybe: true},
		6:  {name: "highest_chip_temp", sub: message{3: {name: "temperature", sub: msgDegree}}},
		7:  {name: "board_temp", sub: msgDegree},
		8:  {name: "stats", sub: msgWork},
		10: {name: "lowest_inlet_temp", sub: msgDegree},
	}}}
	msgCooling = message{1: {name: "fans", many: true, sub: message{2: {name: "rpm", kind: kindUint}}}}
	msgTuner   = message{2: {name: "power_target_mode_state", sub: message{2: {name: "current_target", sub: msgWatt}}}}
	msgPools   = message{1: {name: "pool_groups", many: true, sub: message{4: {name: "pools", many: true, sub: message{
		2: {name: "url", kind: kindText}, 3: {name: "user", kind: kindText}, 6: {name: "active", kind: kindBool},
	}}}}}
	msgErrors = message{1: {name: "errors", many: true, sub: message{
		1: {name: "timestamp", kind: kindText}, 2: {name: "message", kind: kindText},
		3: {name: "error_codes", many: true, sub: message{1: {name: "code", kind: kindText}, 2: {name: "reason", kind: kindText}}},
	}}}
	msgRange       = message{1: {name: "default", kind: kindUint}, 2: {name: "min", kind: kindUint}, 3: {name: "max", kind: kindUint}}
	msgConstraints = message{
		1: {name: "tuner_constraints", sub: message{1: {name: "power_target", sub: message{
			1: {name: "default", sub: msgWatt}, 2: {name: "min", sub: msgWatt}, 3: {name: "max", sub: msgWatt},
		}}}},
		4: {name: "hashboards_constraints", sub: message{5: {name: "quick_ramping_time_s", sub: msgRange}}},
	}
	msgConfiguration = message{5: {name: "hashboard_config", sub: message{
		4: {name: "quick_ramping_time_up_s", kind: kindUint, maybe: true}, 5: {name: "quick_ramping_time_down_s", kind: kindUint, maybe: true},
	}}}
	msgLogin = message{1: {name: "token", kind: kindText}}
)

// maxMany bounds how many members of a list are read.
const maxMany = 256

// decode reads a message into v by way of JSON. Fields that the table does not name are
// passed over. Errors wrap driver.ErrUnreachable.
func decode(data []byte, m message, v any) error {
	o, err := read(data, m)
	if err == nil {
		var text []byte
		if text, err = json.Marshal(o); err == nil {
			err = json.Unmarshal(text, v)
		}
	}
	if err != nil {
		return fmt.Errorf("read message: %w: %w", err, driver.ErrUnreachable)
	}
	return nil
}

func read(data []byte, m message) (map[string]any, error) {
	o := make(map[string]any, len(m))
	for _, f := range m {
		if !f.maybe && !f.many && f.sub == nil {
			o[f.name] = map[kind]any{kindDouble: 0.0, kindUint: 0, kindBool: false, kindText: ""}[f.kind]
		}
	}
	for len(data) > 0 {
		n, typ, size := protowire.ConsumeTag(data)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		data = data[size:]
		f, known := m[n]
		size = protowire.ConsumeFieldValue(n, typ, data)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if known {
			v, err := f.value(typ, data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			f.put(o, v)
		}
		data = data[size:]
	}
	return o, nil
}

// put stores a value; nil is none.
func (f field) put(o map[string]any, v any) {
	if v == nil {
		return
	}
	if !f.many {
		o[f.name] = v
		return
	}
	list, _ := o[f.name].([]any)
	if len(list) < maxMany {
		o[f.name] = append(list, v)
	}
}

// errType says that a field has not the type that its description says.
var errType = fmt.Errorf("a field of another type: %w", driver.ErrUnreachable)

// value reads one value, whose end was found already.
func (f field) value(typ protowire.Type, data []byte) (any, error) {
	want := map[kind]protowire.Type{
		kindMessage: protowire.BytesType, kindText: protowire.BytesType, kindDouble: protowire.Fixed64Type,
		kindUint: protowire.VarintType, kindBool: protowire.VarintType,
	}[f.kind]
	if f.sub != nil {
		want = protowire.BytesType
	}
	if typ != want {
		return nil, errType
	}
	switch {
	case f.sub != nil:
		body, _ := protowire.ConsumeBytes(data)
		o, err := read(body, f.sub)
		if f.kind == kindUint && err == nil { // a wrapped number
			return o["value"], nil
		}
		return o, err
	case f.kind == kindText:
		text, _ := protowire.ConsumeBytes(data)
		return string(text), nil
	case f.kind == kindDouble:
		bits, _ := protowire.ConsumeFixed64(data)
		d := math.Float64frombits(bits)
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, nil
		}
		return d, nil
	}
	n, _ := protowire.ConsumeVarint(data)
	if f.kind == kindBool {
		return n != 0, nil
	}
	return n, nil
}

// What is told, for REST as JSON and for gRPC as a message.

type loginBody struct {
	User     string `json:"username"`
	Password string `json:"password"`
}

type wattBody struct {
	Watt int64 `json:"watt"`
}

type passwordBody struct {
	Password string `json:"password"`
}

type rampBody struct {
	Up   uint32 `json:"up_s"`
	Down uint32 `json:"down_s"`
}

type poolBody struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password,omitempty"`
	Enabled  bool   `json:"enabled"`
}

type quotaBody struct {
	Quota struct {
		Value uint32 `json:"value"`
	} `json:"quota"`
}

type groupBody struct {
	Name     string     `json:"name"`
	Strategy quotaBody  `json:"load_balance_strategy"`
	Pools    []poolBody `json:"pools"`
}

// saveAndApply is the action that requests to change something carry in field 1.
const saveAndApply = 2

func text(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func number(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func nested(b []byte, n protowire.Number, sub []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), sub)
}

// encode writes what is told as the request that carries it; nil is an empty one.
func encode(body any) ([]byte, error) {
	switch v := body.(type) {
	case nil:
		return nil, nil
	case loginBody:
		return text(text(nil, 1, v.User), 2, v.Password), nil
	case passwordBody:
		return text(nil, 1, v.Password), nil
	case bool:
		return number(nil, 1, protowire.EncodeBool(v)), nil
	case wattBody:
		return nested(number(nil, 1, saveAndApply), 2, number(nil, 1, uint64(max(v.Watt, 0)))), nil
	case rampBody:
		return number(number(number(nil, 1, saveAndApply), 2, uint64(v.Up)), 3, uint64(v.Down)), nil
	case []groupBody:
		out := number(nil, 1, saveAndApply)
		for _, g := range v {
			group := nested(text(nil, 2, g.Name), 3, number(nil, 1, uint64(g.Strategy.Quota.Value)))
			for _, p := range g.Pools {
				pool := text(text(nil, 2, p.URL), 3, p.User)
				if p.Password != "" {
					pool = text(pool, 4, p.Password)
				}
				group = nested(group, 5, number(pool, 5, protowire.EncodeBool(p.Enabled)))
			}
			out = nested(out, 2, group)
		}
		return out, nil
	}
	return nil, fmt.Errorf("no message for %T: %w", body, driver.ErrUnsupported)
}
