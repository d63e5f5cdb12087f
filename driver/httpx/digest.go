package httpx

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/icholy/digest"

	"switchyard/driver"
)

// Digest is HTTP digest authentication that keeps the device's last challenge and signs
// ahead with it, so that a request costs one exchange and not two. A device that wants a
// new nonce says so by a 401, which is answered once.
type Digest struct {
	User     string
	Password driver.Secret
	// Now is the clock that Age goes by; nil is the machine's.
	Now func() time.Time

	challenge *digest.Challenge
	count     int
	since     time.Time
}

// Age returns how long ago the device gave its challenge, or the longest time there is
// where it gave none. Small servers take a nonce for some minutes.
func (d *Digest) Age() time.Duration {
	if d.challenge == nil {
		return math.MaxInt64
	}
	return d.now().Sub(d.since)
}

func (d *Digest) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Forget drops the challenge: the next request costs two exchanges and brings in a new one.
func (d *Digest) Forget() { d.challenge, d.count = nil, 0 }

// Sign puts the credentials on, if there was a challenge before.
func (d *Digest) Sign(r *http.Request) error {
	if d.challenge == nil {
		return nil
	}
	d.count++
	if usual(d.challenge, d.User) {
		r.Header["Authorization"] = []string{string(d.answer(r.Method, r.URL.RequestURI()))}
		return nil
	}
	cred, err := digest.Digest(d.challenge, digest.Options{
		Method: r.Method, URI: r.URL.RequestURI(), GetBody: r.GetBody, Count: d.count,
		Username: d.User, Password: string(d.Password),
	})
	if err != nil {
		return fmt.Errorf("answer digest challenge: %w: %w", err, driver.ErrUnsupported)
	}
	r.Header.Set("Authorization", cred.String())
	return nil
}

// usual says whether a challenge is of the kind that nearly all devices send: MD5, with "auth"
// or without a quality of protection, and nothing that would have to be escaped.
func usual(c *digest.Challenge, user string) bool {
	for _, s := range []string{user, c.Realm, c.Nonce, c.Opaque} {
		if !plain(s, ' '-1) || strings.ContainsAny(s, `"\`) {
			return false
		}
	}
	return (c.Algorithm == "" || c.Algorithm == "MD5") && !c.Userhash && (len(c.QOP) == 0 || c.SupportsQOP("auth"))
}

// answer is what the library makes of a usual challenge, at a tenth of the cost: a signature
// is part of every exchange.
func (d *Digest) answer(method, uri string) []byte {
	c := d.challenge
	var parts [256]byte
	sum := func(texts ...string) (out [2 * md5.Size]byte) {
		b := parts[:0]
		for i, t := range texts {
			if i > 0 {
				b = append(b, ':')
			}
			b = append(b, t...)
		}
		digest := md5.Sum(b)
		hex.Encode(out[:], digest[:])
		return out
	}
	ha1 := sum(d.User, c.Realm, string(d.Password))
	ha2 := sum(method, uri)
	var response [2 * md5.Size]byte
	var nc [8]byte
	var cnonce [16]byte
	if len(c.QOP) == 0 {
		response = sum(string(ha1[:]), c.Nonce, string(ha2[:]))
	} else {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // it never fails
		hex.Encode(cnonce[:], raw[:])
		var count [4]byte
		binary.BigEndian.PutUint32(count[:], uint32(d.count)) //nolint:gosec // of requests
		hex.Encode(nc[:], count[:])
		response = sum(string(ha1[:]), c.Nonce, string(nc[:]), string(cnonce[:]), "auth", string(ha2[:]))
	}
	b := make([]byte, 0, 320)
	field := func(before, value, after string) { b = append(append(append(b, before...), value...), after...) }
	field(`Digest username="`, d.User, `"`)
	field(`, realm="`, c.Realm, `"`)
	field(`, nonce="`, c.Nonce, `"`)
	field(`, uri="`, uri, `"`)
	if c.Algorithm != "" {
		field(", algorithm=", c.Algorithm, "")
	}
	if len(c.QOP) > 0 {
		field(`, cnonce="`, string(cnonce[:]), `"`)
	}
	if c.Opaque != "" {
		field(`, opaque="`, c.Opaque, `"`)
	}
	if len(c.QOP) > 0 {
		field(", qop=auth, nc=", string(nc[:]), "")
	}
	field(`, response="`, string(response[:]), `"`) // some want it last
	return b
}

// Renew takes the challenge of a refused request.
func (d *Digest) Renew(_ context.Context, _ *Client, refused *http.Response) (bool, error) {
	ch, err := digest.FindChallenge(refused.Header)
	if errors.Is(err, digest.ErrNoChallenge) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read digest challenge: %w: %w", err, driver.ErrUnsupported)
	}
	d.challenge, d.count, d.since = ch, 0, d.now()
	return true, nil
}

// Token is a login token that the device wants raw, or behind a scheme, in the
// Authorization header. It is fetched at the first refusal and kept until the next.
type Token struct {
	// Scheme comes before the token, such as "Bearer "; empty for the raw token.
	Scheme string
	// Login fetches a token; its error wraps driver.ErrUnauthorized for wrong credentials.
	Login func(context.Context, *Client) (string, error)

	value string
}

// Known says whether there is a token.
func (t *Token) Known() bool { return t.value != "" }

// Fetch logs in now, ahead of a request.
func (t *Token) Fetch(ctx context.Context, c *Client) error {
	t.value = ""
	v, err := t.Login(ctx, c)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	t.value = v
	return nil
}

// Sign puts the token on, if there is one.
func (t *Token) Sign(r *http.Request) error {
	if t.value != "" {
		r.Header.Set("Authorization", t.Scheme+t.value)
	}
	return nil
}

// Renew logs in anew.
func (t *Token) Renew(ctx context.Context, c *Client, _ *http.Response) (bool, error) {
	return true, t.Fetch(ctx, c)
}
