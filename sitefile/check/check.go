// Package check owns the plain checks that the parts of the site file share: a key that must be
// there, a word of a list, a figure within its range, a secret that is only referred to.
//
// It never opens a file or a connection and never shows a secret; what is wrong it tells a
// Reporter, which knows lines and keeps the faults.
//
// Concurrency: all functions are pure but for what they tell the Reporter.
package check

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// Reporter is told what is wrong, by the path of the key. It says nothing about a key that
// already has a fault, so that one slip gives one line.
type Reporter interface {
	// Has says whether the file has the key.
	Has(path string) bool
	Fault(path, suggestion, format string, args ...any)
	Warn(path, suggestion, format string, args ...any)
	// File reports a fault where the path p is no file that can be read.
	File(path, p string)
	// Node reports a fault, and returns false, where there is no node called id.
	Node(path, id string) bool
}

// Check tells To what is wrong.
type Check struct{ To Reporter }

// Credentials are references ("env:NAME", "file:PATH"), never the secrets themselves. A
// user's name is no secret and may also stand there plainly.
type Credentials struct {
	User     string `yaml:"user"`
	Password string `yaml:"password"`
}

// IsReference says whether a text refers to a secret, "env:NAME" or "file:PATH".
func IsReference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

// Or sets *v to value where the file has no key at path; a written zero stays, for the checks
// to judge.
func Or[T any](file interface{ Has(path string) bool }, path string, v *T, value T) {
	if !file.Has(path) {
		*v = value
	}
}

// Need says that the key must be there; false if it is not.
func (c Check) Need(path, suggestion string) bool {
	if c.To.Has(path) {
		return true
	}
	c.To.Fault(path, suggestion, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
	return false
}

// OneOf says that the value must be one of the allowed words; false if it is not.
func (c Check) OneOf(path, what, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	c.To.Fault(path, strictyaml.Suggest(value, allowed), "unknown %s %q", what, value)
	return false
}

// Quantity is what has a range.
type Quantity interface {
	int | float64 | time.Duration | unit.Power | unit.Money | unit.Price | unit.Ratio
}

// Between says that the quantity must lie in the closed range.
func Between[T Quantity](c Check, path string, v, low, high T) {
	if v < low || v > high {
		c.To.Fault(path, "it can be from "+plain(low)+" to "+plain(high), "%s is out of range", plain(v))
	}
}

// WhenSet is Between for a key that may be left out.
func WhenSet[T Quantity](c Check, path string, v, low, high T) {
	if c.To.Has(path) {
		Between(c, path, v, low, high)
	}
}

func plain(v any) string {
	if d, ok := v.(time.Duration); ok {
		return strictyaml.Duration(d)
	}
	return fmt.Sprint(v)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

// ID says that the key must be there and hold what can be an id; false if it does not.
func (c Check) ID(path, id string) bool {
	if !c.Need(path, `name it, with letters, digits, "-", "_" and "."`) {
		return false
	}
	if !idForm.MatchString(id) {
		c.To.Fault(path, `use at most 48 letters, digits, "-", "_" and "."`, "%q cannot be an id", id)
		return false
	}
	return true
}

// URL says that the text must be an address of HTTP without a password in it.
func (c Check) URL(path, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.To.Fault(path, `write it like "https://prices.example/now.json"`, "%q is not an HTTP address", s)
		return
	}
	if _, secret := u.User.Password(); secret {
		c.To.Fault(path, "take it out of the address", "a password stands in the address")
	}
}

// Credentials says that a password must be a reference and that a user has one.
func (c Check) Credentials(path string, k *Credentials) {
	if k == nil {
		return
	}
	c.Reference(path+".password", k.Password)
	if k.User != "" && k.Password == "" {
		c.Need(path+".password", `write "env:NAME" or "file:PATH"`)
	}
}

// Reference says that a secret must be referred to, where it is there.
func (c Check) Reference(path, ref string) {
	if ref != "" && !IsReference(ref) {
		c.To.Fault(path, `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
	}
}

// Listen says that the text must be an address and a port; it returns the host.
func (c Check) Listen(path, s string) (host string) {
	host, port, err := net.SplitHostPort(s)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		c.To.Fault(path, `write it like "127.0.0.1:1502"`, "%q is not an address and a port", s)
		return ""
	}
	return host
}

// ExactlyOne says that one of the keys at path must be there, and returns the first that is.
func (c Check) ExactlyOne(path string, keys ...string) string {
	var there []string
	for _, k := range keys {
		if c.To.Has(path + "." + k) {
			there = append(there, k)
		}
	}
	list := strings.Join(keys[:len(keys)-1], ", ") + " and " + keys[len(keys)-1]
	switch len(there) {
	case 0:
		c.To.Fault(path, "write exactly one of "+list, "%s has no source", path)
		return ""
	case 1:
	default:
		c.To.Fault(path+"."+there[1], "write exactly one of "+list, "%s are both there", strings.Join(there, " and "))
	}
	return there[0]
}

// Only says that the keys at path go with the key owner alone.
func (c Check) Only(path, source, owner string, keys ...string) {
	for _, k := range keys {
		if at := path + "." + k; source != "" && source != owner && c.To.Has(at) {
			c.To.Fault(at, "remove the key", "%s goes with %s and means nothing with %s", k, owner, source)
		}
	}
}
