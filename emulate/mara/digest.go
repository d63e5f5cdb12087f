package mara

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

const (
	realm = "MaraFW"
	// nonceLife is how long a nonce is good, device time.
	nonceLife = 10 * time.Minute
	// maxAuth bounds the Authorization header.
	maxAuth = 2 << 10
)

func md5hex(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
}

// nonce makes a nonce for the device time at, in seconds: it carries its time and a hash.
func (d *device) nonce(at int64) string {
	n := strconv.FormatInt(at, 16)
	return n + md5hex(n, strconv.FormatUint(d.seed, 16))
}

// challenge is the WWW-Authenticate header.
func (d *device) challenge(now time.Time) string {
	return `Digest realm="` + realm + `", nonce="` + d.nonce(now.Unix()) + `", algorithm=MD5, qop="auth"`
}

// fresh says whether the nonce is ours and young enough.
func (d *device) fresh(nonce string, now time.Time) bool {
	if len(nonce) <= 2*md5.Size {
		return false
	}
	sec, err := strconv.ParseInt(nonce[:len(nonce)-2*md5.Size], 16, 64)
	age := now.Sub(time.Unix(sec, 0))
	return err == nil && d.nonce(sec) == nonce && age <= nonceLife && age >= -nonceLife
}

// proven says whether the header proves that the client knows the password.
func (d *device) proven(header, method, uri string, now time.Time) bool {
	p := parseDigest(header)
	user, password := d.m.Credentials()
	if p["username"] != user || p["realm"] != realm || p["uri"] != uri || p["qop"] != "auth" || !d.fresh(p["nonce"], now) {
		return false
	}
	want := md5hex(md5hex(user, realm, password), p["nonce"], p["nc"], p["cnonce"], p["qop"], md5hex(method, uri))
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p["response"]))) == 1
}

// parseDigest reads `Digest name=value, name="value"`. What is malformed ends it: what is
// missing then proves nothing.
func parseDigest(header string) map[string]string {
	scheme, rest, _ := strings.Cut(header, " ")
	if len(header) > maxAuth || !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	p := map[string]string{}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return p
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(after, `"`); isQuoted {
			value, rest, _ = strings.Cut(quoted, `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		p[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return p
}
