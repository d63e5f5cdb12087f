package auradine

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

func parsed(t testing.TB, s string) rpc.Reply {
	t.Helper()
	r, err := rpc.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tera(th float64) site.Opt[unit.Hashrate] {
	return site.Some(unit.Hashrate(th) * unit.TeraHash)
}

func TestFillSummary(t *testing.T) {
	for in, want := range map[string]site.Sample{
		// Firmware of 2023: no wattage.
		`{"Elapsed":56696,"MHS av":140000000.5,"MHS 5s":150000000.0,"Accepted":3310}`: {Hashrate: tera(150), Uptime: site.Some(56696 * time.Second)},
		// Newer: wattage, and a throttle that is no rate.
		`{"Elapsed":100,"MHS 5s":"260000000","Wattage":4105,"ThsThrottle":260.0,"Total MH":1}`: {Hashrate: tera(260), Power: site.Some(4105 * unit.Watt), Uptime: site.Some(100 * time.Second)},
		`{"Wattage":0}`: {},
	} {
		var s site.Sample
		fillSummary(&s, parsed(t, in).Object)
		if d := cmp.Diff(want, s); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

func TestBoards(t *testing.T) {
	devs := parsed(t, `{"DEVS":[{"ID":1,"Enabled":true,"Status":"Alive","Temperature":28.25,"MHS 5s":50000000.0},
		{"ID":2,"Enabled":true,"Status":"Dead","Temperature":0,"MHS 5s":0}]}`).Objects("DEVS")
	temps := parsed(t, `{"Temperature":[{"ID":0,"BoardTemp":[{"ID":0,"Temperature":99}],"ChipTemp":null},
		{"ID":1,"BoardTemp":[{"ID":0,"Temperature":21.5},{"ID":3,"Temperature":41.5}],"ChipTemp":[{"ID":0,"Temperature":45.8},{"ID":1,"Temperature":51.5}]},
		{"ID":2,"BoardTemp":null,"ChipTemp":null},{"ID":7,"ChipTemp":[{"Temperature":1}]}]}`).Objects("Temperature")
	got := boards(devs)
	heat(got, temps)
	want := []site.Board{
		{Hashrate: tera(50), PCBTemp: site.Some(41.5), ChipTemp: site.Some(51.5), Working: true},
		{Hashrate: tera(0)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseMode(t *testing.T) {
	watts := site.Some(2000 * unit.Watt)
	for in, want := range map[string]site.Opt[mode]{
		`{"Mode":"normal","Sleep":"off"}`:                             site.Some(mode{name: "normal"}),
		`{"Mode":"Eco","Sleep":"on","persistStandby":"off"}`:          site.Some(mode{name: "eco", sleep: true}),
		`{"Mode":"custom","Sleep":"off","Tune":"power","Power":2000}`: site.Some(mode{name: "custom", target: watts}),
		`{"Mode":"custom","Sleep":"off","Power":2000}`:                site.Some(mode{name: "custom", target: watts}),
		`{"Mode":"custom","Sleep":"off","Ths":160,"Power":2000}`:      site.Some(mode{name: "custom"}),
		`{"Mode":"custom","Sleep":"off","Tune":"ths","Ths":160}`:      site.Some(mode{name: "custom"}),
		`{"Mode":"normal","Sleep":"off","Tune":"power","Power":2000}`: site.Some(mode{name: "normal"}),
		`{"Mode":"custom"}`: {},
		`{}`:                {},
	} {
		if got := parseMode(parsed(t, in).Object); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

func TestSmallParts(t *testing.T) {
	psu := parsed(t, `{"Vin":"245.00V","PowerOut":"0.00W","PowerIn":"58.94W","PoutMax":"3452.00W"}`).Object
	if got := psuPower(psu); got != site.Some(unit.Watts(58.94)) {
		t.Errorf("power %v", got)
	}
	for in, want := range map[string][]string{
		`{"Code":2,"Msg":"Normal"}`: nil, `{"Code":3,"Msg":"Locate"}`: nil, `{"Code":13,"Msg":"Standby"}`: nil, `{}`: nil,
		`{"Code":11,"Msg":"PSU issue"}`: {"11 PSU issue"}, `{"Code":19,"DisplayMsg":"LOW COOLANT"}`: {"19 LOW COOLANT"},
	} {
		if d := cmp.Diff(want, complaint(parsed(t, in).Object)); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
	id, err := report(parsed(t, `{"SerialNo":"AU1","mac":"02:00:00:00:00:01","model":"AT1500","version":"2023-12.27"}`).Object)
	if want := (site.Identity{Make: "Auradine", Model: "AT1500", Firmware: "2023-12.27", Serial: "AU1", MAC: "02:00:00:00:00:01"}); err != nil || id != want {
		t.Errorf("%+v, %v", id, err)
	}
	if got := fans(parsed(t, `{"Fan":[{"ID":1,"Speed":7080,"Max":7700},{"ID":2,"Speed":0}]}`).Objects("Fan")); !cmp.Equal(got, []int{7080, 0}) {
		t.Errorf("fans %v", got)
	}
}

func TestParseReply(t *testing.T) {
	for in, want := range map[string]error{
		`{"STATUS":[{"STATUS":"S","Code":540}],"id":1}`:                         nil,
		`{"STATUS":[{"STATUS":"E","Code":1,"Msg":"Invalid or expired token"}]}`: errToken,
		`{"STATUS":[{"STATUS":"E","Code":45,"Msg":"denied"}]}`:                  driver.ErrUnauthorized,
		`{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}]}`:         driver.ErrUnsupported,
		`{"STATUS":[{"STATUS":"E","Code":541,"Msg":"busy"}]}`:                   driver.ErrRefused,
		`{}`: driver.ErrUnreachable, `{"STATUS":[{"STATUS":"S"`: driver.ErrUnreachable,
	} {
		if _, err := parseReply([]byte(in), "x"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", in, err, want)
		}
	}
}

// TestLevel: a target in force is not posted again; full work raises only what is tuned to
// a power.
func TestLevel(t *testing.T) {
	w := func(w float64) site.Opt[unit.Power] { return site.Some(unit.Watts(w)) }
	none := site.Opt[unit.Power]{}
	for _, c := range []struct {
		model       string
		now, target site.Opt[unit.Power]
		want        float64
		err         bool
	}{
		{"AH3880", none, w(5000.9), 5000, false},
		{"AH3880", w(5000), w(5000.9), 0, false},
		{"AH3880", none, w(4000), 0, true},
		{"AH3880", w(5000), none, 8700, false},
		{"AH3880", none, none, 0, false},
		{"AH3880", w(8700), none, 0, false},
		{"unheard of", none, w(5000), 0, true},
		{"unheard of", w(3000), none, 0, false},
	} {
		d := &device{mode: site.Some(mode{name: "custom", target: c.now})}
		d.last.Identity = site.Identity{Make: "Auradine", Model: c.model}
		got, err := d.level(c.target)
		if got != unit.Watts(c.want) || (err != nil) != c.err {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// TestZeroWatts: a miner that hashes draws some, whatever its supply says.
func TestZeroWatts(t *testing.T) {
	for _, in := range []string{`0`, `"0.00W"`, `"-1W"`, `null`, `"n/a"`} {
		var s site.Sample
		fillSummary(&s, parsed(t, `{"Elapsed":5,"MHS 5s":150000000,"Wattage":`+in+`}`).Object)
		if s.Power.OK || !s.Hashrate.OK || psuPower(parsed(t, `{"PowerIn":`+in+`}`).Object).OK {
			t.Errorf("%s: %v", in, s.Power)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":56696,"MHS 5s":1.5,"Wattage":"58.9W"}],"id":1}`))
	f.Add([]byte(`{"STATUS":[{"STATUS":"S"}],"DEVS":[{"ID":1,"Temperature":28.25,"MHS 5s":1}],"Temperature":[{"ID":1,"ChipTemp":[{"Temperature":50}]}]}`))
	f.Add([]byte(`{"STATUS":[{"STATUS":"S"}],"Mode":[{"Mode":"custom","Sleep":"off","Tune":"power","Power":2000}],"LED":[{"Code":8}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseReply(data, "x")
		if err != nil {
			return
		}
		var s site.Sample
		for _, o := range r.Objects("SUMMARY") {
			fillSummary(&s, o)
		}
		b := boards(r.Objects("DEVS"))
		heat(b, r.Objects("Temperature"))
		for _, o := range r.Objects("Mode") {
			if m := parseMode(o); m.V.target.OK && (!m.OK || m.V.target.V <= 0) {
				t.Fatalf("%+v", m)
			}
		}
		for _, o := range r.Objects("LED") {
			_ = complaint(o)
		}
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && s.Hashrate.V < 0 || len(b) > most || len(pools(r.Objects("POOLS"))) > most {
			t.Fatalf("%+v", s)
		}
	})
}
