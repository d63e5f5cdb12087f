package sealminer

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// recorded has the form of an A2's stats.
const recorded = `{"STATUS":[{"STATUS":"S","Code":70,"Msg":"BDMiner stats"}],"STATS":[{"STATS":0,"ID":"BTM0","Elapsed":3600,
	"Model":"A2","Firmware":"2025091001","MAC":"02:00:00:00:00:01","Ctrl Board SN":"S1","PM State":"Running","Mining Mode":"High Performance",
	"MHS(Sample)":226000000.5,"PSU Input Power":3504,"Power Limit":3500,"PSU Temp AMB":26,"PSU Error":"0x00000000","Error Code":"",
	"Fan Count":2,"0 Speed":5100,"1 Speed":"5200","Board Count":2,
	"0 Online":true,"0 MHS(Sample)":113000000,"0 Chip Count":153,"0 Bad Chip Count":0,"0 Temp 0":45,"0 Temp 1":48.5,"0 Temp 3":0,
	"1 Online":false,"1 MHS(Sample)":0,"1 Chip Count":153,"1 Bad Chip Count":3}],"id":1}`

func parsed(t testing.TB, s string) rpc.Object {
	t.Helper()
	r, err := rpc.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	if list := r.Objects("STATS"); len(list) > 0 {
		return list[0]
	}
	return r.Object
}

func TestFill(t *testing.T) {
	var s site.Sample
	fill(&s, parsed(t, recorded))
	tera := func(th float64) site.Opt[unit.Hashrate] { return site.Some(unit.Hashrate(th) * unit.TeraHash) }
	want := site.Sample{
		State: site.StateHashing, Hashrate: site.Some(unit.Hashrate(226000000.5) * unit.MegaHash), Power: site.Some(3504 * unit.Watt),
		Target: site.Some(3500 * unit.Watt), Profile: "high_performance", Fans: []int{5100, 5200}, Intake: site.Some(26.0), Uptime: site.Some(time.Hour),
		Boards: []site.Board{
			{Hashrate: tera(113), Chips: site.Some(153), PCBTemp: site.Some(48.5), Working: true},
			{Hashrate: tera(0), Chips: site.Some(150)},
		},
		Faults: []string{"board 1: 3 bad chips", "board 1 is not online"},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
	id := site.Identity{Make: "SealMiner", Model: "A2", Firmware: "2025091001", Serial: "S1", MAC: "02:00:00:00:00:01"}
	if got := identity(parsed(t, recorded)); got != id {
		t.Errorf("%+v", got)
	}
	if got := identity(parsed(t, `{"Model":"SealMiner A3 Pro Hyd"}`)); got.Model != "A3 Pro Hyd" {
		t.Errorf("%+v", got)
	}
}

func TestState(t *testing.T) {
	for in, want := range map[string]site.State{
		`{"PM State":"Running","MHS(Sample)":1}`:                              site.StateHashing,
		`{"PM State":"Running","MHS(Sample)":0}`:                              site.StateStarting,
		`{"PM State":"Running","MHS(Sample)":0,"Error Code":"E12"}`:           site.StateFault,
		`{"PM State":"Suspended","MHS(Sample)":0,"PSU Input Power":40}`:       site.StateSleeping,
		`{"PM State":"Suspended","MHS(Sample)":90000,"PSU Input Power":40}`:   site.StateSleeping,
		`{"PM State":"Suspended","MHS(Sample)":90000,"PSU Input Power":3500}`: site.StateHashing,
		`{"PM State":"Running"}`:                                              site.StateUnknown,
		`{}`:                                                                  site.StateUnknown,
	} {
		var s site.Sample
		if fill(&s, parsed(t, in)); s.State != want {
			t.Errorf("%s: %v, want %v", in, s.State, want)
		}
	}
}

func TestParsePools(t *testing.T) {
	r, err := rpc.Parse([]byte(`{"POOLS":[{"URL":"stratum+tcp://a:1","User":"w","Stratum Active":true},{"URL":""},{"URL":"b"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []site.Pool{{URL: "stratum+tcp://a:1", Worker: "w", Active: true}, {URL: "b"}}
	if d := cmp.Diff(want, parsePools(r.Objects("POOLS"))); d != "" {
		t.Error(d)
	}
}

// TestOtherReplies: what cannot be is unknown, 0 W of a miner that hashes among it.
func TestOtherReplies(t *testing.T) {
	var s site.Sample
	fill(&s, parsed(t, `{"MHS(Sample)":"226000000","PSU Input Power":0,"Power Limit":0,"PM State":"Running","Fan Count":4,"0 Speed":"5100","1 Speed":-1,"2 Speed":1e9,"3 Speed":5000.4,
		"Board Count":1,"0 MHS(Sample)":nan,"0 Chip Count":-1,"0 Temp 0":-273,"0 Temp 1":null,"PSU Temp AMB":0,"Elapsed":-1}`))
	want := site.Sample{State: site.StateHashing, Hashrate: site.Some(226 * unit.TeraHash), Fans: []int{5100, 5000}, Boards: []site.Board{{}}}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add([]byte(`{"STATS":[{"PM State":"Suspend","MHS(Sample)":"1e9","Fan Count":99,"Board Count":-1,"Elapsed":1e300}]}`))
	f.Add([]byte(`{"POOLS":[{"URL":"u"}],"STATS":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rpc.Parse(data)
		if err != nil {
			return
		}
		var s site.Sample
		for _, o := range r.Objects("STATS") {
			fill(&s, o)
			_ = identity(o)
		}
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && s.Hashrate.V < 0 || s.Uptime.OK && s.Uptime.V <= 0 {
			t.Fatalf("%+v", s)
		}
		if len(parsePools(r.Objects("POOLS"))) > most {
			t.Fatal("more pools than are believed")
		}
	})
}

func TestParsePage(t *testing.T) {
	reply := func(status int, body string) httpx.Reply { return httpx.Reply{Status: status, Body: []byte(body)} }
	for _, c := range []struct {
		r    httpx.Reply
		want error
	}{
		{reply(200, `{"result":0}`), nil},
		{reply(200, `{"result":true,"api":true,"fileWrite":true}`), nil},
		{reply(200, `{"status":0}`), nil},
		{reply(200, `{"result":1}`), driver.ErrRefused},
		{reply(200, `{"result":"1"}`), driver.ErrRefused},
		{reply(200, `{"result":false}`), driver.ErrRefused},
		{reply(200, "\n<!doctype html><html>"), errSession},
		{reply(302, ``), errSession},
		{reply(401, ``), driver.ErrUnauthorized},
		{reply(404, ``), driver.ErrUnsupported},
		{reply(200, `{"result":0`), driver.ErrUnreachable},
	} {
		o, err := parsePage(c.r, "x")
		if err == nil {
			err = result(o, "x")
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%d %s: %v, want %v", c.r.Status, c.r.Body, err, c.want)
		}
	}
}
