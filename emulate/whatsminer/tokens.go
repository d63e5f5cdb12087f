package whatsminer

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"switchyard/emulate/fault"
)

const (
	// tokenLife is how long a token is good, device time.
	tokenLife = 30 * time.Minute
	// maxTokens is how many tokens one address may hold; further ones are refused.
	maxTokens = 32
	// maxClients is how many addresses may hold tokens; further ones are refused.
	maxClients = 16
)

// tokens are the signs that the device gave out, and the key that goes with its password.
type tokens struct {
	seed uint64
	salt string // of the password's hash; it stays

	mu       sync.Mutex
	password string // that key and box were made from
	key      string
	box      box
	given    int // numbers the salts
	clients  map[string][]token
}

type token struct {
	sign  string
	until time.Time
}

const saltAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func makeSalt(h uint64) string {
	b := make([]byte, 8)
	for i := range b {
		b[i] = saltAlphabet[h%uint64(len(saltAlphabet))]
		h /= uint64(len(saltAlphabet))
	}
	return string(b)
}

// unlock returns the cipher for the device's present password, made once per password.
func (k *tokens) unlock(password string) (box, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.box.block != nil && k.password == password {
		return k.box, nil
	}
	key := md5crypt(password, k.salt)
	b, err := newBox(key)
	if err != nil {
		return box{}, err
	}
	k.password, k.key, k.box = password, key, b
	k.clients = nil // a changed password ends what was given out under the old one
	return b, nil
}

// grant is what get_token gives: the device's salt, a new one, and the last four digits
// of the time, from which both sides make the sign.
type grant struct{ time, salt, newSalt string }

// give makes a token for the client at an address; false when it holds too many.
func (k *tokens) give(client, password string, now time.Time) (grant, bool) {
	if _, err := k.unlock(password); err != nil {
		return grant{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prune(now)
	held := k.clients[client]
	if len(held) >= maxTokens || (len(held) == 0 && len(k.clients) >= maxClients) {
		return grant{}, false
	}
	k.given++
	g := grant{
		time: fmt.Sprintf("%04d", now.Unix()%10000), salt: k.salt,
		newSalt: makeSalt(fault.Hash(k.seed, "newsalt "+strconv.Itoa(k.given))),
	}
	if k.clients == nil {
		k.clients = map[string][]token{}
	}
	k.clients[client] = append(held, token{md5crypt(k.key+g.time, g.newSalt), now.Add(tokenLife)})
	return g, true
}

// prune forgets tokens that are too old. The caller holds the lock.
func (k *tokens) prune(now time.Time) {
	for client, held := range k.clients {
		n := 0
		for _, t := range held {
			if now.Before(t.until) {
				held[n] = t
				n++
			}
		}
		if k.clients[client] = held[:n]; n == 0 {
			delete(k.clients, client)
		}
	}
}

// good says whether the client holds the token and it lives.
func (k *tokens) good(client, sign string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.clients[client] {
		if t.sign == sign && now.Before(t.until) {
			return true
		}
	}
	return false
}

// forget drops all tokens, as a restart does.
func (k *tokens) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clients = nil
}
