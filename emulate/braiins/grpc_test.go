package braiins

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// grpcRig is one miner that speaks gRPC, and a client of it.
type grpcRig struct {
	rig
	conn *grpc.ClientConn
}

func serveBoth(t *testing.T, faults fault.Set) *grpcRig {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	web, other := listen(), listen()
	w := world(t, faults)
	r := &grpcRig{rig: rig{w: w, m: w.Miners()[0], url: "http://" + web.Addr().String()}}
	var err error
	if r.closer, err = Serve(r.m, map[string]net.Listener{"http": web, "grpc": other}); err != nil {
		t.Fatal(err)
	}
	r.conn, err = grpc.NewClient("passthrough:///"+other.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.conn.Close()
		if err := r.closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// call returns the reply's fields and the code.
func (r *grpcRig) call(t *testing.T, name string, req []byte) (fields, codes.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if r.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", r.token)
	}
	var reply []byte
	err := r.conn.Invoke(ctx, "/braiins.bos.v1."+name, &req, &reply)
	f, bad := parseMessage(reply)
	if bad != nil {
		t.Fatal(bad)
	}
	return f, status.Code(err)
}

func TestGRPC(t *testing.T) {
	r := serveBoth(t, nil)
	for name, want := range map[string]codes.Code{
		"MinerService/GetMinerStats": codes.Unauthenticated, "AuthenticationService/Login": codes.Unauthenticated,
	} {
		if _, code := r.call(t, name, nil); code != want {
			t.Errorf("%s without a login: %v", name, code)
		}
	}
	f, code := r.call(t, "AuthenticationService/Login", text(text(nil, 1, "root"), 2, "letmein"))
	if r.token = f.text(1); code != codes.OK || r.token == "" || f.number(2) != 3600 {
		t.Fatalf("login: %v %v", code, f)
	}
	f, _ = r.call(t, "MinerService/GetMinerStats", nil)
	if got := float64(f.message(3).message(1).number(1)); got < 3300 || got > 3700 {
		t.Errorf("%v W", got)
	}
	f, _ = r.call(t, "MinerService/GetMinerDetails", nil)
	if f.message(2).text(4) != "Antminer S21" || f.number(12) != statusNormal {
		t.Errorf("details %v", f)
	}
	pool := nested(nil, 5, text(text(nil, 2, "stratum+tcp://a:1"), 3, "w"))
	for _, c := range []struct {
		name string
		req  []byte
		want codes.Code
	}{
		{"PerformanceService/SetPowerTarget", nested(number(nil, 1, 2), 2, number(nil, 1, 2500)), codes.OK},
		{"PerformanceService/SetPowerTarget", nested(number(nil, 1, 2), 2, number(nil, 1, 25000)), codes.OutOfRange},
		{"PerformanceService/SetQuickRamping", number(number(nil, 2, 60), 3, 2), codes.Unimplemented}, // it is too old
		{"PoolService/SetPoolGroups", nested(nil, 2, pool), codes.OK},
		{"PoolService/SetPoolGroups", nil, codes.InvalidArgument},
		{"ActionsService/SetLocateDeviceStatus", flag(nil, 1, true), codes.OK},
		{"ActionsService/Stop", nil, codes.OK},
		{"ActionsService/PauseMining", nil, codes.FailedPrecondition},
		{"ActionsService/Dance", nil, codes.Unimplemented},
		{"MinerService/GetErrors", []byte{0xff}, codes.InvalidArgument},
	} {
		if _, code := r.call(t, c.name, c.req); code != c.want {
			t.Errorf("%s: %v, want %v", c.name, code, c.want)
		}
	}
	v := r.m.View()
	if v.Limit != 2500*unit.Watt || len(v.Pools) != 1 || !v.LED || v.Mode != plant.ModeSleep {
		t.Errorf("%v %v %v %v", v.Limit, v.Pools, v.LED, v.Mode)
	}
	// One miner, two interfaces: what one was told the other tells.
	r.call(t, "AuthenticationService/SetPassword", text(nil, 1, "other"))
	if status, _ := r.do(t, "POST", "/api/v1/auth/login", `{"username":"root","password":"other"}`); status != http.StatusOK {
		t.Errorf("the new password over REST: %d", status)
	}
	if _, code := r.call(t, "MinerService/GetMinerStats", nil); code != codes.Unauthenticated {
		t.Errorf("a token outlived its password: %v", code)
	}
}

func TestRESTActs(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	if got := r.ok(t, "PUT", "/api/v1/pools/batch", `[{"name":"a","pools":[{"url":"stratum+tcp://a:1","user":"w","enabled":true}]}]`); !strings.Contains(got, "stratum+tcp://a:1") {
		t.Error(got)
	}
	for path, body := range map[string]string{"pools/batch": `[{"pools":[{"url":"a:1"}]}]`, "auth/password": `{}`} {
		if status, _ := r.do(t, "PUT", "/api/v1/"+path, body); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d", path, body, status)
		}
	}
	if status, _ := r.do(t, "PUT", "/api/v1/performance/quick-ramping", `{"up_s":60,"down_s":2}`); status != http.StatusNotFound {
		t.Errorf("old firmware ramps quickly: %d", status)
	}
	if status, _ := r.do(t, "PUT", "/api/v1/auth/password", `{"password":"other"}`); status != http.StatusNoContent || !r.m.CheckPassword("root", "other") {
		t.Errorf("password: %d", status)
	}
}

func TestQuickRamping(t *testing.T) {
	d := newDevice(world(t, nil).Miners()[0])
	for _, c := range []struct {
		up, down uint32
		ok       bool
	}{{60, 2, true}, {60, 1, false}, {0, 2, false}, {601, 2, false}} {
		if why := d.setRamping(c.up, c.down); (why == "") != c.ok {
			t.Errorf("%d, %d: %q", c.up, c.down, why)
		}
	}
	if got := string(d.configuration(d.m.View())); !strings.Contains(got, `"quick_ramping_time_down_s":2`) {
		t.Error(got)
	}
}

func TestServeKnowsItsPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Serve(world(t, nil).Miners()[0], map[string]net.Listener{"rpc": l}); err == nil {
		t.Error("it serves a port that it has not")
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(nested(number(nil, 1, 2), 2, number(nil, 1, 2500)))
	f.Add([]byte("\xff0")) // a type that there is not
	f.Fuzz(func(t *testing.T, data []byte) {
		if all, err := parseMessage(data); err == nil {
			for _, one := range all.messages(2) {
				one.text(1)
			}
			all.message(1).number(1)
		}
	})
}
