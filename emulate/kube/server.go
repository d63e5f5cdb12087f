package kube

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/clock"
	"switchyard/emulate/fault"
)

// maxBody bounds the body of a request in bytes, as the API server does.
const maxBody = 3 << 20

// Config is what a server is made of.
type Config struct {
	// Clock is of the objects' times and the tokens' ends; nil: the machine's.
	Clock clock.Clock
	// Tokens are the bearer tokens and until when they hold, site time; a zero time: for ever.
	// No tokens: nobody is asked for one.
	Tokens map[string]time.Time
	// Kueue are the versions in which Kueue's objects are served, the preferred one first; nil:
	// v1beta2 and v1beta1, as Kueue 0.15 to 0.19 serve them; empty: there is no Kueue. Of any
	// other version only the discovery tells.
	Kueue []string
	Seed  uint64 // of the faults
	Log   *slog.Logger
}

// Faults are how a server misbehaves. Chances are from 0 to 1; times are the machine's.
type Faults struct {
	Late   time.Duration // every answer comes so much later
	Hang   bool          // no answer comes, and watches fall silent
	Broken float64       // 500
	Busy   float64       // 429 with a second to wait
	Lost   float64       // the connection closes without an answer
}

// Server is an emulated API server. Its zero value is not usable; New makes one.
type Server struct {
	cfg   Config
	store *Store
	dice  *fault.Dice
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu     sync.Mutex
	tokens map[string]time.Time
	faults Faults
	hung   chan struct{} // closed when a hang ends
	// regroup is closed when the versions of Kueue change.
	regroup chan struct{}
	calls   map[string]int
}

// New returns a server without objects but the namespace default.
func New(cfg Config) *Server {
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Kueue == nil {
		cfg.Kueue = []string{newer, kept}
	}
	s := &Server{
		cfg: cfg, store: newStore(cfg.Clock.Now), dice: fault.NewDice(fault.Hash(cfg.Seed, "api server")), stop: make(chan struct{}),
		tokens: map[string]time.Time{}, hung: make(chan struct{}), regroup: make(chan struct{}), calls: map[string]int{},
	}
	for t, until := range cfg.Tokens {
		s.tokens[t] = until
	}
	ns := s.store.Namespaces.make()
	ns.SetName("default")
	if _, err := s.store.Create(s.store.Namespaces, ns); err != nil {
		cfg.Log.Error("the namespace default cannot be made", "reason", err.Error())
	}
	return s
}

// Store returns what the server keeps.
func (s *Server) Store() *Store { return s.store }

// Misbehave sets the faults from now on.
func (s *Server) Misbehave(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.Hang && !f.Hang {
		close(s.hung)
		s.hung = make(chan struct{})
	}
	s.faults = f
}

// Token lets a bearer token in until a site time (zero: for ever); the past takes it back. From
// the first token on nobody is let in without one.
func (s *Server) Token(token string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = until
}

// Calls is how often a verb and resource ("PATCH jobs") was asked for, refusals counted too.
func (s *Server) Calls(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[what]
}

// Close ends all watches. The store stays readable.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.wg.Wait()
	return nil
}

// Serve serves l, with TLS where a configuration is given, until what it returns is closed, which
// closes the server too.
func (s *Server) Serve(l net.Listener, secure *tls.Config) io.Closer {
	srv := &http.Server{
		Handler: s, TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	s.wg.Go(func() {
		if secure != nil {
			_ = srv.ServeTLS(l, "", "") // it ends by being closed
			return
		}
		_ = srv.Serve(l) // the same
	})
	return closer{s, srv}
}

type closer struct {
	s   *Server
	srv *http.Server
}

func (c closer) Close() error {
	c.s.once.Do(func() { close(c.s.stop) })
	err := c.srv.Close()
	_ = c.s.Close() // it has no error of its own
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Clock.Now().UTC().Format(http.TimeFormat)) // the clock it goes by
	if !s.misbehaves(w, r) {
		return
	}
	if !s.known(r) {
		fail(w, &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 401, Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized"}})
		return
	}
	if !acceptable(r) {
		fail(w, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: 406, Reason: metav1.StatusReasonNotAcceptable, Message: "only the following media types are accepted: application/json",
		}})
		return
	}
	if s.discover(w, r) {
		return
	}
	t, ok := s.target(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	verb := r.Method
	if verb == http.MethodGet && r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1" {
		verb = "WATCH"
	}
	s.mu.Lock()
	s.calls[verb+" "+t.res.Name]++
	s.mu.Unlock()
	s.serve(w, r, verb, t)
}

// misbehaves acts the faults out and says whether an answer is still to come.
func (s *Server) misbehaves(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	f, hung := s.faults, s.hung
	s.mu.Unlock()
	if f.Hang {
		select {
		case <-hung:
		case <-r.Context().Done():
			return false
		case <-s.stop:
			return false
		}
	}
	if f.Late > 0 {
		t := time.NewTimer(f.Late)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return false
		case <-s.stop:
			return false
		}
	}
	switch {
	case f.Lost > 0 && s.dice.Hit(f.Lost):
		panic(http.ErrAbortHandler) // net/http's way to close without a word
	case f.Broken > 0 && s.dice.Hit(f.Broken):
		fail(w, apierrors.NewInternalError(io.ErrUnexpectedEOF))
		return false
	case f.Busy > 0 && s.dice.Hit(f.Busy):
		w.Header().Set("Retry-After", "1")
		fail(w, apierrors.NewTooManyRequests("the server has received too many requests and has asked us to try again later", 1))
		return false
	}
	return true
}

func (s *Server) known(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) == 0 {
		return true
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	until, has := s.tokens[token]
	return ok && has && (until.IsZero() || s.cfg.Clock.Now().Before(until))
}

// acceptable says whether JSON will do for an answer.
func acceptable(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return accept == "" || strings.Contains(accept, "application/json") || strings.Contains(accept, "*/*") || strings.Contains(accept, "application/*")
}

// target is what a path names.
type target struct {
	res           *Resource
	version       string // in which it is asked for
	ns, name, sub string
}

// target reads a path: /api/v1/… or /apis/GROUP/VERSION/…, then [namespaces/NS/]RESOURCE[/NAME[/SUB]].
func (s *Server) target(path string) (target, bool) {
	p := strings.Split(strings.Trim(path, "/"), "/")
	var group, version string
	switch {
	case len(p) >= 3 && p[0] == "api":
		version, p = p[1], p[2:]
	case len(p) >= 4 && p[0] == "apis":
		group, version, p = p[1], p[2], p[3:]
	default:
		return target{}, false
	}
	t := target{version: version}
	if p[0] == "namespaces" && len(p) >= 3 && p[2] != "status" && p[2] != "finalize" {
		t.ns, p = p[1], p[2:]
	}
	if len(p) > 3 {
		return target{}, false
	}
	for _, r := range s.store.all() {
		if r.Group == group && r.Name == p[0] && s.serves(r, version) {
			t.res = r
		}
	}
	if t.res == nil {
		return target{}, false
	}
	if len(p) > 1 {
		t.name = p[1]
	}
	if len(p) > 2 {
		t.sub = p[2]
	}
	if t.ns != "" && !t.res.Namespaced || t.ns == "" && t.res.Namespaced && t.name != "" {
		return target{}, false
	}
	return t, t.sub == "" || t.sub == "status" && t.res.status || t.sub == "eviction" && t.res == s.store.Pods
}

// fail answers with an error in the API's form.
func fail(w http.ResponseWriter, err error) {
	st := apierrors.NewInternalError(err).Status()
	if known, ok := err.(apierrors.APIStatus); ok { //nolint:errorlint // they are made here, unwrapped
		st = known.Status()
	}
	st.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	b, _ := json.Marshal(st) // plain data
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(max(st.Code, 400)))
	_, _ = w.Write(b) // the client may be gone
}

func answer(w http.ResponseWriter, code int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client may be gone
}

// body reads a request's body, and its media type without parameters.
func body(w http.ResponseWriter, r *http.Request) ([]byte, string, error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	var b bytes.Buffer
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return nil, "", apierrors.NewRequestEntityTooLargeError("limit is " + strconv.Itoa(maxBody))
	}
	return b.Bytes(), strings.TrimSpace(media), nil
}
