package signaltest

import (
	"slices"
	"sync"
	"time"

	"switchyard/signal"
	"switchyard/site"
)

// Host is a made-up site: a signal.NodeHost that remembers what it was told.
type Host struct {
	mu      sync.Mutex
	meter   signal.Meter
	nodes   map[site.NodeID]signal.Meter
	updates []Put
	heard   []Heard
	ahead   time.Duration
}

// Put is an update and the machine time at which it came.
type Put struct {
	signal.Update
	Came time.Time
}

// Heard is a call of Heard.
type Heard struct {
	Source string
	At     time.Time
	Err    error
}

var _ signal.NodeHost = (*Host)(nil)

// Set changes the state of a node; the empty one is the connection.
func (h *Host) Set(node site.NodeID, m signal.Meter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if node == "" {
		h.meter = m
		return
	}
	if h.nodes == nil {
		h.nodes = map[site.NodeID]signal.Meter{}
	}
	h.nodes[node] = m
}

// Advance moves the site's clock ahead.
func (h *Host) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

// Put notes an update.
func (h *Host) Put(u signal.Update) {
	u.Signals, u.Problems = slices.Clone(u.Signals), slices.Clone(u.Problems)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.updates = append(h.updates, Put{u, time.Now()})
}

// Heard notes a sign of life, or that there is none.
func (h *Host) Heard(source string, t time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, Heard{source, t, err})
}

// Meter is the connection's state.
func (h *Host) Meter() signal.Meter {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.meter
}

// MeterOf is a node's state.
func (h *Host) MeterOf(node site.NodeID) (signal.Meter, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, ok := h.nodes[node]
	return m, ok
}

// Now is the site's time.
func (h *Host) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().UTC().Add(h.ahead)
}

// Updates are all updates so far.
func (h *Host) Updates() []Put {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.updates)
}

// Last is the newest update; zero before the first.
func (h *Host) Last() Put {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.updates) == 0 {
		return Put{}
	}
	return h.updates[len(h.updates)-1]
}

// Problems are the problems of all updates so far.
func (h *Host) Problems() (out []string) {
	for _, u := range h.Updates() {
		out = append(out, u.Problems...)
	}
	return out
}

// LastHeard is the newest sign of life or of its absence; zero before the first.
func (h *Host) LastHeard() Heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.heard) == 0 {
		return Heard{}
	}
	return h.heard[len(h.heard)-1]
}
