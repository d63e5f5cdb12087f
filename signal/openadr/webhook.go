package openadr

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"switchyard/signal/openadr/event"
)

// The bounds of the listener for notifications.
const (
	maxNotice  = 1 << 20
	maxEcho    = 512
	maxNotices = 64 // waiting; when more come, everything is asked for instead
	hookTime   = 10 * time.Second
)

// notice is what a notification makes us ask for: one event, or everything.
type notice struct{ id string }

// hook listens for the VTN's notifications. What it is told it does not believe: it only
// passes on what is worth asking the VTN for. Its handler is safe for concurrent use.
type hook struct {
	token   [sha256.Size]byte
	notices chan notice
}

func newHook(token string) *hook {
	return &hook{token: sha256.Sum256([]byte(token)), notices: make(chan notice, maxNotices)}
}

// listen serves until ctx ends. It returns an error when it cannot listen.
func (h *hook) listen(ctx context.Context, address string) (done <-chan error, err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for notifications: %w", err)
	}
	srv := &http.Server{
		Handler: h, ReadTimeout: hookTime, ReadHeaderTimeout: hookTime, WriteTimeout: hookTime,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	ended := make(chan error, 1)
	go func() {
		err := srv.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		ended <- err
	}()
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // what is open is of no more use
	return ended, nil
}

// ServeHTTP answers the VTN's challenge and takes notifications.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet: // the VTN makes sure that the address is ours
		echo := r.URL.Query().Get("echo")
		if echo == "" || len(echo) > maxEcho {
			http.Error(w, "an echo parameter is missing", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, echo) // the VTN asks again if it is gone
	case http.MethodPost:
		h.post(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (h *hook) post(w http.ResponseWriter, r *http.Request) {
	kind, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(bearer)))
	if !strings.EqualFold(kind, "Bearer") || subtle.ConstantTimeCompare(given[:], h.token[:]) != 1 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the token is not the one that was agreed", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotice))
	if err != nil {
		http.Error(w, "the notification is too long or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	n, err := noticeOf(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.pass(n)
	w.WriteHeader(http.StatusOK)
}

// pass hands a notice on. When too many wait, they are dropped for one that asks for
// everything: nothing is missed.
func (h *hook) pass(n notice) {
	for range 2 * maxNotices {
		select {
		case h.notices <- n:
			return
		default:
		}
		select {
		case <-h.notices:
			n = notice{}
		default:
		}
	}
}

// noticeOf reads a notification as far as it is needed.
func noticeOf(body []byte) (notice, error) {
	var n struct {
		Type   string `json:"objectType"`
		Object struct {
			ID string `json:"id"`
		} `json:"object"`
	}
	if err := json.Unmarshal(event.Repair(body), &n); err != nil {
		return notice{}, errors.New("the notification does not read")
	}
	if n.Type == "EVENT" && event.ValidID(n.Object.ID) {
		return notice{id: n.Object.ID}, nil
	}
	return notice{}, nil
}
