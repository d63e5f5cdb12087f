package whatsminer

import (
	"crypto/aes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

const (
	// idle is how long a v3 connection may be silent, machine time, as the documents say.
	idle = 300 * time.Second
	// window is how far a write's time stamp may be from the device's clock.
	window = 2 * time.Minute
	// framePatience is how long the rest of a frame and the reply may take, machine time.
	framePatience = 10 * time.Second
)

// The codes of API v3.
const (
	v3OK      = 0
	v3Fail    = -1
	v3Invalid = -2
	v3Item    = -3
	v3Denied  = -4
)

// v3 is the firmware behind port 4433.
type v3 struct {
	*machine
	salt string
}

func newV3(m *plant.Miner) *v3 {
	x := newMachine(m)
	return &v3{machine: x, salt: makeSalt(x.seed >> 5)}
}

// readFrame reads one frame: a 32-bit length, low byte first, and that many bytes. An
// empty frame is a heartbeat.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return nil, face.ErrTooLong
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read frame of %d bytes: %w", n, err)
	}
	return body, nil
}

func frame(body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	return append(b, body...)
}

// slowFrames gives a frame little time once its first byte came.
type slowFrames struct {
	net.Conn
	started bool
}

func (s *slowFrames) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if n > 0 && !s.started {
		s.started = true
		if err := s.SetReadDeadline(time.Now().Add(framePatience)); err != nil {
			return n, err
		}
	}
	return n, err
}

// serve answers one request after the other until the client goes or is silent too long.
func (d *v3) serve(c net.Conn) {
	for {
		if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return
		}
		body, err := readFrame(&slowFrames{Conn: c}, maxRequest)
		if err != nil {
			return // no way to find the next frame
		}
		v := d.m.View()
		if v.Rebooting {
			return
		}
		if len(body) == 0 {
			continue // a heartbeat
		}
		reply, after := d.answer(v, body)
		if err := c.SetWriteDeadline(time.Now().Add(framePatience)); err != nil {
			return
		}
		_, err = c.Write(frame(reply))
		if after != nil {
			after()
			return
		}
		if err != nil {
			return
		}
	}
}

// requestV3 is what a client may say.
type requestV3 struct {
	Cmd     string          `json:"cmd"`
	Param   json.RawMessage `json:"param"`
	TS      json.Number     `json:"ts"`
	Token   string          `json:"token"`
	Account string          `json:"account"`
}

// parseV3 reads one request.
func parseV3(body []byte) (requestV3, error) {
	var r requestV3
	if err := json.Unmarshal(body, &r); err != nil {
		return requestV3{}, fmt.Errorf("read request: %w", err)
	}
	if r.Cmd == "" {
		return requestV3{}, errors.New("read request: no cmd")
	}
	return r, nil
}

// answer returns the reply and what is to be done once it is written, if anything.
func (d *v3) answer(v plant.View, body []byte) ([]byte, func()) {
	r, err := parseV3(body)
	switch {
	case err != nil:
		return v3Say(v, v3Item, "invalid json item", r.Cmd), nil
	case strings.HasPrefix(r.Cmd, "get."):
		return d.get(v, r), nil
	case !isSet(r.Cmd):
		return v3Say(v, v3Invalid, "invalid command", r.Cmd), nil
	case !d.authorized(r, v.At):
		return v3Say(v, v3Denied, "no permission", r.Cmd), nil
	case d.m.Refuses():
		return v3Say(v, v3Fail, "fail", r.Cmd), nil
	}
	after, err := d.set(v, r)
	if err != nil {
		return v3Say(v, v3Item, err.Error(), r.Cmd), nil
	}
	return v3Say(v, v3OK, "ok", r.Cmd), after
}

// authorized says whether the token is that of the device's password, command and time.
func (d *v3) authorized(r requestV3, now time.Time) bool {
	user, password := d.m.Credentials()
	ts, err := r.TS.Int64()
	if err != nil || r.Account == "" || (user != "" && r.Account != user) {
		return false
	}
	if off := now.Sub(time.Unix(ts, 0)); off > window || off < -window {
		return false
	}
	sum := sha256.Sum256([]byte(r.Cmd + password + d.salt + r.TS.String()))
	want := base64.StdEncoding.EncodeToString(sum[:])[:8]
	return subtle.ConstantTimeCompare([]byte(want), []byte(r.Token)) == 1
}

func isSet(cmd string) bool {
	switch cmd {
	case "set.miner.service", "set.miner.power_limit", "set.miner.power", "set.miner.power_percent",
		"set.miner.power_mode", "set.system.reboot", "set.system.led", "set.miner.pools", "set.user.change_passwd":
		return true
	}
	return false
}

var errParam = errors.New("invalid param")

// set carries out one command.
func (d *v3) set(v plant.View, r requestV3) (after func(), err error) {
	switch r.Cmd {
	case "set.miner.service":
		return nil, d.service(r.Param)
	case "set.miner.power_mode":
		var mode string
		if err := json.Unmarshal(r.Param, &mode); err != nil || !d.setMode(mode) {
			return nil, errParam
		}
	case "set.miner.power_limit", "set.miner.power":
		var p any
		if err := json.Unmarshal(r.Param, &p); err != nil {
			return nil, errParam
		}
		w, err := number(p)
		if err != nil || !(w >= 0 && w <= 99999) {
			return nil, errParam
		}
		d.limit(w)
	case "set.miner.power_percent":
		var p struct {
			Percent any    `json:"percent"`
			Mode    string `json:"mode"`
		}
		if err := json.Unmarshal(r.Param, &p); err != nil || (p.Mode != "fast" && p.Mode != "normal") {
			return nil, errParam
		}
		n, err := number(p.Percent)
		if err != nil || !(n >= 0 && n <= 100) || v.Mode == plant.ModeSleep {
			return nil, errParam
		}
		d.setPercent(int(math.Round(n)))
	case "set.system.led", "set.miner.pools", "set.user.change_passwd":
		return nil, d.settle(r)
	case "set.system.reboot":
		return d.reboot, nil
	}
	return nil, nil
}

// settle carries out what is not about mining. Pools and passwords come encrypted.
func (d *v3) settle(r requestV3) error {
	ok := false
	switch r.Cmd {
	case "set.system.led":
		var lights []struct {
			Color  string  `json:"color"`
			Period float64 `json:"period"`
		}
		if ok = string(r.Param) == `"auto"`; ok {
			d.led(true, "", 0)
		} else if json.Unmarshal(r.Param, &lights) == nil && len(lights) > 0 {
			ok = d.led(false, lights[0].Color, lights[0].Period)
		}
	case "set.miner.pools":
		var list []struct{ Pool, Worker string }
		if d.open(r, &list) {
			var all []plant.PoolView
			for _, p := range list {
				all = append(all, plant.PoolView{URL: p.Pool, Worker: p.Worker})
			}
			ok = d.pools(all)
		}
	case "set.user.change_passwd":
		var p struct{ Account, Old, New string }
		user, _ := d.m.Credentials()
		ok = d.open(r, &p) && (user == "" || p.Account == user) && d.password(p.Old, p.New)
	}
	if !ok {
		return errParam
	}
	return nil
}

// open decrypts a parameter under the digest that the token is cut from.
func (d *v3) open(r requestV3, into any) bool {
	var sealed string
	if json.Unmarshal(r.Param, &sealed) != nil {
		return false
	}
	_, password := d.m.Credentials()
	key := sha256.Sum256([]byte(r.Cmd + password + d.salt + r.TS.String()))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return false
	}
	text, err := box{block}.open(sealed)
	return err == nil && json.Unmarshal(text, into) == nil
}

func (d *v3) service(param json.RawMessage) error {
	var what string
	if err := json.Unmarshal(param, &what); err != nil {
		return errParam
	}
	switch what {
	case "stop":
		d.off()
	case "start", "restart":
		d.on()
	case "enable", "disable": // of the start at boot
	default:
		return errParam
	}
	return nil
}

// v3Say is a reply whose message is text.
func v3Say(v plant.View, code int, msg, cmd string) []byte {
	return v3Reply(v, code, quoted(msg), cmd)
}

func v3Reply(v plant.View, code int, msg []byte, cmd string) []byte {
	b := append(make([]byte, 0, len(msg)+96), `{"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = strconv.AppendInt(append(b, `,"when":`...), v.At.Unix(), 10)
	b = append(append(append(b, `,"msg":`...), msg...), `,"desc":`...)
	return append(face.Quote(b, cmd), '}')
}
