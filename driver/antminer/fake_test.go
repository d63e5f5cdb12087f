package antminer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/icholy/digest"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
)

// fake is a stock Antminer: a web server with digest and an RPC port.
type fake struct {
	password string
	bare     bool // tells neither power nor hashrate

	mu     sync.Mutex
	mode   int           // what it does
	shows  site.Opt[int] // what its configuration shows meanwhile
	nonce  int
	refuse bool           // posts
	log    []string       // exchanges, in order
	conf   map[string]any // last posted
	closed bool           // the RPC port
	gone   bool           // the miner's process: stats.cgi fails
	early  bool           // its pages are of 2019
	pool   string
	acts   []string
	uptime int
	mac    string // empty: the usual one
	chips  int    // more than usual
}

func (f *fake) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, what)
}

// took returns the exchanges since the last call.
func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.log
	f.log = nil
	return l
}

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) stats() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bare {
		return `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S19 Pro"},{"Elapsed":900}],"id":1}`
	}
	ghs := 110566.5
	if f.mode == 1 {
		ghs = 0
	}
	return fmt.Sprintf(`{"STATUS":[{"STATUS":"S","Code":70}],"STATS":[{"Type":"Antminer S19 Pro","Miner":"49.0.1.3"}{"Elapsed":%d,"GHS 5s":"%g",`+
		`"GHS av":%g,"chain_acn1":%d,"chain_rate1":"%g","temp_chip1":"78-50-69-70","temp_pcb1":"73-45-64-65","fan_num":1,"fan1":6000}],"id":1}`+"\x00", 900+f.uptime, ghs, ghs, 114+f.chips, ghs)
}

func (f *fake) rpc(c net.Conn) {
	defer c.Close()
	var r rpc.Request
	if json.NewDecoder(c).Decode(&r) != nil {
		return
	}
	f.mu.Lock()
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return
	}
	f.note("rpc " + r.Command)
	switch r.Command {
	case "stats":
		_, _ = io.WriteString(c, f.stats())
	case "pools":
		_, _ = io.WriteString(c, `{"STATUS":[{"STATUS":"S"}],"POOLS":[{"URL":"`+f.url()+`","User":"`+f.worker()+`","Stratum Active":true}],"id":1}`)
	case "version":
		_, _ = io.WriteString(c, `{"STATUS":[{"STATUS":"S"}],"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer S19 Pro"}],"id":1}`)
	default:
		_, _ = io.WriteString(c, `{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}],"id":1}`)
	}
}

func (f *fake) url() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pool == "" {
		return "stratum+tcp://p:1"
	}
	return f.pool
}

func (f *fake) worker() string {
	if f.url() == "stratum+tcp://p:1" {
		return "w"
	}
	return "account.conform-001"
}

func (f *fake) did(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, what)
}

// done returns the acts that it carried out.
func (f *fake) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.acts)
}

// allowed checks the digest and challenges where it is wrong.
func (f *fake) allowed(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := &digest.Challenge{Realm: "antMiner Configuration", Nonce: "n" + strconv.Itoa(f.nonce), QOP: []string{"auth"}}
	if cred, err := digest.ParseCredentials(r.Header.Get("Authorization")); err == nil && cred.Nonce == ch.Nonce {
		want, err := digest.Digest(ch, digest.Options{
			Method: r.Method, URI: r.URL.RequestURI(), Count: cred.Nc, Username: "root", Password: f.password, Cnonce: cred.Cnonce,
		})
		if err == nil && want.Response == cred.Response {
			return true
		}
	}
	w.Header().Set("WWW-Authenticate", ch.String())
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// ServeHTTP is the web server.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.note(r.Method + " " + r.URL.Path)
	if !f.allowed(w, r) {
		return
	}
	f.mu.Lock()
	mode, gone, early, mac := f.shows.Or(f.mode), f.gone, f.early, f.mac
	f.mu.Unlock()
	if early {
		f.earlyPages(w, r)
		return
	}
	if gone && r.URL.Path == "/cgi-bin/stats.cgi" {
		http.Error(w, "Socket connect failed: Connection refused", http.StatusInternalServerError)
		return
	}
	switch r.URL.Path {
	case "/cgi-bin/get_system_info.cgi":
		_, _ = io.WriteString(w, `{"minertype":"Antminer S19 Pro","macaddr":"`+cmp.Or(mac, "02:00:00:00:00:01")+`","serinum":"X1","system_filesystem_version":"FR-1.1"}`)
	case "/cgi-bin/get_miner_conf.cgi":
		fmt.Fprintf(w, `{"pools":[{"url":"%s","user":"%s","pass":"x"}],"bitmain-fan-pwm":"100","bitmain-work-mode":"%d"}`, f.url(), f.worker(), mode)
	case "/cgi-bin/set_miner_conf.cgi":
		f.post(w, r)
	case "/cgi-bin/summary.cgi":
		_, _ = io.WriteString(w, `{"SUMMARY":[{"status":[{"type":"rate","status":"s","code":0,"msg":""},{"type":"fans","status":"e","code":3,"msg":"fan lost"}]}]}`)
	case "/cgi-bin/stats.cgi":
		_, _ = io.WriteString(w, f.stats())
	case "/cgi-bin/blink.cgi":
		f.did("led")
		_, _ = io.WriteString(w, `{"code":"B000"}`)
	case "/cgi-bin/reboot.cgi":
		f.did("reboot")
		panic(http.ErrAbortHandler) // it is down before it has answered
	case "/cgi-bin/passwd.cgi":
		f.passwd(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) passwd(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var p struct{ CurPwd, NewPwd, ConfirmPwd string }
	if json.NewDecoder(r.Body).Decode(&p) != nil || p.CurPwd != f.password || p.NewPwd != p.ConfirmPwd {
		_, _ = io.WriteString(w, `{"stats":"error","code":"P001","msg":"Current password invalid!"}`)
		return
	}
	f.password = p.NewPwd
	f.acts = append(f.acts, "password")
	_, _ = io.WriteString(w, `{"stats":"success","code":"P000","msg":"OK!"}`)
}

// earlyPages are those of an S17 with the firmware of 2019. A post of JSON there is stored
// as if its pieces were the fields of a form.
func (f *fake) earlyPages(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/cgi-bin/get_system_info.cgi":
		_, _ = io.WriteString(w, `{"minertype":"Antminer S17+","macaddr":"02:00:00:00:00:01","curtime":"07:12:34","loadaverage":"1.61, 1.60, 1.60",`+
			`"system_filesystem_version":"Tue Dec 17 09:49:17 CST 2019","cgminer_version":"1.0.0"}`)
	case "/cgi-bin/get_miner_conf.cgi":
		_, _ = io.WriteString(w, `{"pools":[{"url":"stratum+tcp://p:1","user":"w","pass":"x"}],"api-listen":true,"bitmain-use-vil":true,`+
			`"bitmain-work-mode":"0","bitmain-freq":"675","bitmain-voltage":"1800"}`)
	case "/cgi-bin/blink.cgi":
		f.did("led " + string(body))
		_, _ = io.WriteString(w, `{"startBlink":true}`)
	case "/cgi-bin/reboot.cgi":
		f.did("reboot")
	case "/cgi-bin/set_miner_conf.cgi":
		f.did("spoilt by " + string(body))
		_, _ = io.WriteString(w, "ok")
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) post(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var c map[string]any
	if json.NewDecoder(r.Body).Decode(&c) != nil || f.refuse {
		_, _ = io.WriteString(w, `{"stats":"error","code":"M001","msg":"Illegal request!"}`)
		return
	}
	f.conf = c
	f.mode, _ = strconv.Atoi(fmt.Sprint(c["bitmain-work-mode"]))
	if pools, _ := c["pools"].([]any); len(pools) > 0 {
		if url := fmt.Sprint(pools[0].(map[string]any)["url"]); url != f.pool && (f.pool != "" || url != "stratum+tcp://p:1") {
			f.pool, f.acts = url, append(f.acts, "pools")
		}
	}
	_, _ = io.WriteString(w, `{"stats":"success","code":"M000","msg":"OK!"}`)
}

// start starts a fake and returns a target with the right password.
func start(t *testing.T, f *fake) driver.Target {
	t.Helper()
	f.password = "r00t-secret"
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.rpc(c)
		}
	}()
	return driver.Target{
		Device: "a-001", Host: "127.0.0.1", User: "root", Password: driver.Secret(f.password), Now: time.Now,
		Ports: map[string]int{"http": web.Listener.Addr().(*net.TCPAddr).Port, "rpc": l.Addr().(*net.TCPAddr).Port},
	}
}
