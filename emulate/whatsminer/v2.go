package whatsminer

import (
	"encoding/json"
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

// maxRequest bounds a request of either API.
const maxRequest = 16 << 10

// The codes of API v2.
const (
	codeInvalid  = 14
	codeBadJSON  = 23
	codeDenied   = 45
	codeOK       = 131
	codeError    = 132
	codeToken    = 134
	codeBadToken = 135
	codeTooMany  = 136
	codeBase64   = 137
)

// v2 is the firmware behind port 4028.
type v2 struct {
	*machine
	tokens tokens
	silent bool // a habit: reboot answers nothing
}

func newV2(m *plant.Miner) *v2 {
	x := newMachine(m)
	return &v2{
		machine: x, silent: x.seed>>8&1 == 1,
		tokens: tokens{seed: x.seed, salt: makeSalt(x.seed >> 3)},
	}
}

// request is what a client may say; which fields count depends on the command.
type request struct {
	Enc     json.RawMessage `json:"enc"`
	Data    string          `json:"data"`
	Cmd     string          `json:"cmd"`
	Command string          `json:"command"` // the older spelling
	Token   string          `json:"token"`
	Percent any             `json:"percent"`
	Limit   any             `json:"power_limit"`
	Before  string          `json:"respbefore"`
	Param   string          `json:"param"`
	Color   string          `json:"color"`
	Period  float64         `json:"period"`
	Old     string          `json:"old"`
	New     string          `json:"new"`
	Pool1   string          `json:"pool1"`
	Pool2   string          `json:"pool2"`
	Pool3   string          `json:"pool3"`
	Worker1 string          `json:"worker1"`
	Worker2 string          `json:"worker2"`
	Worker3 string          `json:"worker3"`
}

// parseRequest reads one request.
func parseRequest(body []byte) (request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return request{}, err
	}
	if r.Cmd == "" {
		r.Cmd = r.Command
	}
	return r, nil
}

// serve answers one request; the connection ends with it.
func (d *v2) serve(c net.Conn) {
	body, err := face.ReadRequest(c, maxRequest, patience)
	if err != nil {
		return // nobody asked anything, or far too much
	}
	v := d.m.View()
	if v.Rebooting {
		return
	}
	reply, after := d.answer(v, clientOf(c), body)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(reply) // the client may be gone; what it ordered is done either way
	if after != nil {
		after()
	}
}

// clientOf is the address that tokens are held by.
func clientOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

// answer returns the reply and what is to be done once it is written, if anything.
func (d *v2) answer(v plant.View, client string, body []byte) ([]byte, func()) {
	r, err := parseRequest(body)
	if err != nil {
		return say(v, codeBadJSON, "invalid json message"), nil
	}
	if r.Enc != nil && string(r.Enc) != "0" && string(r.Enc) != "false" {
		return d.encrypted(v, client, r.Data)
	}
	if r.Cmd == "get_token" {
		return d.getToken(v, client), nil
	}
	if reply := d.read(v, r.Cmd); reply != nil {
		return reply, nil
	}
	if isWrite(r.Cmd) {
		return say(v, codeDenied, "permission denied"), nil
	}
	return say(v, codeInvalid, "invalid cmd"), nil
}

// encrypted answers a request under the device's key.
func (d *v2) encrypted(v plant.View, client, data string) ([]byte, func()) {
	_, password := d.m.Credentials()
	key, err := d.tokens.unlock(password)
	if err != nil {
		return say(v, codeError, "command error"), nil
	}
	text, err := key.open(data)
	if errors.Is(err, errBase64) {
		return say(v, codeBase64, "base64 decode error"), nil
	}
	var r request
	if err == nil {
		r, err = parseRequest(text)
	}
	switch {
	case err != nil:
		return say(v, codeBadJSON, "enc json load err"), nil
	case !d.tokens.good(client, r.Token, v.At):
		return say(v, codeBadToken, "check token error"), nil
	}
	reply := d.read(v, r.Cmd)
	var after func()
	switch {
	case reply != nil:
	case !isWrite(r.Cmd):
		reply = say(v, codeInvalid, "invalid cmd")
	case d.m.Refuses():
		reply = say(v, codeError, "command error")
	default:
		reply, after = d.write(v, r)
	}
	if reply == nil {
		return nil, after
	}
	return append(face.Quote([]byte(`{"enc":`), key.seal(reply)), '}'), after
}

func (d *v2) getToken(v plant.View, client string) []byte {
	_, password := d.m.Credentials()
	g, ok := d.tokens.give(client, password, v.At)
	if !ok {
		return say(v, codeTooMany, "over max connect")
	}
	return reply(v, codeToken, `{"time":"`+g.time+`","salt":"`+g.salt+`","newsalt":"`+g.newSalt+`"}`)
}

func isWrite(cmd string) bool {
	switch cmd {
	case "power_off", "power_on", "set_power_pct", "set_power_pct_v2", "adjust_power_limit", "restart_btminer",
		"set_low_power", "set_normal_power", "set_high_power", "reboot", "set_led", "update_pools", "update_pwd":
		return true
	}
	return false
}

// write carries out one command of a client that holds a token. A nil reply is silence.
func (d *v2) write(v plant.View, r request) (reply []byte, after func()) {
	done := say(v, codeOK, "API command OK")
	switch r.Cmd {
	case "power_off":
		if r.Before == "true" { // the answer comes first
			return done, d.off
		}
		d.off()
	case "power_on":
		d.on()
	case "set_power_pct", "set_power_pct_v2":
		p, err := number(r.Percent)
		if err != nil || !(p >= 0 && p <= 100) || v.Mode == plant.ModeSleep {
			return say(v, codeError, "set power pct err"), nil
		}
		d.setPercent(int(math.Round(p)))
	case "adjust_power_limit":
		w, err := number(r.Limit)
		if err != nil || !(w >= 0 && w <= 99999) {
			return say(v, codeError, "power limit err"), nil
		}
		d.limit(w)
	case "set_low_power", "set_normal_power", "set_high_power":
		d.setMode(strings.TrimSuffix(strings.TrimPrefix(r.Cmd, "set_"), "_power"))
	case "restart_btminer":
		d.forgetPercent()
	case "set_led", "update_pools", "update_pwd":
		if !d.settle(r) {
			return say(v, codeError, "command error"), nil
		}
	case "reboot":
		d.tokens.forget()
		if d.silent {
			return nil, d.reboot
		}
		return done, d.reboot
	}
	return done, nil
}

// settle carries out what is not about mining; false where the words make no sense. The
// reply to a new password comes under the old key: its client knows no other.
func (d *v2) settle(r request) bool {
	switch r.Cmd {
	case "set_led":
		return d.led(r.Param == "auto", r.Color, r.Period)
	case "update_pools":
		return d.pools([]plant.PoolView{{URL: r.Pool1, Worker: r.Worker1}, {URL: r.Pool2, Worker: r.Worker2}, {URL: r.Pool3, Worker: r.Worker3}})
	}
	return d.password(r.Old, r.New)
}

// say is a reply whose message is text.
func say(v plant.View, code int, msg string) []byte {
	return reply(v, code, string(quoted(msg)))
}

// reply is the form of all replies but those that come from cgminer.
func reply(v plant.View, code int, msg string) []byte {
	status := "E"
	if code == codeOK || code == codeToken {
		status = "S"
	}
	return []byte(`{"STATUS":"` + status + `","When":` + strconv.FormatInt(v.At.Unix(), 10) +
		`,"Code":` + strconv.Itoa(code) + `,"Msg":` + msg + `,"Description":""}`)
}
