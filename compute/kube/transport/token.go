package transport

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"switchyard/compute"
)

// The bounds of a token's file.
const (
	maxToken = 64 << 10 // bytes
	tokenFor = 10 * time.Second
)

// TokenFile puts the token of a file on each request. The file is read again after tokenFor, and
// at once after the server refused the token: client-go itself would wait for a minute. All
// clients share one.
type TokenFile struct {
	path string

	mu    sync.Mutex
	token string
	read  time.Time
}

// bearer sends requests with a token of a file.
type bearer struct {
	file *TokenFile
	next http.RoundTripper
}

// RoundTrip sends one request.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	t := b.file
	token, err := t.get()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := b.next.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusUnauthorized {
		t.mu.Lock()
		t.read = time.Time{}
		t.mu.Unlock()
	}
	return res, err
}

func (t *TokenFile) get() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && time.Since(t.read) < tokenFor {
		return t.token, nil
	}
	f, err := os.Open(t.path)
	if err != nil {
		return "", fmt.Errorf("read the token: %w: %w", compute.ErrUnauthorized, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	s := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the token: %w: %w", compute.ErrUnauthorized, err)
	case s == "" || len(b) > maxToken || strings.ContainsAny(s, "\r\n"):
		return "", fmt.Errorf("read the token: %w: %s holds no token", compute.ErrUnauthorized, t.path)
	}
	t.token, t.read = s, time.Now()
	return s, nil
}

// NewTokenFile makes one of a path; the file is read with the first request.
func NewTokenFile(path string) *TokenFile { return &TokenFile{path: path} }

// Wrap returns a transport that sends requests with the file's token.
func (t *TokenFile) Wrap(next http.RoundTripper) http.RoundTripper { return bearer{t, next} }
