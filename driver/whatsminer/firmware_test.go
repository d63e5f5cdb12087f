package whatsminer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

func object(t *testing.T, text string) rpc.Reply {
	t.Helper()
	r, err := rpc.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOtherSummaries reads summaries of machines and firmwares of which none is recorded here:
// reduced to what matters, in the shapes that public projects and their users show.
func TestOtherSummaries(t *testing.T) {
	none := site.Opt[unit.Power]{}
	for _, c := range []struct {
		name, reply string
		want        hot
	}{
		{
			"M20S of 2020: no realtime figures, no limit", `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":3600,"MHS av":68000000.0,"MHS 5s":68500000.0,"Temperature":79.0,
			"Fan Speed In":5100,"Fan Speed Out":5130,"Power":3327,"Uptime":4000}]}`,
			hot{rate: site.Some(68.5 * unit.TeraHash), power: site.Some(3327 * unit.Watt), fans: []int{5100, 5130}, uptime: site.Some(4000 * time.Second), elapsed: site.Some(time.Hour)},
		},
		{
			"M53 in water: its fans stand still, its surroundings are the water", `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":10,"HS RT":240000000.0,"MHS 5s":1.0,
			"Fan Speed In":0,"Fan Speed Out":0,"Power":6600,"Power_RT":6620,"Env Temp":41.5,"Liquid Cooling":true,"Power Limit":6700}]}`,
			hot{
				rate: site.Some(240 * unit.TeraHash), power: site.Some(6620 * unit.Watt), limit: site.Some(6700.0), intake: site.Some(41.5),
				uptime: site.Some(10 * time.Second), elapsed: site.Some(10 * time.Second),
			},
		},
		{
			"M70 of 2026: in Msg, and figures as text", `{"STATUS":"S","Code":131,"Msg":{"Elapsed":"60","HS RT":"214000000","Power_RT":"3100","Fan Speed In":"4000","Fan Speed Out":"4010","Env Temp":"0.0","Error Code Count":"1","Error Code 0":"2010"}}`,
			hot{
				rate: site.Some(214 * unit.TeraHash), power: site.Some(3100 * unit.Watt), fans: []int{4000, 4010},
				uptime: site.Some(time.Minute), elapsed: site.Some(time.Minute), codes: &[]string{"2010"},
			},
		},
		{
			"0 W while it hashes", `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"HS RT":90000000,"Power":0,"Power_RT":0,"Fan Speed In":10}]}`,
			hot{rate: site.Some(90 * unit.TeraHash), power: none, fans: []int{10}},
		},
		{
			"nonsense is unknown", `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":-1,"HS RT":-5,"MHS 5s":nan,"MHS 1m":null,"MHS 5m":1e300,"Power_RT":"n/a","Power":99999999,"Env Temp":-273,"Fan Speed In":null,"Fan Speed Out":"x"}]}`,
			hot{},
		},
	} {
		c.want.identity.Make = maker
		got, err := parseSummary(object(t, c.reply))
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(hot{})); err != nil || d != "" {
			t.Errorf("%s: %v -want +got:\n%s", c.name, err, d)
		}
	}
}

func TestOtherBoards(t *testing.T) {
	got := parseDevs(object(t, `{"STATUS":[{"STATUS":"S"}],"DEVS":[
		{"Slot":0,"Enabled":"Y","Status":"Alive","Temperature":75.5,"MHS av":22000000.0,"MHS 5s":23000000.0},
		{"Slot":1,"Enabled":"Y","Status":"Alive","Temperature":0.0,"Chip Temp Max":-1,"MHS 1m":"30000000","Effective Chips":"111"},
		{"Slot":2,"Enabled":"Y","Status":"Dead","Temperature":null,"MHS 1m":0,"Effective Chips":0}]}`))
	want := []site.Board{
		{Hashrate: site.Some(23 * unit.TeraHash), PCBTemp: site.Some(75.5), Working: true},
		{Hashrate: site.Some(30 * unit.TeraHash), Chips: site.Some(111), Working: true},
		{Hashrate: site.Some(unit.Hashrate(0)), Chips: site.Some(0)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestOtherStatus reads the third protocol of machines in water, and nonsense.
func TestOtherStatus(t *testing.T) {
	for _, c := range []struct {
		name, msg string
		want      hotV3
	}{
		{
			"M63 in water", `{"summary":{"elapsed":100,"bootup-time":200,"hash-realtime":"390.5","power-realtime":7200,"fan-speed-in":0,"fan-speed-out":0,"environment-temperature":38.2,
			"board-temperature":["61.5"],"power-limit":7300},"edevs":[{"slot":0,"hash-average":390.5,"effective-chips":200,"chip-temp-max":79.5},{"slot":1,"hash-average":0}]}`,
			hotV3{hot: hot{
				rate: site.Some(390.5 * unit.TeraHash), power: site.Some(7200 * unit.Watt), limit: site.Some(7300.0), intake: site.Some(38.2),
				elapsed: site.Some(100 * time.Second), uptime: site.Some(200 * time.Second),
			}, boards: []site.Board{
				{Hashrate: site.Some(390.5 * unit.TeraHash), Chips: site.Some(200), ChipTemp: site.Some(79.5), PCBTemp: site.Some(61.5), Working: true},
				{Hashrate: site.Some(unit.Hashrate(0)), Working: true},
			}},
		},
		{"nonsense is unknown", `{"summary":{"elapsed":null,"hash-realtime":nan,"hash-1min":-3,"power-realtime":0,"environment-temperature":0,"board-temperature":"x"},"edevs":null}`, hotV3{}},
	} {
		got, err := parseStatusV3(object(t, c.msg).Object)
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(hotV3{}, hot{})); err != nil || d != "" {
			t.Errorf("%s: %v -want +got:\n%s", c.name, err, d)
		}
	}
}
