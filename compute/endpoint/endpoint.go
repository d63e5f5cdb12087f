// Package endpoint owns how one service a machine is reached: an address by node, who we are
// there, whom we trust, and HTTP requests with a deadline, a bounded answer and bounded retries,
// whose failures are told in compute's errors.
//
// It never knows what is asked for, and never shows a secret: no error and no log holds one.
//
// Concurrency: an Endpoint is plain data; a Caller is safe for concurrent use and its calls block.
package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
)

// maxCA bounds a certificate file in bytes.
const maxCA = 1 << 20

// Endpoint is one service a machine.
type Endpoint struct {
	// URL holds {node} ("https://{node}:9700"); Hosts names a node's own address, with or
	// without a scheme, and goes before URL.
	URL   string
	Hosts map[string]string
	// Token is a bearer token; User and Password log in. They are the secrets themselves.
	Token, User, Password string
	// Roots are the certificates to trust; nil: the machine's.
	Roots *x509.CertPool
}

// Open resolves what a site file says of an endpoint: its references to secrets and its
// certificate. It blocks on the disk.
func Open(f *sitefile.File, e *cluster.Endpoint) (Endpoint, error) {
	out := Endpoint{URL: e.URL, Hosts: e.Hosts}
	var err error
	if e.Token != "" {
		if out.Token, err = f.Secret(e.Token); err != nil {
			return Endpoint{}, err
		}
	}
	if out.User = e.User; reference(e.User) {
		if out.User, err = f.Secret(e.User); err != nil {
			return Endpoint{}, err
		}
	}
	if e.Password != "" {
		if out.Password, err = f.Secret(e.Password); err != nil {
			return Endpoint{}, err
		}
	}
	if e.CA != "" {
		if out.Roots, err = Roots(f.Path(e.CA)); err != nil {
			return Endpoint{}, err
		}
	}
	return out, nil
}

func reference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

// Roots reads the certificates to trust from a PEM file: those of an authority, or a service's
// own. It blocks on the disk.
func Roots(path string) (*x509.CertPool, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust: %w", err)
	}
	defer in.Close()
	pem, err := io.ReadAll(io.LimitReader(in, maxCA+1))
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if len(pem) > maxCA || !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the certificates to trust: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path)
	}
	return pool, nil
}

// Address returns a node's address, without a slash at its end. A node that has none is
// compute.ErrUnsupported.
func (e Endpoint) Address(node string) (string, error) {
	scheme, _, given := strings.Cut(e.URL, "://")
	if !given {
		scheme = "https"
	}
	address, ok := e.Hosts[node]
	switch {
	case ok && !strings.Contains(address, "://"):
		address = scheme + "://" + address
	case ok:
	case strings.Contains(e.URL, "{node}"):
		address = strings.ReplaceAll(e.URL, "{node}", url.PathEscape(node))
	default:
		return "", fmt.Errorf("node %s: no address: name it in hosts, or give a url with {node}: %w", node, compute.ErrUnsupported)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return "", fmt.Errorf("node %s: %q is no address; write it like \"https://%s:9700\": %w", node, hide(u, address), node, compute.ErrUnsupported)
	}
	return strings.TrimRight(address, "/"), nil
}

// hide keeps a login that somebody wrote into an address out of the error.
func hide(u *url.URL, address string) string {
	if u == nil {
		return "…"
	}
	if u.User == nil {
		return address
	}
	return u.Redacted()
}

// HTTP returns a client for the endpoint: it goes through no proxy, trusts Roots and follows
// redirects within one address only, for they would carry the secret elsewhere. Connections are
// kept, so that thousands of nodes are not dialled at every poll.
func (e Endpoint) HTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(4096)},
			TLSHandshakeTimeout:   5 * time.Second,
			MaxIdleConnsPerHost:   2,
			MaxConnsPerHost:       4,
			IdleConnTimeout:       2 * time.Minute,
			ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2:     false,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				return errors.New("it redirects elsewhere: give its own address")
			}
			return nil
		},
	}
}
