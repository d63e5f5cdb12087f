package antminer

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

const (
	realm = "antMiner Configuration"
	// nonceLife is how long a nonce is good, device time; lighttpd's ten minutes.
	nonceLife = 10 * time.Minute
	// maxAuth bounds the Authorization header.
	maxAuth = 2 << 10
)

var (
	errNoAuth   = errors.New("no digest authorization")
	errBadAuth  = errors.New("malformed digest authorization")
	errRefused  = errors.New("wrong digest")
	errStale    = errors.New("stale nonce")
	errWrongURI = errors.New("digest of another address")
)

// digester checks digests as lighttpd's mod_auth does: the nonce carries its time and a
// hash, so nothing is kept per client, and the count of its uses is not looked at.
type digester struct {
	secret uint64
}

func md5hex(parts ...string) string {
	var stack [256]byte
	b := stack[:0]
	for i, p := range parts {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, p...)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// nonce makes a nonce for the device time now.
func (g digester) nonce(now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 16)
	return at + ":" + md5hex(at, strconv.FormatUint(g.secret, 16))
}

// challenge is the WWW-Authenticate header.
func (g digester) challenge(now time.Time, stale bool) string {
	s := `Digest realm="` + realm + `", nonce="` + g.nonce(now) + `", qop="auth"`
	if stale {
		s += ", stale=true"
	}
	return s
}

// check says whether the header proves that the client knows the password: nil when it does.
func (g digester) check(header, method, uri, user, password string, now time.Time) error {
	if header == "" {
		return errNoAuth
	}
	p, err := parseDigest(header)
	if err != nil {
		return err
	}
	if p.uri != uri {
		return errWrongURI
	}
	if p.realm != realm || p.user != user || (p.algorithm != "" && !strings.EqualFold(p.algorithm, "MD5")) {
		return errRefused
	}
	ha1, ha2 := md5hex(user, realm, password), md5hex(method, p.uri)
	want := md5hex(ha1, p.nonce, ha2) // without qop: the old form of RFC 2069
	if p.qop != "" {
		want = md5hex(ha1, p.nonce, p.nc, p.cnonce, p.qop, ha2)
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p.response))) != 1 {
		return errRefused
	}
	return g.fresh(p.nonce, now)
}

// fresh says whether the nonce is ours and young enough.
func (g digester) fresh(nonce string, now time.Time) error {
	at, _, _ := strings.Cut(nonce, ":")
	sec, err := strconv.ParseInt(at, 16, 64)
	if err != nil {
		return errStale
	}
	made := time.Unix(sec, 0)
	if g.nonce(made) != nonce || now.Sub(made) > nonceLife || made.Sub(now) > nonceLife {
		return errStale
	}
	return nil
}

// digest is a parsed Authorization header.
type digest struct {
	user, realm, nonce, uri, algorithm, qop, nc, cnonce, response string
}

// parseDigest reads `Digest name=value, name="value"`.
func parseDigest(header string) (digest, error) {
	var d digest
	scheme, rest, _ := strings.Cut(header, " ")
	if len(header) > maxAuth || !strings.EqualFold(scheme, "Digest") {
		return d, errNoAuth
	}
	for rest = strings.TrimLeft(rest, " ,"); rest != ""; rest = strings.TrimLeft(rest, " ,") {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return d, errBadAuth
		}
		value, left, err := cutValue(after)
		if err != nil {
			return d, err
		}
		d.set(strings.ToLower(strings.TrimSpace(name)), value)
		rest = left
	}
	if d.user == "" || d.nonce == "" || d.uri == "" || len(d.response) != 32 {
		return d, errBadAuth
	}
	if d.qop != "" && (d.qop != "auth" || d.nc == "" || d.cnonce == "") {
		return d, errBadAuth
	}
	return d, nil
}

// cutValue takes a token or a quoted string off the front of s.
func cutValue(s string) (value, rest string, err error) {
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexAny(s, ", "); i >= 0 {
			return s[:i], s[i:], nil
		}
		return s, "", nil
	}
	if end := strings.IndexAny(s[1:], `"\\`); end >= 0 && s[1+end] == '"' {
		return s[1 : 1+end], s[2+end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errBadAuth
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", errBadAuth
}

func (d *digest) set(name, value string) {
	switch name {
	case "username":
		d.user = value
	case "realm":
		d.realm = value
	case "nonce":
		d.nonce = value
	case "uri":
		d.uri = value
	case "algorithm":
		d.algorithm = value
	case "qop":
		d.qop = value
	case "nc":
		d.nc = value
	case "cnonce":
		d.cnonce = value
	case "response":
		d.response = value
	}
}
