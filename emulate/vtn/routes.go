package vtn

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody = 1 << 20
	maxPage = 50
)

// ServeHTTP answers below any prefix: ".../events" as well as "/events".
func (v *VTN) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	for _, root := range []string{"/programs", "/reports", "/events", "/subscriptions", "/vens", "/resources", "/auth/", "/notifiers"} {
		if i := strings.Index(path+"/", root+"/"); i >= 0 && root != "/auth/" {
			path = path[i:]
			break
		}
		if i := strings.Index(path, root); i >= 0 {
			path = path[i:]
			break
		}
	}
	v.mu.Lock()
	f := v.faults
	v.calls[r.Method+" "+path]++
	v.mu.Unlock()
	if f.Late > 0 {
		time.Sleep(f.Late)
	}
	switch {
	case f.Lost > 0 && v.dice.Hit(f.Lost):
		panic(http.ErrAbortHandler)
	case f.HTML > 0 && v.dice.Hit(f.HTML):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title><p>The gateway wants you to sign in.</p>") // the client may be gone
		return
	case f.Broken > 0 && v.dice.Hit(f.Broken):
		(&problem{http.StatusInternalServerError, "the database is away"}).answer(w)
		return
	}
	in := r.Clone(r.Context())
	in.URL.Path = path
	if r.URL.Path != path && strings.HasPrefix(path, "/auth/") {
		in.Host = r.Host + strings.TrimSuffix(r.URL.Path, path)
	}
	if f.Garbled > 0 && v.dice.Hit(f.Garbled) {
		v.garble(w, in)
		return
	}
	v.mux.ServeHTTP(w, in)
}

// garble answers with bytes that are cut off or of which one is wrong.
func (v *VTN) garble(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	v.mux.ServeHTTP(rec, r)
	b := rec.Body.Bytes()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rec.Code)
	if len(b) > 1 {
		if at := v.dice.Below(len(b)); v.dice.Hit(0.5) {
			b = b[:at]
		} else {
			b[at] ^= 0x15
		}
	}
	_, _ = w.Write(b) // the client may be gone
}

func (v *VTN) routes() {
	kinds := map[string]Kind{"programs": Program, "reports": Report, "events": Event, "subscriptions": Subscription, "vens": VEN, "resources": Resource}
	for path, k := range kinds {
		if v.old && k == Resource {
			path = "vens/{ven}/resources"
		}
		v.mux.HandleFunc("GET /"+path, v.known(func(w http.ResponseWriter, r *http.Request, c Client) { v.list(w, r, k, c) }))
		v.mux.HandleFunc("POST /"+path, v.known(func(w http.ResponseWriter, r *http.Request, c Client) { v.create(w, r, k, c) }))
		v.mux.HandleFunc("/"+path+"/{id}", v.known(func(w http.ResponseWriter, r *http.Request, c Client) { v.one(w, r, k, c) }))
	}
	v.mux.HandleFunc("POST /auth/token", v.serveToken)
	if !v.old {
		v.mux.HandleFunc("GET /auth/server", v.serveServer)
		v.mux.HandleFunc("GET /notifiers", v.known(v.serveNotifiers))
	}
	v.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&problem{http.StatusNotFound, "there is no " + r.URL.Path}).answer(w)
	})
}

// known lets those in who have a token.
func (v *VTN) known(h func(http.ResponseWriter, *http.Request, Client)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, ok := v.who(r)
		if !ok {
			status := http.StatusUnauthorized
			if v.old { // whose interface knows no 401
				status = http.StatusForbidden
			}
			(&problem{status, "the token is missing, unknown or spent"}).answer(w)
			return
		}
		h(w, r, c)
	}
}

func (v *VTN) serveNotifiers(w http.ResponseWriter, _ *http.Request, _ Client) {
	out := Object{"WEBHOOK": true}
	if v.cfg.MQTT != "" {
		out["MQTT"] = Object{"URIS": []string{v.cfg.MQTT}, "serialization": "JSON", "authentication": Object{"method": "ANONYMOUS"}}
	}
	answer(w, http.StatusOK, out)
}

// page reads skip and limit.
func page(q url.Values) (skip, limit int, err *problem) {
	limit = maxPage
	for name, to := range map[string]*int{"skip": &skip, "limit": &limit} {
		if s := q.Get(name); s != "" {
			n, perr := strconv.Atoi(s)
			if perr != nil || n < 0 || name == "limit" && n > maxPage {
				return 0, 0, bad("%s %q is out of range", name, s)
			}
			*to = n
		}
	}
	return skip, limit, nil
}

func (v *VTN) list(w http.ResponseWriter, r *http.Request, k Kind, c Client) {
	q := r.URL.Query()
	skip, limit, err := page(q)
	if err != nil {
		err.answer(w)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if ven := r.PathValue("ven"); ven != "" {
		if v.store.get(VEN, ven) == nil {
			(&problem{http.StatusNotFound, "there is no such ven"}).answer(w)
			return
		}
		q.Set("venID", ven)
	}
	out := []Object{}
	for _, o := range v.store[k] {
		seen, ok := v.see(k, o, c, q)
		if !ok || !v.filter(k, o, q) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(out) == limit {
			break
		}
		out = append(out, seen)
	}
	answer(w, http.StatusOK, out)
}

// filter applies the query's own terms, all of which must match.
func (v *VTN) filter(k Kind, o Object, q url.Values) bool {
	for _, name := range []string{"programID", "eventID", "clientName", "venName", "resourceName", "venID"} {
		if s := q.Get(name); s != "" && o[name] != s {
			return false
		}
	}
	if objects := q["objects"]; k == Subscription && len(objects) > 0 {
		found := slices.ContainsFunc(asList(o["objectOperations"]), func(x any) bool {
			m, _ := x.(map[string]any)
			return slices.ContainsFunc(texts(m["objects"]), func(s string) bool { return slices.Contains(objects, s) })
		})
		if !found {
			return false
		}
	}
	if kind := q.Get("targetType"); v.old && kind != "" && !matches(o, kind, q["targetValues"]) {
		return false
	}
	active := k == Event && !v.old && q.Get("active") == "true"
	return !active || !transpired(o, v.cfg.Clock.Now())
}

// see says whether a client may read an object, and what it sees of it. In 3.1 a VEN reads its
// own objects, and programs and events whose targets it was granted and asks for.
func (v *VTN) see(k Kind, o Object, c Client, q url.Values) (Object, bool) {
	if v.old || c.Business {
		return o, true
	}
	if k != Program && k != Event {
		return o, o["clientID"] == c.ID
	}
	if len(asList(o["targets"])) == 0 {
		return o, true
	}
	granted := v.granted(c.ID)
	var shown []any
	for _, t := range texts(o["targets"]) {
		if slices.Contains(q["targets"], t) && slices.Contains(granted, t) {
			shown = append(shown, t)
		}
	}
	if len(shown) == 0 {
		return nil, false
	}
	n := clone(o)
	n["targets"] = shown
	return n, true
}

// granted are the targets of a client's VENs and of their resources.
func (v *VTN) granted(client string) []string {
	var out []string
	for _, k := range []Kind{VEN, Resource} {
		for _, o := range v.store[k] {
			if o["clientID"] == client {
				out = append(out, texts(o["targets"])...)
			}
		}
	}
	return out
}

// may says whether a client may write an object of a kind.
func (v *VTN) may(k Kind, c Client) *problem {
	if (k == Program || k == Event) && !c.Business {
		return &problem{http.StatusForbidden, fmt.Sprintf("only business logic writes a %s", k)}
	}
	return nil
}

// read reads and checks a request's body.
func (v *VTN) read(w http.ResponseWriter, r *http.Request, k Kind, c Client) (Object, *problem) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, bad("the body is too long or broke off")
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return nil, bad("the body is not of type application/json")
	}
	o, err := decode(b)
	if err != nil {
		return nil, bad("the body does not read: %v", err)
	}
	if !v.old && (k == VEN || k == Resource) {
		want := fmt.Sprintf("VEN_%s_REQUEST", k)
		if c.Business {
			want = fmt.Sprintf("BL_%s_REQUEST", k)
		}
		if o["objectType"] != want && len(v.cfg.Clients) > 0 {
			return nil, bad("objectType must be %s", want)
		}
		if !c.Business {
			delete(o, "targets") // only business logic grants them
		}
	}
	if !c.Business {
		delete(o, "clientID")
	}
	delete(o, "id")
	if ven := r.PathValue("ven"); ven != "" {
		o["venID"] = ven
	}
	return o, nil
}

func (v *VTN) create(w http.ResponseWriter, r *http.Request, k Kind, c Client) {
	o, err := v.read(w, r, k, c)
	if err == nil {
		err = v.may(k, c)
	}
	if err == nil && k == Subscription && v.cfg.Challenge {
		err = v.challenge(r.Context(), o)
	}
	if err != nil {
		err.answer(w)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.store[k]) >= maxObjects {
		(&problem{http.StatusInternalServerError, "the emulated VTN is full"}).answer(w)
		return
	}
	if err := v.checkLocked(k, o); err != nil {
		err.answer(w)
		return
	}
	id := c.ID
	if s, ok := o["clientID"].(string); ok {
		id = s
	}
	answer(w, http.StatusCreated, v.insertLocked(k, o, id))
}

// one serves GET, PUT and DELETE of one object.
func (v *VTN) one(w http.ResponseWriter, r *http.Request, k Kind, c Client) {
	var body Object
	var err *problem
	if r.Method == http.MethodPut {
		if body, err = v.read(w, r, k, c); err == nil && k == Subscription && v.cfg.Challenge {
			err = v.challenge(r.Context(), body)
		}
	}
	if err == nil && r.Method != http.MethodGet {
		err = v.may(k, c)
	}
	if err != nil {
		err.answer(w)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.store.get(k, r.PathValue("id"))
	var seen Object
	ok := o != nil
	if ok {
		// A single object's address carries no targets: what was granted is enough.
		seen, ok = v.see(k, o, c, url.Values{"targets": v.granted(c.ID)})
	}
	if !ok {
		(&problem{http.StatusNotFound, fmt.Sprintf("there is no %s %s", k, r.PathValue("id"))}).answer(w)
		return
	}
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, seen)
	case http.MethodPut:
		body["id"] = o["id"]
		if err := v.checkLocked(k, body); err != nil {
			err.answer(w)
			return
		}
		v.replaceLocked(k, o, body)
		answer(w, http.StatusOK, body)
	case http.MethodDelete:
		v.removeLocked(k, o)
		answer(w, http.StatusOK, o)
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		(&problem{http.StatusMethodNotAllowed, r.Method + " is not"}).answer(w)
	}
}
