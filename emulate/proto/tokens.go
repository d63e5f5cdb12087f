package proto

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/fault"
)

const (
	accessLife  = 15 * time.Minute
	refreshLife = 24 * time.Hour
)

// tokens makes and checks tokens without keeping any: the signature tells.
type tokens struct {
	seed  uint64
	epoch int // of the password
}

func (k tokens) sign(head string) string {
	return fmt.Sprintf("%016x", fault.Hash(k.seed, fmt.Sprint(k.epoch, " ", head)))
}

// issue makes a token of a kind, "access" or "refresh".
func (k tokens) issue(kind string, until time.Time) string {
	b64 := base64.RawURLEncoding.EncodeToString
	head := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64(fmt.Appendf(nil, `{"sub":"%s","exp":%d}`, kind, until.Unix()))
	return head + "." + k.sign(head)
}

// good says whether the token is of that kind, of this password, and alive.
func (k tokens) good(kind, token string, now time.Time) bool {
	at := strings.LastIndexByte(token, '.')
	if at < 0 || k.sign(token[:at]) != token[at+1:] {
		return false
	}
	_, payload, _ := strings.Cut(token[:at], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	var exp int64
	if err != nil || !strings.HasPrefix(string(text), `{"sub":"`+kind+`"`) {
		return false
	}
	_, err = fmt.Sscanf(string(text), `{"sub":"`+kind+`","exp":%d}`, &exp)
	return err == nil && now.Unix() < exp
}
