package antminer

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

// ServeHTTP answers one request of the web pages.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, c := d.view()
	if v.Rebooting {
		face.Vanish(w)
		return
	}
	h := w.Header()
	h["Server"] = lighttpd
	h.Set("Date", v.At.UTC().Format(http.TimeFormat)) // the device's clock, right or wrong
	user, password := d.m.Credentials()
	g := digester{secret: d.seed}
	err := g.check(r.Header.Get("Authorization"), r.Method, r.RequestURI, user, password, v.At)
	switch {
	case err == nil:
		d.page(w, r, v, c)
	case errors.Is(err, errBadAuth) || errors.Is(err, errWrongURI):
		errorPage(w, http.StatusBadRequest)
	default:
		h["WWW-Authenticate"] = []string{g.challenge(v.At, errors.Is(err, errStale))}
		errorPage(w, http.StatusUnauthorized)
	}
}

var (
	lighttpd = []string{"lighttpd/1.4.32"}
	jsonType = []string{"application/json"}
	htmlType = []string{"text/html"}
)

// errorPage is lighttpd's own.
func errorPage(w http.ResponseWriter, code int) {
	t := strconv.Itoa(code) + " " + http.StatusText(code)
	w.Header()["Content-Type"] = htmlType
	w.WriteHeader(code)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="iso-8859-1"?>`+"\n"+ // the client may be gone
		`<html><head><title>`+t+`</title></head><body><h1>`+t+"</h1></body></html>\n")
}

// page answers a request whose sender knows the password.
func (d *device) page(w http.ResponseWriter, r *http.Request, v plant.View, c conf) {
	name, ok := strings.CutPrefix(r.URL.Path, "/cgi-bin/")
	if !ok {
		errorPage(w, http.StatusNotFound)
		return
	}
	var b []byte
	switch name {
	case "get_system_info.cgi":
		b = systemInfo(v)
	case "get_network_info.cgi":
		b = networkInfo(v)
	case "summary.cgi":
		b = webSummary(v)
	case "stats.cgi":
		b = webStats(v, "stats", c, false)
	case "pools.cgi":
		b = webPools(v)
	case "get_miner_conf.cgi":
		b = d.confReply(c)
	case "set_miner_conf.cgi":
		b = d.setConf(r)
	case "get_blink_status.cgi":
		b = []byte(`{ "blink": ` + strconv.FormatBool(v.LED) + " }\n")
	case "blink.cgi":
		b = d.setBlink(r)
	case "passwd.cgi":
		b = d.setPassword(r)
	case "reboot.cgi":
		if d.reboot() && d.abrupt {
			face.Vanish(w)
			return
		}
	default:
		errorPage(w, http.StatusNotFound)
		return
	}
	w.Header()["Content-Type"] = jsonType
	if !d.modern { // the scripts of old firmware never said what they print
		w.Header()["Content-Type"] = htmlType
	}
	_, _ = w.Write(b) // the client may be gone
}

// reboot says whether it does.
func (d *device) reboot() bool {
	if d.m.Refuses() {
		return false
	}
	d.m.Reboot()
	return true
}

// setConf answers set_miner_conf.cgi: it acknowledges what it stored, the reload follows.
func (d *device) setConf(r *http.Request) []byte {
	refused := []byte(`{"stats":"error","code":"M001","msg":"Illegal request!"}` + "\n")
	if r.Method != http.MethodPost {
		return refused
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxConf+1))
	if err != nil {
		return refused
	}
	c, err := parseConf(body)
	if err != nil || d.m.Refuses() {
		return refused
	}
	d.store(c)
	return []byte(`{"stats":"success","code":"M000","msg":"OK!"}` + "\n")
}

// setBlink answers blink.cgi: B000 is on, B100 is off.
func (d *device) setBlink(r *http.Request) []byte {
	bad := []byte(`{"stats":"error","code":"B001","msg":"Illegal request!"}` + "\n")
	body, err := io.ReadAll(io.LimitReader(r.Body, 256))
	if err != nil || r.Method != http.MethodPost {
		return bad
	}
	var p struct {
		Blink text `json:"blink"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		p.Blink = text(strings.TrimPrefix(string(body), "blink=")) // the old form
	}
	if p.Blink != "true" && p.Blink != "false" || d.m.Refuses() {
		return bad
	}
	d.m.SetLED(p.Blink == "true")
	if p.Blink == "true" {
		return []byte(`{"code":"B000"}` + "\n")
	}
	return []byte(`{"code":"B100"}` + "\n")
}

// setPassword answers passwd.cgi.
func (d *device) setPassword(r *http.Request) []byte {
	say := func(stats, code, msg string) []byte {
		return []byte(`{"stats":"` + stats + `","code":"` + code + `","msg":"` + msg + `"}` + "\n")
	}
	var p struct{ CurPwd, NewPwd, ConfirmPwd string }
	body, err := io.ReadAll(io.LimitReader(r.Body, 1024))
	_, password := d.m.Credentials()
	switch {
	case err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &p) != nil || d.m.Refuses():
		return say("error", "P003", "Illegal request!")
	case p.CurPwd != password:
		return say("error", "P001", "Current password invalid!")
	case p.NewPwd == "" || p.NewPwd != p.ConfirmPwd:
		return say("error", "P002", "New password not match!")
	}
	d.m.SetPassword(p.NewPwd)
	return say("success", "P000", "OK!")
}
