// Package bmc owns the controller of an emulated GPU node as Redfish tells it: its power and
// energy, its switch, and the power limits of its GPUs.
//
// It answers while the node is off, and not while its feeder has no voltage. It never keeps more
// than a few sessions: the oldest ends for a new one, as real controllers do.
//
// Concurrency: a BMC is safe for concurrent use.
package bmc

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/gpus"
)

const (
	maxSessions = 16
	maxBody     = 64 << 10
	root        = "/redfish/v1"
)

// Options are what a controller is made of.
type Options struct {
	// User and Password let in; an empty User: nobody is asked.
	User, Password string
	// Slow is how long an answer takes while the fault bmc-slow is on, machine time; default 8s.
	Slow time.Duration
}

// BMC is a node's controller.
type BMC struct {
	node *gpus.Node
	o    Options

	mu       sync.Mutex
	sessions []session
	serial   int
}

type session struct{ id, token string }

// New returns the controller of a node, an http.Handler.
func New(n *gpus.Node, o Options) *BMC {
	if o.Slow <= 0 {
		o.Slow = 8 * time.Second
	}
	return &BMC{node: n, o: o}
}

type object = map[string]any

// ServeHTTP answers one request.
func (b *BMC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.node.State() == gpus.Dark {
		panic(http.ErrAbortHandler) // it has no voltage either
	}
	if b.node.Suffers(gpus.BMCSlow) {
		t := time.NewTimer(b.o.Slow)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("OData-Version", "4.0")
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == "/redfish":
		reply(w, http.StatusOK, object{"v1": root + "/"})
	case path == root && r.Method == http.MethodGet:
		reply(w, http.StatusOK, b.service())
	case path == root+"/SessionService/Sessions" && r.Method == http.MethodPost:
		b.login(w, r)
	case !b.known(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="bmc"`)
		refuse(w, http.StatusUnauthorized, "Base.1.13.NoValidSession", "There is no valid session established with the implementation.")
	default:
		b.serve(w, r, strings.TrimPrefix(path, root))
	}
}

func (b *BMC) serve(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		if o := b.resource(path); o != nil {
			o["@odata.id"] = root + path
			reply(w, http.StatusOK, o)
			return
		}
	case r.Method == http.MethodPost && path == "/Systems/1/Actions/ComputerSystem.Reset":
		b.reset(w, r)
		return
	case r.Method == http.MethodPatch && strings.HasPrefix(path, "/Systems/1/Processors/GPU_") && strings.HasSuffix(path, "/EnvironmentMetrics"):
		b.limit(w, r, path)
		return
	case r.Method == http.MethodDelete && strings.HasPrefix(path, "/SessionService/Sessions/"):
		b.logout(w, strings.TrimPrefix(path, "/SessionService/Sessions/"))
		return
	default:
		if b.resource(path) != nil {
			refuse(w, http.StatusMethodNotAllowed, "Base.1.13.OperationNotAllowed", "The HTTP method is not allowed on this resource.")
			return
		}
	}
	refuse(w, http.StatusNotFound, "Base.1.13.ResourceMissingAtURI", "The resource at the URI "+r.URL.Path+" was not found.")
}

func reply(w http.ResponseWriter, code int, o object) {
	data, err := json.Marshal(o)
	if err != nil {
		code, data = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(data) // the client may be gone
}

func refuse(w http.ResponseWriter, code int, id, text string) {
	reply(w, code, object{"error": object{
		"code": id, "message": text, "@Message.ExtendedInfo": []object{{"@odata.type": "#Message.v1_1_1.Message", "MessageId": id, "Message": text, "Severity": "Critical"}},
	}})
}

// read reads a request's body, which is JSON.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "Base.1.13.MalformedJSON", "The request body was malformed JSON or too long.")
	}
	return err == nil
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (b *BMC) right(user, password string) bool {
	return b.o.User == "" || same(user, b.o.User) && same(password, b.o.Password)
}

func (b *BMC) known(r *http.Request) bool {
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, s := range b.sessions {
			if same(s.token, token) {
				return true
			}
		}
		return false
	}
	user, password, _ := r.BasicAuth()
	return b.right(user, password)
}

func (b *BMC) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ UserName, Password string }
	if !read(w, r, &in) {
		return
	}
	if !b.right(in.UserName, in.Password) {
		refuse(w, http.StatusUnauthorized, "Base.1.13.NoValidSession", "The user name or password is wrong.")
		return
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // it does not fail
	b.mu.Lock()
	b.serial++
	s := session{strconv.Itoa(b.serial), hex.EncodeToString(raw[:])}
	b.sessions = append(b.sessions, s)
	if len(b.sessions) > maxSessions {
		b.sessions = b.sessions[1:]
	}
	b.mu.Unlock()
	at := root + "/SessionService/Sessions/" + s.id
	w.Header().Set("X-Auth-Token", s.token)
	w.Header().Set("Location", at)
	reply(w, http.StatusCreated, object{"@odata.id": at, "@odata.type": "#Session.v1_5_0.Session", "Id": s.id, "Name": "User Session", "UserName": in.UserName})
}

func (b *BMC) logout(w http.ResponseWriter, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, s := range b.sessions {
		if s.id == id {
			b.sessions = append(b.sessions[:i:i], b.sessions[i+1:]...)
			break
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// resets are the kinds of reset that the controller does.
func (b *BMC) resets() map[string]func() {
	n := b.node
	return map[string]func(){
		"On": n.PowerOn, "ForceOff": n.PowerOff, "GracefulShutdown": n.Shutdown, "GracefulRestart": n.Restart, "ForceRestart": n.ForceRestart,
	}
}

func (b *BMC) reset(w http.ResponseWriter, r *http.Request) {
	var in struct{ ResetType string }
	if !read(w, r, &in) {
		return
	}
	do := b.resets()[in.ResetType]
	if do == nil {
		refuse(w, http.StatusBadRequest, "Base.1.13.ActionParameterValueNotInList", "The value "+strconv.Quote(in.ResetType)+" for the parameter ResetType is not in the list of acceptable values.")
		return
	}
	do()
	w.WriteHeader(http.StatusNoContent)
}

// limit sets the power limit of a GPU.
func (b *BMC) limit(w http.ResponseWriter, r *http.Request, path string) {
	i, ok := gpuOf(path)
	g, err := b.node.GPU(i)
	if !ok || err != nil {
		refuse(w, http.StatusServiceUnavailable, "Base.1.13.ServiceTemporarilyUnavailable", "The GPU is not there or its host is not up.")
		return
	}
	var in struct {
		PowerLimitWatts *struct{ SetPoint *float64 }
	}
	if !read(w, r, &in) {
		return
	}
	if in.PowerLimitWatts == nil || in.PowerLimitWatts.SetPoint == nil {
		refuse(w, http.StatusBadRequest, "Base.1.13.PropertyMissing", "The property PowerLimitWatts/SetPoint is required.")
		return
	}
	set := *in.PowerLimitWatts.SetPoint
	if set < g.Least.Watts() || set > g.Most.Watts() {
		refuse(w, http.StatusBadRequest, "Base.1.13.PropertyValueOutOfRange", "The value for the property SetPoint is out of range.")
		return
	}
	if _, err := b.node.SetLimit(i, watts(set)); err != nil {
		refuse(w, http.StatusServiceUnavailable, "Base.1.13.ServiceTemporarilyUnavailable", err.Error())
		return
	}
	o := b.resource(path)
	o["@odata.id"] = root + path
	reply(w, http.StatusOK, o)
}

// gpuOf reads the number from a path with "GPU_3" in it.
func gpuOf(path string) (int, bool) {
	_, rest, ok := strings.Cut(path, "GPU_")
	num, _, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(num)
	return i, ok && err == nil
}
