package openadr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchyard/signal/openadr/event"
)

// The bounds of one exchange. Times are the machine's.
const (
	callTime    = 10 * time.Second
	maxAnswer   = 16 << 20
	maxTries    = 3
	firstPause  = 200 * time.Millisecond
	longestWait = 5 * time.Second // that a Retry-After is followed within one call
)

// transport speaks HTTP with one VTN. It is safe for concurrent use.
type transport struct {
	base   *url.URL
	http   *http.Client
	tokens *tokens // nil: the VTN asks for none
	spent  []int   // the answers to a token that is spent
}

// statusError is an answer that is not a success.
type statusError struct {
	code   int
	detail string
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("the VTN answered %d %s", e.code, http.StatusText(e.code))
	if e.detail != "" {
		s += ": " + e.detail
	}
	return s
}

// refused says whether an error is an answer with one of the given status codes.
func refused(err error, codes ...int) bool {
	var s *statusError
	if !errors.As(err, &s) {
		return false
	}
	for _, c := range codes {
		if s.code == c {
			return true
		}
	}
	return false
}

// final says that the same request will be answered alike however often it is sent.
func final(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.code >= 400 && s.code < 500 &&
		s.code != http.StatusUnauthorized && s.code != http.StatusRequestTimeout && s.code != http.StatusTooManyRequests
}

// tokenError says that there is no token. The token server is not asked again at once.
type tokenError struct{ error }

func untrusted(err error) bool {
	var t *tokenError
	return errors.As(err, &t)
}

// newHTTP is the client that is used where none is lent. It follows no redirect: a token or a
// secret must not go where a VTN was not configured to be.
func newHTTP() *http.Client {
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks for path and returns the body. It is tried again a few times.
func (t *transport) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	var err error
	var b []byte
	for try := range maxTries {
		if try > 0 {
			if !pause(ctx, firstPause<<(2*try-1), err) {
				break
			}
		}
		if b, err = t.call(ctx, http.MethodGet, path, query, nil); err == nil || final(err) || untrusted(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	return b, nil
}

// send posts or puts body and reads the answer into out. It is not tried again: what was lost
// on the way may have arrived.
func (t *transport) send(ctx context.Context, method, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	answer, err := t.call(ctx, method, path, nil, b)
	if err == nil && out != nil {
		if err = json.Unmarshal(answer, out); err != nil {
			err = fmt.Errorf("the answer does not read: %s", event.Plain(err.Error(), 160))
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// call is one exchange, with a second one under a new token if the first was refused.
func (t *transport) call(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, error) {
	var bearer string
	for again := false; ; again = true {
		if t.tokens != nil {
			var err error
			if bearer, err = t.tokens.get(ctx, bearer); err != nil {
				return nil, err
			}
		}
		b, err := t.once(ctx, method, path, query, body, bearer)
		if again || t.tokens == nil || !refused(err, t.spent...) {
			return b, err
		}
	}
}

func (t *transport) once(ctx context.Context, method, path string, query url.Values, body []byte, bearer string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	address := *t.base
	address.Path = strings.TrimRight(address.Path, "/") + path
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address cannot be asked for")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return exchange(t.http, req)
}

// exchange sends one request and returns the body of a success, bounded and of JSON.
func exchange(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text repeats the whole address
			err = u.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(b) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, &statusError{code: resp.StatusCode, detail: retryAfter(resp) + problem(b)}
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && strings.HasSuffix(kind, "html") {
		return nil, fmt.Errorf("the VTN answered HTML (%s) instead of JSON: is the address right?", kind)
	}
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '<' {
		return nil, errors.New("the VTN answered a page instead of JSON: is the address right?")
	}
	return b, nil
}

// problem returns what a problem or an OAuth2 error says, for people.
func problem(b []byte) string {
	var p struct {
		Title       string `json:"title"`
		Detail      string `json:"detail"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if len(b) > 64<<10 || json.Unmarshal(b, &p) != nil {
		return ""
	}
	var parts []string
	for _, s := range []string{p.Title, p.Detail, p.Error, p.Description} {
		if s = event.Plain(s, 160); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

const retryWord = "again in "

// retryAfter puts a wish to be left alone in front of the detail, where pause finds it.
func retryAfter(resp *http.Response) string {
	n, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || n <= 0 || n > 3600 {
		return ""
	}
	return retryWord + (time.Duration(n) * time.Second).String() + " "
}

// pause waits with jitter before another try; false means that there is to be none.
func pause(ctx context.Context, d time.Duration, after error) bool {
	var s *statusError
	if errors.As(after, &s) {
		if rest, ok := strings.CutPrefix(s.detail, retryWord); ok {
			word, _, _ := strings.Cut(rest, " ")
			if asked, err := time.ParseDuration(word); err == nil && asked > d {
				if asked > longestWait {
					return false // the next poll is soon enough
				}
				d = asked
			}
		}
	}
	d = d/2 + rand.N(d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
