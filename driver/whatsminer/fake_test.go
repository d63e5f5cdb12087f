package whatsminer

import (
	"bufio"
	"crypto/aes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// fake is a miner of either API, written against the documents and not against the driver.
type fake struct {
	t  *testing.T
	mu sync.Mutex

	off, bare, silentWrites, noPct, noEdevs bool
	percent                                 int
	password, salt                          string
	tokens                                  int // given out
	expire                                  int // so many writes are answered 135
	denied                                  int // so many writes are answered -4
	skew                                    time.Duration
	commands                                []string
	acts                                    []string
	pools                                   []map[string]string
	noToken, keeps                          bool // v3: it keeps connections
	dials                                   int
	pkcs7                                   bool
}

// done returns the acts that it carried out.
func (f *fake) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.acts...)
}

func load(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// start serves f with one exchange a connection.
func (f *fake) start(t *testing.T, port string, serve func(net.Conn)) driver.Target {
	f.t, f.percent, f.salt = t, 100, "0wJrxGnj"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				f.do(func() { f.dials++ })
				serve(c)
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return driver.Target{
		Device: "m60s-001", Host: "127.0.0.1", Ports: map[string]int{port: l.Addr().(*net.TCPAddr).Port},
		Password: driver.Secret(f.password), Now: time.Now,
	}
}

func (f *fake) obeys() site.Setpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off {
		return site.Setpoint{Mode: site.ModeSleep}
	}
	return site.Setpoint{Power: site.Some(3600 * unit.Watt * unit.Power(f.percent) / 100)}
}

func (f *fake) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// face is what a test asks of a fake.
type face struct {
	off             bool
	percent, tokens int
}

func (f *fake) now() face {
	f.mu.Lock()
	defer f.mu.Unlock()
	return face{f.off, f.percent, f.tokens}
}

func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.commands...)
}

func v2OK(msg string) string {
	return `{"STATUS":"S","When":1,"Code":131,"Msg":` + msg + `,"Description":""}`
}

func v2Err(code int, msg string) string {
	return fmt.Sprintf(`{"STATUS":"E","When":1,"Code":%d,"Msg":%q,"Description":""}`, code, msg)
}

func (f *fake) serveV2(c net.Conn) {
	var r map[string]any
	if json.NewDecoder(c).Decode(&r) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if data, ok := r["data"].(string); ok {
		if reply := f.writeV2(data); !f.silentWrites {
			_, _ = c.Write([]byte(reply))
		}
		return
	}
	_, _ = c.Write([]byte(f.readV2(fmt.Sprint(r["cmd"]))))
}

func (f *fake) readV2(cmd string) string {
	f.commands = append(f.commands, cmd)
	switch cmd {
	case "get_token":
		if f.noToken {
			return v2Err(14, "invalid cmd")
		}
		f.tokens++
		return v2OK(fmt.Sprintf(`{"time":"%d","salt":%q,"newsalt":"abcdefgh"}`, 5626+f.tokens, f.salt))
	case "summary":
		if f.bare {
			return v2OK(`{"Elapsed":4000,"Power Mode":"Normal"}`)
		}
		return f.summaryV2()
	case "status":
		return v2OK(fmt.Sprintf(`{"mineroff":"%t","power_limit_set":"","power_pct":%d}`, f.off, f.percent))
	case "edevs", "devs":
		if f.noEdevs && cmd == "edevs" {
			return v2Err(14, "invalid cmd")
		}
		return string(load(f.t, "v2-devs.json"))
	case "pools":
		if f.pools != nil {
			return v2OK(fmt.Sprintf(`[{"POOL":1,"URL":%q,"User":%q,"Stratum Active":true}]`, f.pools[0]["pool"], f.pools[0]["worker"]))
		}
		return string(load(f.t, "v2-pools.json"))
	case "get_version":
		return v2OK(`{"api_ver":"2.0.5","fw_ver":"20250409.15.REL","platform":"H616","chip":"K110"}`)
	case "devdetails":
		return `{"STATUS":[{"STATUS":"S","Msg":"Device Details"}],"DEVDETAILS":[{"DEVDETAILS":0,"Name":"SM","ID":0,"Model":"M60S_VK30"}],"id":1}`
	case "get_miner_info":
		return v2OK(`{"mac":"CA:FE:00:00:00:01","minersn":"HQM60S1","hostname":"WhatsMiner"}`)
	}
	return v2Err(14, "invalid cmd")
}

// summaryV2 is the recorded one, and where it was switched off one without a hashrate.
func (f *fake) summaryV2() string {
	text := string(load(f.t, "v2-summary-msg.json"))
	if f.off {
		text = regexp.MustCompile(`"(HS RT|MHS \w+)": *[0-9.]+`).ReplaceAllString(text, `"$1":0`)
	}
	return text
}

// box is AES in ECB, the other way round from the driver's.
func (f *fake) box(in []byte, decrypt bool) []byte {
	key := sha256.Sum256([]byte(md5crypt(f.password, f.salt)))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		f.t.Error(err)
	}
	out := make([]byte, len(in))
	for i := 0; i+16 <= len(in); i += 16 {
		if decrypt {
			block.Decrypt(out[i:], in[i:])
		} else {
			block.Encrypt(out[i:], in[i:])
		}
	}
	return out
}

func (f *fake) writeV2(data string) string {
	raw, _ := base64.StdEncoding.DecodeString(data)
	var r map[string]any
	plain := f.box(raw, true)
	if json.Unmarshal(trimNUL(plain), &r) != nil {
		return v2Err(23, "enc json load err")
	}
	f.commands = append(f.commands, fmt.Sprint(r["cmd"]))
	under := f.password
	reply := []byte(f.commandV2(r))
	now := f.password
	f.password = under // the answer comes under the key of the question
	defer func() { f.password = now }()
	pad := 16 - len(reply)%16
	for range pad {
		if f.pkcs7 {
			reply = append(reply, byte(pad))
		} else {
			reply = append(reply, 0)
		}
	}
	return fmt.Sprintf(`{"enc":%q}`, base64.StdEncoding.EncodeToString(f.box(reply, false)))
}

func trimNUL(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

func (f *fake) commandV2(r map[string]any) string {
	good := false
	for n := 1; n <= f.tokens; n++ {
		good = good || r["token"] == md5crypt(md5crypt(f.password, f.salt)+strconv.Itoa(5626+n), "abcdefgh")
	}
	if f.expire > 0 || !good {
		f.expire--
		return v2Err(135, "token err")
	}
	switch r["cmd"] {
	case "power_off":
		f.off = true
	case "power_on":
		f.off, f.percent = false, 100
	case "set_power_pct", "set_power_pct_v2":
		if f.noPct && r["cmd"] == "set_power_pct" {
			return v2Err(14, "invalid cmd")
		}
		f.percent, _ = strconv.Atoi(fmt.Sprint(r["percent"]))
	case "adjust_power_limit":
	case "set_led":
		if _, whole := r["period"].(float64); !whole && r["param"] != "auto" {
			return v2Err(132, "command error")
		}
		f.acts = append(f.acts, "led")
	case "update_pools":
		f.pools = nil
		for _, n := range []string{"1", "2", "3"} {
			f.pools = append(f.pools, map[string]string{"pool": r["pool"+n].(string), "worker": r["worker"+n].(string), "passwd": r["passwd"+n].(string)})
		}
		f.acts = append(f.acts, "pools")
	case "update_pwd":
		if r["old"] != f.password {
			return v2Err(132, "command error")
		}
		f.password, f.acts = r["new"].(string), append(f.acts, "password")
	case "reboot":
		f.acts = append(f.acts, "reboot")
	default:
		return v2Err(14, "invalid cmd")
	}
	return v2OK(`"API command OK"`)
}

func (f *fake) serveV3(c net.Conn) {
	in := bufio.NewReader(c)
	for f.oneV3(c, in) {
	}
}

// oneV3 answers one frame and says whether it takes another.
func (f *fake) oneV3(c net.Conn, in *bufio.Reader) bool {
	body, err := readFrame(in)
	if err != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answerV3(c, body)
	return f.keeps
}

func (f *fake) answerV3(c net.Conn, body []byte) {
	var r struct {
		Cmd, Account, Token string
		Param               any
		TS                  int64
	}
	if json.Unmarshal(body, &r) != nil {
		return
	}
	now := time.Now().Add(f.skew).Unix()
	f.commands = append(f.commands, r.Cmd)
	reply := func(code int, msg string) {
		text := fmt.Sprintf(`{"code":%d,"when":%d,"msg":%s,"desc":%q}`, code, now, msg, r.Cmd)
		_, _ = c.Write(frame([]byte(text)))
	}
	switch param, _ := r.Param.(string); r.Cmd {
	case "get.device.info":
		reply(0, fmt.Sprintf(`{"salt":%q,"network":{"mac":"00:11:22:33:44:55"},"system":{"api":"3.0.1","fwversion":"20251201.13.REL"},
			"miner":{"type":"M60S_VK30","working":"%t","miner-sn":"HQM60S2","power-limit-set":""},"error-code":[{"541":"2026-01-01 00:00:00","reason":"x"}]}`, f.salt, !f.off))
	case "get.miner.setting":
		reply(0, fmt.Sprintf(`{"power-limit":3600,"power-percent":%d,"power-mode":"normal"}`, f.percent%100))
	case "get.miner.status":
		switch {
		case param == "pools" && f.pools != nil:
			reply(0, fmt.Sprintf(`{"pools":[{"id":1,"url":%q,"account":%q,"stratum-active":true}]}`, f.pools[0]["pool"], f.pools[0]["worker"]))
		case param == "pools":
			reply(0, `{"pools":[{"id":1,"url":"stratum+tcp://a.example:3333","status":"alive","account":"w.1","stratum-active":true}]}`)
		case f.off:
			reply(-1, `"btminer is not running"`)
		case f.bare:
			reply(0, `{"summary":{"elapsed":100},"edevs":[]}`)
		default:
			recorded := regexp.MustCompile(`"when": *[0-9]+`).ReplaceAll(load(f.t, "v3-status.json"), fmt.Appendf(nil, `"when":%d`, now))
			_, _ = c.Write(frame(recorded))
		}
	default:
		sum := sha256.Sum256([]byte(r.Cmd + f.password + f.salt + strconv.FormatInt(r.TS, 10)))
		if f.denied > 0 || r.Account != "super" || r.TS < now-10 || r.TS > now+10 || r.Token != base64.StdEncoding.EncodeToString(sum[:])[:8] {
			f.denied--
			reply(-4, `"no permission"`)
			return
		}
		if sealed, ok := r.Param.(string); ok && (r.Cmd == "set.miner.pools" || r.Cmd == "set.user.change_passwd") {
			r.Param = f.openV3(sealed, sum)
		}
		f.commandV3(r.Cmd, r.Param, reply)
	}
}

// openV3 decrypts a parameter; nil where it is none.
func (f *fake) openV3(sealed string, key [32]byte) (v any) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) == 0 || len(raw)%16 != 0 {
		return nil
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		f.t.Error(err)
	}
	for i := 0; i < len(raw); i += 16 {
		block.Decrypt(raw[i:], raw[i:])
	}
	if json.Unmarshal(raw[:len(raw)-int(raw[len(raw)-1])], &v) != nil {
		return nil
	}
	return v
}

func (f *fake) commandV3(cmd string, param any, reply func(int, string)) {
	p, _ := param.(map[string]any)
	percent, _ := p["percent"].(string)
	n, err := strconv.Atoi(percent)
	switch {
	case cmd == "set.miner.service" && param == "stop":
		f.off = true
	case cmd == "set.miner.service" && param == "start":
		f.off, f.percent = false, 100
	case cmd == "set.miner.power_percent" && err == nil:
		f.percent = n
	case cmd == "set.miner.power_limit":
	case cmd == "set.system.reboot":
		f.acts = append(f.acts, "reboot")
	case cmd == "set.system.led":
		if _, list := param.([]any); !list && param != "auto" {
			reply(-3, `"invalid param"`)
			return
		}
		f.acts = append(f.acts, "led")
	case cmd == "set.miner.pools" && param != nil:
		f.pools = nil
		for _, e := range param.([]any) {
			e := e.(map[string]any)
			f.pools = append(f.pools, map[string]string{"pool": e["pool"].(string), "worker": e["worker"].(string), "passwd": e["passwd"].(string)})
		}
		f.acts = append(f.acts, "pools")
	case cmd == "set.user.change_passwd" && p["old"] == f.password && p["account"] == "super":
		f.password, f.acts = p["new"].(string), append(f.acts, "password")
	default:
		reply(-2, `"invalid command"`)
		return
	}
	reply(0, `"ok"`)
}
