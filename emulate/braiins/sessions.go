package braiins

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"switchyard/emulate/fault"
)

const (
	// tokenIdle is how long a token lives after its last use, device time.
	tokenIdle = 3600 * time.Second
	// maxSessions is how many tokens live at a time; the one least recently used makes room.
	maxSessions = 16
)

// sessions are the tokens of logged-in clients.
type sessions struct {
	seed uint64

	mu    sync.Mutex
	given int
	list  []session // the most recently used last
}

type session struct {
	token string
	used  time.Time
}

// open makes a token.
func (s *sessions) open(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
	n := strconv.Itoa(s.given)
	token := fmt.Sprintf("%016x%016x", fault.Hash(s.seed, "token "+n), fault.Hash(s.seed, "token too "+n))
	if len(s.list) >= maxSessions {
		s.list = append(s.list[:0], s.list[1:]...)
	}
	s.list = append(s.list, session{token, now})
	return token
}

// good says whether the token lives, and counts it as used.
func (s *sessions) good(token string, now time.Time) bool {
	if token == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.list {
		if one.token != token {
			continue
		}
		s.list = append(s.list[:i], s.list[i+1:]...)
		if now.Sub(one.used) >= tokenIdle {
			return false
		}
		s.list = append(s.list, session{token, now})
		return true
	}
	return false
}

// forget drops all tokens, as a restart does.
func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}
