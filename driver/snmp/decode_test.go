package snmp

import (
	"math"
	"testing"

	"github.com/gosnmp/gosnmp"

	"switchyard/site"
)

func TestValues(t *testing.T) {
	n := func(v float64) raw { return raw{number: site.Some(v), there: true} }
	got := map[OID]raw{
		"1.7": n(12345), "2.7": n(1), "3.7": n(-2), "4.7": n(0), "5.7": n(99), "6.7": n(1.5), "8.7": {text: "12", there: true}, "9.7": {},
	}
	known, unknown := func(v float64) site.Opt[float64] { return site.Some(v) }, site.Opt[float64]{}
	for name, c := range map[string]struct {
		v    *Value
		want site.Opt[float64]
	}{
		"plain":              {&Value{OID: "1", Unit: "W", Scale: 1}, known(12345)},
		"kilo and scaled":    {&Value{OID: "1", Unit: "kW", Scale: 0.01}, known(123450)},
		"with digits":        {&Value{OID: "1", Unit: "W", Scale: 1, Digits: "2"}, known(1234.5)},
		"with an exponent":   {&Value{OID: "1", Unit: "W", Scale: 1, Exponent: "3"}, known(123.45)},
		"digits not told":    {&Value{OID: "1", Unit: "W", Scale: 1, Digits: "9"}, unknown},
		"digits as text":     {&Value{OID: "1", Unit: "W", Scale: 1, Digits: "8"}, unknown},
		"absurd digits":      {&Value{OID: "1", Unit: "W", Scale: 1, Digits: "5"}, unknown},
		"broken digits":      {&Value{OID: "1", Unit: "W", Scale: 1, Digits: "6"}, unknown},
		"marked":             {&Value{OID: "1", Unit: "W", Scale: 1, Invalid: []int64{-1, 12345}}, unknown},
		"available":          {&Value{OID: "1", Unit: "W", Scale: 1, Available: &Flag{"2", []int64{1}}}, known(12345)},
		"not available":      {&Value{OID: "1", Unit: "W", Scale: 1, Available: &Flag{"4", []int64{1}}}, unknown},
		"not known whether":  {&Value{OID: "1", Unit: "W", Scale: 1, Available: &Flag{"9", []int64{1}}}, unknown},
		"zero is a figure":   {&Value{OID: "4", Unit: "W", Scale: 1}, known(0)},
		"no such object":     {&Value{OID: "9", Unit: "W", Scale: 1}, unknown},
		"a text":             {&Value{OID: "8", Unit: "W", Scale: 1}, unknown},
		"more than there is": {&Value{OID: "1", Unit: "kW", Scale: 1e9}, unknown},
		"not in the profile": {nil, unknown},
		"index and suffix":   {&Value{OID: "1", Unit: "mW", Scale: 1e3, Suffix: ""}, known(12345)},
	} {
		if is := c.v.of(got, "7"); is.OK != c.want.OK || math.Abs(is.V-c.want.V) > 1e-6 {
			t.Errorf("%s: %+v, want %+v", name, is, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		in   gosnmp.SnmpPDU
		want raw
	}{
		"integer":     {gosnmp.SnmpPDU{Type: gosnmp.Integer, Value: -1}, raw{number: site.Some(-1.0), there: true}},
		"gauge":       {gosnmp.SnmpPDU{Type: gosnmp.Gauge32, Value: uint(4294967295)}, raw{number: site.Some(4294967295.0), there: true}},
		"counter":     {gosnmp.SnmpPDU{Type: gosnmp.Counter64, Value: uint64(1 << 60)}, raw{number: site.Some(float64(1 << 60)), there: true}},
		"not finite":  {gosnmp.SnmpPDU{Type: gosnmp.OpaqueFloat, Value: float32(math.Inf(1))}, raw{there: true}},
		"text":        {gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: []byte("  AA1\x00 ")}, raw{text: "AA1", there: true}},
		"a MAC":       {gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: []byte{0, 13, 93, 10, 1, 255}}, raw{text: "]", mac: "00:0d:5d:0a:01:ff", there: true}},
		"six letters": {gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: []byte("PX3-59")}, raw{text: "PX3-59", mac: "50:58:33:2d:35:39", there: true}},
		"an OID":      {gosnmp.SnmpPDU{Type: gosnmp.ObjectIdentifier, Value: ".1.3.6"}, raw{text: "1.3.6", there: true}},
		"no object":   {gosnmp.SnmpPDU{Type: gosnmp.NoSuchObject}, raw{}},
		"no row":      {gosnmp.SnmpPDU{Type: gosnmp.NoSuchInstance}, raw{}},
	} {
		if is := decode(c.in); is != c.want {
			t.Errorf("%s: %+v, want %+v", name, is, c.want)
		}
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		a, b OID
		want bool
	}{{"1.3.10", "1.3.9", true}, {"1.3", "1.3", false}, {"1.3.1", "1.3", true}, {"1.3", "1.3.1", false}, {"1.4", "1.3.9.9", true}, {"x", "1", false}} {
		if after(c.a, c.b) != c.want {
			t.Errorf("%s after %s is not %v", c.a, c.b, c.want)
		}
	}
}

// FuzzParse: whatever an agent sends, nothing panics and no figure is invented.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\x30\x2e\x02\x01\x01\x04\x06public\xa2\x21\x02\x04\x36\x8e\xd0\x50\x02\x01\x00\x02\x01\x00\x30\x13\x30\x11\x06\x0d\x2b\x06\x01\x04\x01\x82\x3e\x01\x01\x1a\x04\x03\x01\x42\x00"))
	f.Add([]byte("\x30\x26\x02\x01\x01\x04\x06public\xa2\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x80\x00"))
	p := &Value{OID: "1.3", Unit: "W", Scale: 1, Digits: "1.3", Available: &Flag{"1.3", []int64{0, 1}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		g := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public", Context: t.Context()}
		c := client{agent: g, most: 1}
		packet, err := c.ask(func() (*gosnmp.SnmpPacket, error) { return g.SnmpDecodePacket(b) })
		if err != nil {
			return
		}
		for _, v := range packet.Variables {
			r := decode(v)
			if len(r.text) > maxName || r.number.OK && !r.there || math.IsNaN(r.number.V) || math.IsInf(r.number.V, 0) {
				t.Fatalf("%+v from %+v", r, v)
			}
			got := map[OID]raw{"1.3.1": r}
			if x := p.of(got, "1"); x.OK && !r.number.OK {
				t.Fatalf("a figure from %+v", r)
			}
			_ = row{"1", r}.name()
			_ = after(OID(v.Name), "1.3.6")
		}
	})
}
