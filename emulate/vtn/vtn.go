package vtn

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/emulate/fault"
)

// Object is a program, an event or whatever else a VTN keeps, as it is in JSON.
type Object = map[string]any

// Kind is the type of an object.
type Kind string

// The kinds, in the specification's words.
const (
	Program      Kind = "PROGRAM"
	Event        Kind = "EVENT"
	Report       Kind = "REPORT"
	Subscription Kind = "SUBSCRIPTION"
	VEN          Kind = "VEN"
	Resource     Kind = "RESOURCE"
)

// Client is somebody who may ask for a token.
type Client struct {
	ID, Secret string
	Business   bool // business logic, which may write programs and events; otherwise a VEN
}

// Config is what a VTN is made of.
type Config struct {
	Version   string        // "3.1" (default) or "3.0"
	Clients   []Client      // none: no token is asked for, and everybody is business logic
	TokenLife time.Duration // machine time; default an hour
	Clock     clock.Clock   // of the objects' stamps; nil: the machine's
	Challenge bool          // callback addresses must prove themselves (parameter echo)
	MQTT      string        // the address of a broker that GET /notifiers names; empty: none
	TokenURL  string        // what GET /auth/server names; empty: our own
	Seed      uint64        // of the faults
}

// Faults are how a VTN misbehaves. Chances are from 0 to 1.
type Faults struct {
	Late     time.Duration // every answer comes so much later, machine time
	Lost     float64       // a request is read and the connection closed
	Garbled  float64       // an answer is cut off or one of its bytes flipped
	Broken   float64       // 500 with a problem
	HTML     float64       // a page of a proxy, with status 200
	Spent    float64       // 401 though the token is good
	Unheard  float64       // a notification is not sent
	NoTokens bool          // no token is given: 500
}

// VTN is an emulated VTN. Its zero value is not usable; New makes one.
type VTN struct {
	cfg  Config
	old  bool
	dice *fault.Dice
	mux  *http.ServeMux

	mu     sync.Mutex
	store  store
	tokens map[string]grant
	serial int
	faults Faults
	calls  map[string]int

	notices chan notice
	stop    chan struct{}
	once    sync.Once
	workers sync.WaitGroup
}

// New returns a VTN without programs. Close ends its notifications.
func New(cfg Config) *VTN {
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	if cfg.TokenLife <= 0 {
		cfg.TokenLife = time.Hour
	}
	v := &VTN{
		cfg: cfg, old: strings.HasPrefix(cfg.Version, "3.0"), dice: fault.NewDice(cfg.Seed), mux: http.NewServeMux(),
		store: store{}, tokens: map[string]grant{}, calls: map[string]int{},
		notices: make(chan notice, maxNotices), stop: make(chan struct{}),
	}
	v.routes()
	v.workers.Add(1)
	go func() {
		defer v.workers.Done()
		v.notify()
	}()
	return v
}

// Close ends the notifications. The objects stay readable.
func (v *VTN) Close() error {
	v.once.Do(func() { close(v.stop) })
	v.workers.Wait()
	return nil
}

// Serve serves l until what it returns is closed, which closes the VTN too.
func (v *VTN) Serve(l net.Listener) io.Closer {
	srv := &http.Server{Handler: v, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	v.workers.Add(1)
	go func() {
		defer v.workers.Done()
		_ = srv.Serve(l) // it ends by being closed
	}()
	return closer{v, srv}
}

type closer struct {
	v   *VTN
	srv *http.Server
}

func (c closer) Close() error {
	err := c.srv.Close()
	if verr := c.v.Close(); err == nil {
		err = verr
	}
	return err
}

// Misbehave sets the faults from now on.
func (v *VTN) Misbehave(f Faults) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults = f
}

// Revoke makes all tokens that were given worthless.
func (v *VTN) Revoke() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.tokens)
}

// Calls is how often a method and path ("GET /events") was asked for.
func (v *VTN) Calls(what string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[what]
}

// Program returns the id of the program of a name, made with the given properties if there
// is none yet.
func (v *VTN) Program(name string, more Object) (string, error) {
	v.mu.Lock()
	for _, o := range v.store[Program] {
		if o["programName"] == name {
			v.mu.Unlock()
			return o["id"].(string), nil
		}
	}
	v.mu.Unlock()
	o := Object{"programName": name}
	for k, val := range more {
		o[k] = val
	}
	return v.add(Program, o)
}

// Push makes an event and notifies whoever subscribed. Without a programID it belongs to the
// program "demo", which is made if need be. The answer is the event's id.
func (v *VTN) Push(event Object) (string, error) {
	o := clone(event)
	if o["programID"] == nil {
		id, err := v.Program("demo", nil)
		if err != nil {
			return "", err
		}
		o["programID"] = id
	}
	return v.add(Event, o)
}

// Change replaces an event and notifies whoever subscribed.
func (v *VTN) Change(id string, event Object) error {
	o := clone(event)
	v.mu.Lock()
	defer v.mu.Unlock()
	was := v.store.get(Event, id)
	if was == nil {
		return fmt.Errorf("change event %s: there is none", id)
	}
	if o["programID"] == nil {
		o["programID"] = was["programID"]
	}
	if err := v.checkLocked(Event, o); err != nil {
		return fmt.Errorf("change event %s: %s", id, err.detail)
	}
	v.replaceLocked(Event, was, o)
	return nil
}

// Withdraw deletes an event and notifies whoever subscribed.
func (v *VTN) Withdraw(id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.store.get(Event, id)
	if o == nil {
		return fmt.Errorf("withdraw event %s: there is none", id)
	}
	v.removeLocked(Event, o)
	return nil
}

// Grant gives a VEN targets, as business logic does in 3.1: it then may read the programs and
// events that have them.
func (v *VTN) Grant(ven string, targets ...string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range v.store[VEN] {
		if o["venName"] == ven {
			given := make([]any, len(targets))
			for i, t := range targets {
				given[i] = t
			}
			n := clone(o)
			n["targets"] = given
			v.replaceLocked(VEN, o, n)
			return nil
		}
	}
	return fmt.Errorf("grant targets to VEN %s: there is none", ven)
}

// All returns copies of all objects of a kind, in the order in which they were made.
func (v *VTN) All(k Kind) []Object {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []Object
	for _, o := range v.store[k] {
		out = append(out, clone(o))
	}
	return out
}

func (v *VTN) add(k Kind, o Object) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkLocked(k, o); err != nil {
		return "", fmt.Errorf("add %s: %s", strings.ToLower(string(k)), err.detail)
	}
	return v.insertLocked(k, o, "")["id"].(string), nil
}
