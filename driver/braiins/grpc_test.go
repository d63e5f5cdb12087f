package braiins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

func double(b []byte, n protowire.Number, f float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(f))
}

// The messages were composed by hand from the maker's field numbers.
func TestMessages(t *testing.T) {
	rate := nested(nil, 1, nested(nil, 1, double(nil, 1, 139500.5)))
	var st stats
	if err := decode(nested(nested(nested(nil, 1, []byte{8, 1}), 2, rate), 3, nested(nil, 1, number(nil, 1, 3050))), msgStats, &st); err != nil {
		t.Fatal(err)
	}
	var s site.Sample
	st.fill(&s)
	if s.Power != watts(3050) || s.Hashrate != ghs(139500.5) {
		t.Errorf("%+v", s)
	}

	// Zero is not sent: a rate message without its number is 0 GH/s, one that is missing is unknown.
	st = stats{}
	if err := decode(nested(nested(nil, 2, nested(nil, 1, nested(nil, 1, nil))), 3, nested(nil, 1, nil)), msgStats, &st); err != nil {
		t.Fatal(err)
	}
	s = site.Sample{}
	st.fill(&s)
	if s.Hashrate != ghs(0) || s.Power.OK {
		t.Errorf("of zeros: %+v", s)
	}

	var det details
	old := nested(text(number(nil, 8, 9000), 7, "02:00:00:00:00:01"), 5, text(nil, 1, "23.03-plus"))
	if err := decode(nested(old, 2, text(nil, 3, "Antminer S19j Pro")), msgDetails, &det); err != nil {
		t.Fatal(err)
	}
	if id := det.identity(); id.Model != "S19j Pro" || id.Firmware != "23.03-plus" || det.Status != nil || *det.system() != 9000 {
		t.Errorf("the first version: %+v", det)
	}

	var b boards
	one := nested(nested(number(nil, 2, 1), 3, number(nil, 1, 108)), 6, nested(number(nil, 2, 1), 3, double(nil, 1, 65)))
	if err := decode(nested(nested(nil, 1, nested(one, 8, rate)), 1, nil), msgBoards, &b); err != nil {
		t.Fatal(err)
	}
	want := []site.Board{{Hashrate: ghs(139500.5), ChipTemp: deg(65), Chips: site.Some(108), Working: true}, {}}
	if d := cmp.Diff(want, b.list(), near); d != "" {
		t.Errorf("boards: -want +got:\n%s", d)
	}

	for name, bad := range map[string][]byte{"cut": {0x12, 5, 1}, "another type": number(nil, 2, 1), "no tag": {0xff}} {
		if err := decode(bad, msgStats, &st); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequests(t *testing.T) {
	pool := []groupBody{{Name: "Default", Pools: []poolBody{{URL: "u", User: "w", Password: "x", Enabled: true}}}}
	pool[0].Strategy.Quota.Value = 1
	for what, c := range map[string]struct {
		body any
		want string
	}{
		"nothing": {nil, ""},
		"login":   {loginBody{"root", "pw"}, "\x0a\x04root\x12\x02pw"},
		"watts":   {wattBody{2000}, "\x08\x02\x12\x03\x08\xd0\x0f"},
		"ramping": {rampBody{Up: 60, Down: 2}, "\x08\x02\x10\x3c\x18\x02"},
		"light":   {true, "\x08\x01"},
		"pools":   {pool, "\x08\x02\x12\x1a\x12\x07Default\x1a\x02\x08\x01\x2a\x0b\x12\x01u\x1a\x01w\x22\x01x\x28\x01"},
	} {
		got, err := encode(c.body)
		if d := cmp.Diff(c.want, string(got)); d != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", what, err, d)
		}
	}
	if _, err := encode(1.5); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("a body without a message: %v", err)
	}
}

// early is a miner of the first versions: its token comes in the header alone, and it loses it.
type early struct{ logins, asked int }

func (e *early) stream(_ any, s grpc.ServerStream) error {
	var req []byte
	if err := s.RecvMsg(&req); err != nil {
		return err
	}
	reply := []byte{}
	name, _ := grpc.MethodFromServerStream(s)
	md, _ := metadata.FromIncomingContext(s.Context())
	switch {
	case name == "/braiins.bos.v1.AuthenticationService/Login":
		e.logins++
		_ = s.SetHeader(metadata.Pairs("authorization", fmt.Sprint("token-", e.logins)))
	case len(md.Get("authorization")) == 0 || md.Get("authorization")[0] != fmt.Sprint("token-", e.logins) || e.asked == 1:
		e.asked++
		return status.Error(codes.Unauthenticated, "who is it")
	default:
		e.asked++
		reply = nested(nil, 2, text(nil, 3, "Antminer S19"))
	}
	return s.SendMsg(&reply)
}

func TestTokenInTheHeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &early{}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(e.stream))
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	dd, err := open(driver.Target{Device: "b", Host: "127.0.0.1", Now: time.Now, Ports: map[string]int{"http": 1, "rpc": 1, "grpc": l.Addr().(*net.TCPAddr).Port}})
	if err != nil {
		t.Fatal(err)
	}
	defer dd.Close()
	d := dd.(*device)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range 3 { // the second of which loses the token
		var det details
		if err := d.contact(ctx); err != nil {
			t.Fatal(err)
		}
		if err := d.api.get(ctx, "miner/details", &det); err != nil || det.identity().Model != "S19" {
			t.Fatalf("%v: %+v", err, det)
		}
	}
	if d.face != faceGRPC || e.logins != 2 || e.asked != 4 {
		t.Errorf("face %d, %d logins, %d questions", d.face, e.logins, e.asked)
	}
}

// TestPort4028 reads what the mining program tells where nothing else answers.
func TestPort4028(t *testing.T) {
	r, err := rpc.Parse([]byte(`{"summary":[{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":600,"MHS 5s":95000000.5,"MHS av":94000000}]}],
		"devs":[{"STATUS":[{"STATUS":"S"}],"DEVS":[{"ID":6,"MHS 5s":48000000},{"ID":7,"MHS 5s":0}]}],
		"temps":[{"STATUS":[{"STATUS":"S"}],"TEMPS":[{"Board":60.5,"Chip":75.25,"ID":6,"TEMP":0}]}],
		"fans":[{"STATUS":[{"STATUS":"S"}],"FANS":[{"FAN":0,"ID":0,"RPM":4200,"Speed":70},{"FAN":1,"ID":1,"RPM":0}]}],
		"tunerstatus":[{"STATUS":[{"STATUS":"S"}],"TUNERSTATUS":[{"ApproximateMinerPowerConsumption":3190,"PowerLimit":3250}]}],"id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := bosSample(r)
	want := site.Sample{
		State: site.StateHashing, Power: watts(3190), Target: watts(3250), Hashrate: ghs(95000.0005), Uptime: seconds(600), Fans: []int{4200, 0},
		Boards: []site.Board{{Hashrate: ghs(48000), ChipTemp: deg(75.25), PCBTemp: deg(60.5), Working: true}, {Hashrate: ghs(0)}},
	}
	if d := cmp.Diff(want, got, near); d != "" || !ok {
		t.Errorf("%v, -want +got:\n%s", ok, d)
	}
	if s, ok := bosSample(rpc.Reply{}); ok {
		t.Errorf("of nothing: %+v", s)
	}
	rested, _ := rpc.Parse([]byte(`{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"MHS 5s":0}],"id":1}`))
	if s, ok := bosSample(rested); !ok || s.State != site.StateUnknown {
		t.Errorf("without hashrate: %+v", s)
	}
}

func TestRamping(t *testing.T) {
	for in, want := range map[string]uint32{
		`{"hashboards_constraints":{"quick_ramping_time_s":{"default":60,"min":2,"max":600}}}`: 2,
		`{"hashboards_constraints":{"quick_ramping_time_s":{"default":60,"min":0,"max":600}}}`: 1,
		`{"hashboards_constraints":{"quick_ramping_time_s":{"default":1,"min":2}}}`:            0,
		`{"hashboards_constraints":null}`:                                                      0, `{}`: 0,
	} {
		var c constraints
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		if least, _, ok := c.ramping(); least != want || ok != (want > 0) {
			t.Errorf("%s: %d, %v", in, least, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(nested(nested(nil, 2, nested(nil, 1, nested(nil, 1, double(nil, 1, 1e5)))), 3, nested(nil, 1, number(nil, 1, 3050))))
	f.Add(nested(nil, 1, nested(nested(number(nil, 2, 1), 3, number(nil, 1, 108)), 7, double(nil, 1, 60))))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s site.Sample
		var st stats
		if decode(data, msgStats, &st) == nil {
			st.fill(&s)
		}
		if s.Power.OK && (s.Power.V <= 0 || s.Power.V > unit.Megawatt) || s.Hashrate.OK && !(s.Hashrate.V >= 0) {
			t.Fatalf("%+v", s)
		}
		var b boards
		if decode(data, msgBoards, &b) == nil && len(b.list()) > maxMany {
			t.Fatal("too many boards")
		}
		for _, m := range methods {
			var v map[string]json.RawMessage
			_ = decode(data, m.reply, &v)
		}
		if r, err := rpc.Parse(data); err == nil {
			if s, ok := bosSample(r); ok && len(s.Boards)+len(s.Fans) > 2*maxBoards {
				t.Fatal("too many boards or fans")
			}
		}
	})
}
