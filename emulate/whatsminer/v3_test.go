package whatsminer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// reply3 is the form of all replies of API v3.
type reply3 struct {
	Code int
	When int64
	Msg  json.RawMessage
	Desc string
}

// exchange sends one frame and reads one.
func exchange(t testing.TB, c net.Conn, body string) reply3 {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	if _, err := c.Write(append(b, body...)); err != nil {
		t.Fatal(err)
	}
	var n uint32
	if err := binary.Read(c, binary.LittleEndian, &n); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		t.Fatal(err)
	}
	var r reply3
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}

func (r *rig) salt(t testing.TB, c net.Conn) string {
	t.Helper()
	var msg struct{ Salt string }
	if err := json.Unmarshal(exchange(t, c, `{"cmd":"get.device.info","param":"salt"}`).Msg, &msg); err != nil || len(msg.Salt) != 8 {
		t.Fatalf("salt %q: %v", msg.Salt, err)
	}
	return msg.Salt
}

// signed is a write as the document's example builds it.
func signed(cmd, param, account, password, salt string, at time.Time) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s%s%s%d", cmd, password, salt, at.Unix())))
	token := base64.StdEncoding.EncodeToString(sum[:])[:8]
	return fmt.Sprintf(`{"cmd":"%s","param":%s,"ts":%d,"token":"%s","account":"%s"}`, cmd, param, at.Unix(), token, account)
}

func TestV3Reads(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	c := r.dial(t)
	info := exchange(t, c, `{"cmd":"get.device.info"}`)
	var device struct {
		Network struct{ IP, MAC string }
		Miner   struct{ Working, Type string }
		System  struct{ API, FWVersion string }
		Power   struct{ PIN float64 }
		Salt    string
	}
	if err := json.Unmarshal(info.Msg, &device); err != nil || info.Code != 0 || info.Desc != "get.device.info" {
		t.Fatalf("%v: %+v", err, info)
	}
	v := r.m.View()
	if device.Network.MAC != v.MAC || device.Miner.Working != "true" || !strings.HasPrefix(device.Miner.Type, "M60S") ||
		device.System.FWVersion != v.Firmware || device.Power.PIN < 3000 {
		t.Errorf("device: %+v", device)
	}
	var status struct {
		Summary map[string]any
		Edevs   []map[string]any
		Pools   []map[string]any
	}
	reply := exchange(t, c, `{"cmd":"get.miner.status","param":"edevs+summary+pools"}`)
	if err := json.Unmarshal(reply.Msg, &status); err != nil {
		t.Fatal(err)
	}
	if h := status.Summary["hash-realtime"].(float64); h < 160 || h > 200 || len(status.Edevs) != 3 || len(status.Pools) != 2 {
		t.Errorf("status: %s", reply.Msg)
	}
	if got := exchange(t, c, `{"cmd":"get.miner.setting"}`); got.Code != 0 || !strings.Contains(string(got.Msg), `"power-mode":"normal"`) {
		t.Errorf("setting: %+v", got)
	}
	for request, code := range map[string]int{
		`{"cmd":"get.nonsense"}`: v3Invalid, `{"cmd":"nonsense"}`: v3Invalid, `{`: v3Item, `{"param":"salt"}`: v3Item,
		`{"cmd":"get.device.info","param":"nonsense"}`: v3Item, `{"cmd":"get.device.info","param":5}`: v3Item,
		`{"cmd":"get.miner.status"}`: v3OK,
	} {
		if got := exchange(t, c, request); got.Code != code {
			t.Errorf("%s: %d %s", request, got.Code, got.Msg)
		}
	}
}

// TestV3SummaryHasTheDocumentsKeys compares with the example of the maker's document.
func TestV3SummaryHasTheDocumentsKeys(t *testing.T) {
	w := world(t, "whatsminer-v3", nil)
	var got map[string]any
	if err := json.Unmarshal(statusSummary(w.Miners()[0].View()), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`elapsed bootup-time freq-avg target-freq factory-hash hash-average hash-1min hash-15min hash-realtime power-rate
		power-5min power-realtime environment-temperature board-temperature chip-temp-min chip-temp-avg chip-temp-max power-limit
		up-freq-finish fan-speed-in fan-speed-out`)
	for _, k := range want {
		if _, ok := got[k]; !ok {
			t.Errorf("%s is missing", k)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("not in the document: %v", got)
	}
}

func TestV3Authorization(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	c := r.dial(t)
	salt, now := r.salt(t, c), r.m.Now()
	const cmd, stop = "set.miner.service", `"stop"`
	for name, request := range map[string]string{
		"wrong password": signed(cmd, stop, "super", "admin", salt, now),
		"wrong salt":     signed(cmd, stop, "super", "super", "AAAAAAAA", now),
		"wrong account":  signed(cmd, stop, "admin", "super", salt, now),
		"too old":        signed(cmd, stop, "super", "super", salt, now.Add(-window-time.Second)),
		"too new":        signed(cmd, stop, "super", "super", salt, now.Add(window+time.Second)),
		"no token":       `{"cmd":"set.miner.service","param":"stop"}`,
		"other command":  strings.Replace(signed("set.system.reboot", stop, "super", "super", salt, now), "set.system.reboot", cmd, 1),
	} {
		if got := exchange(t, c, request); got.Code != v3Denied || string(got.Msg) != `"no permission"` {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if r.m.View().Mode != plant.ModeRun {
		t.Fatal("an unauthorized write was followed")
	}
	if got := exchange(t, c, signed(cmd, stop, "super", "super", salt, now)); got.Code != v3OK {
		t.Fatalf("%+v", got)
	}
	if v := r.later(2 * time.Minute); v.Mode != plant.ModeSleep || v.Power > 100*unit.Watt {
		t.Errorf("not off: %v %v", v.Mode, v.Power)
	}
}

func TestV3ClockSkew(t *testing.T) {
	r := serve(t, "whatsminer-v3", fault.Set{{Kind: fault.ClockSkew, Delay: time.Hour}})
	c := r.dial(t)
	if got := exchange(t, c, signed("set.miner.service", `"stop"`, "super", "super", r.salt(t, c), r.w.Now())); got.Code != v3Denied {
		t.Errorf("a device an hour ahead took the site's time: %+v", got)
	}
	if got := exchange(t, c, signed("set.miner.service", `"stop"`, "super", "super", r.salt(t, c), r.m.Now())); got.Code != v3OK {
		t.Errorf("its own time: %+v", got)
	}
}

func TestV3Writes(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	c := r.dial(t)
	salt := r.salt(t, c)
	do := func(cmd, param string) int {
		return exchange(t, c, signed(cmd, param, "super", "super", salt, r.m.Now())).Code
	}
	for _, bad := range [][2]string{
		{"set.miner.service", `"jump"`},
		{"set.miner.power_limit", `"much"`},
		{"set.miner.power_limit", "null"},
		{"set.miner.power_percent", "50"},
		{"set.miner.power_percent", `{"percent":50}`},
		{"set.miner.power_mode", `"turbo"`},
	} {
		if code := do(bad[0], bad[1]); code != v3Item {
			t.Errorf("%s %s: %d", bad[0], bad[1], code)
		}
	}
	if code := do("set.miner.power_percent", `{"percent":70,"mode":"fast"}`); code != 0 || r.m.View().Percent != 70 {
		t.Errorf("percent: %d, %d", code, r.m.View().Percent)
	}
	if code := do("set.miner.power_percent", `{"percent":"80","mode":"normal"}`); code != 0 || r.m.View().Percent != 80 {
		t.Errorf("percent as text: %d, %d", code, r.m.View().Percent)
	}
	if code := do("set.miner.power_limit", "3000"); code != 0 || r.m.View().Limit != 3*unit.Kilowatt || r.m.View().Percent != 100 {
		t.Errorf("limit: %d, %v, %d %%", code, r.m.View().Limit, r.m.View().Percent)
	}
	do("set.miner.service", `"stop"`)
	do("set.miner.service", `"start"`)
	if r.m.View().Mode != plant.ModeRun {
		t.Error("it did not start")
	}
	if code := do("set.system.reboot", "null"); code != 0 {
		t.Errorf("reboot: %d", code)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection outlives the reboot: %v", err)
	}
	if v := r.later(time.Second); !v.Rebooting {
		t.Error("it does not reboot")
	}
}

func TestV3Refuses(t *testing.T) {
	r := serve(t, "whatsminer-v3", fault.Set{{Kind: fault.Refusing, Chance: 1}})
	c := r.dial(t)
	if got := exchange(t, c, signed("set.miner.service", `"stop"`, "super", "super", r.salt(t, c), r.m.Now())); got.Code != v3Fail {
		t.Errorf("%+v", got)
	}
}

func TestV3Frames(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	c := r.dial(t)
	if _, err := c.Write([]byte{0, 0, 0, 0}); err != nil { // a heartbeat
		t.Fatal(err)
	}
	const body = `{"cmd":"get.device.info","param":"salt"}`
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	for _, piece := range [][]byte{head[:1], head[1:], []byte(body[:10])} {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(c, body[10:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, head); err != nil || binary.LittleEndian.Uint32(head) > 200 {
		t.Fatalf("head %v: %v", head, err)
	}
	big := r.dial(t)
	_, _ = big.Write([]byte{0xff, 0xff, 0xff, 0xff, 'x'})
	if n, _ := big.Read(make([]byte, 1)); n > 0 {
		t.Error("a frame of 4 GB was answered")
	}
}

func TestV3ElevenClients(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	for range maxConnsV3 {
		exchange(t, r.dial(t), `{"cmd":"get.miner.setting"}`)
	}
	c := r.dial(t)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("an eleventh client is served")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readFrame(bytes.NewReader(b), 64)
		if err == nil && !bytes.Equal(frame(body), b[:4+len(body)]) {
			t.Errorf("%q gives %q", b, body)
		}
		if len(body) > 64 {
			t.Error(face.ErrTooLong)
		}
	})
}

func FuzzV3(f *testing.F) {
	f.Add([]byte(`{"cmd":"get.miner.status","param":"summary+pools+summary"}`))
	f.Add([]byte(`{"cmd":"set.miner.service","param":"stop","ts":1,"token":"x","account":"super"}`))
	d := newV3(world(f, "whatsminer-v3", nil).Miners()[0])
	v := d.m.View()
	f.Fuzz(func(t *testing.T, body []byte) {
		if reply, _ := d.answer(v, body); !json.Valid(reply) {
			t.Errorf("%q: %s", body, reply)
		}
	})
}
