package market

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchyard/clock"
)

// The bounds of one question to a server, in machine time.
const (
	deadline = 10 * time.Second
	tries    = 3
	pause    = time.Second // before the second try; twice that before the third
	maxBody  = 1 << 20
)

// bounds are of the answer to one question.
type bounds struct {
	deadline time.Duration
	body     int64 // bytes
}

// small is for answers of a figure or two.
func small() bounds { return bounds{deadline, maxBody} }

// errStatus is an HTTP status that says no.
type errStatus struct {
	code int
	text string
}

func (e *errStatus) Error() string { return e.text }

// errFinal marks an answer that asking again will not better.
type errFinal struct{ error }

func (e errFinal) Unwrap() error { return e.error }

// fetch asks a server and returns its answer. It tries again after a failure that may pass.
// It blocks for three deadlines and a few seconds at worst.
func fetch(ctx context.Context, client *http.Client, b bounds, request func(context.Context) (*http.Request, error)) ([]byte, error) {
	for try := 1; ; try++ {
		body, err := fetchOnce(ctx, client, b, request)
		var final errFinal
		if err == nil || errors.As(err, &final) || try == tries || ctx.Err() != nil {
			return body, err
		}
		select {
		case <-time.After(pause * time.Duration(try)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func fetchOnce(ctx context.Context, client *http.Client, b bounds, request func(context.Context) (*http.Request, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.deadline)
	defer cancel()
	req, err := request(ctx)
	if err != nil {
		return nil, errFinal{withoutURL(err, b)}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, withoutURL(err, b)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, b.body+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, errFinal{fmt.Errorf("the server refuses us (%s): check the credentials", resp.Status)}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, errFinal{&errStatus{resp.StatusCode, fmt.Sprintf("the server answers %s: check the address", resp.Status)}}
	case int64(len(body)) > b.body:
		return nil, errFinal{fmt.Errorf("the answer has more than the %d bytes allowed", b.body)}
	}
	return body, nil
}

// withoutURL drops the address from an error of net/http: its query may hold a key.
func withoutURL(err error, b bounds) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return fmt.Errorf("no answer within %v", b.deadline)
		}
		return u.Err
	}
	return err
}

// publicURL is an address without user, password and query, for people.
func publicURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "the address"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// getJSON fetches an address and reads its answer as one JSON value.
func getJSON(ctx context.Context, client *http.Client, address string) (any, error) {
	body, err := fetch(ctx, client, small(), func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err == nil {
			req.Header.Set("Accept", "application/json")
		}
		return req, err
	})
	if err != nil {
		return nil, err
	}
	return parseJSON(body)
}

// noPage refuses a web page where JSON is wanted.
func noPage(body []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return errors.New("the answer is a web page (HTML), not JSON: check the address, and whether it asks for a login")
	}
	return nil
}

func parseJSON(body []byte) (any, error) {
	if err := noPage(body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is not JSON: something follows it")
	}
	return v, nil
}

// lookup follows a dotted path, such as "data.0.price", through a JSON value. A negative
// index counts from the end of a list.
func lookup(v any, path string) (any, error) {
	for _, key := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[key]
			if !ok {
				return nil, fmt.Errorf("the answer has no field %q (of %q)", key, path)
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if i < 0 {
				i += len(at)
			}
			if err != nil || i < 0 || i >= len(at) {
				return nil, fmt.Errorf("the answer has a list of %d at %q (of %q)", len(at), key, path)
			}
			v = at[i]
		default:
			return nil, fmt.Errorf("the answer has no field %q (of %q)", key, path)
		}
	}
	return v, nil
}

// lookupNumber reads a number, or a text that is one.
func lookupNumber(v any, path string) (float64, error) {
	found, err := lookup(v, path)
	if err != nil {
		return 0, err
	}
	var text string
	switch n := found.(type) {
	case json.Number:
		text = n.String()
	case string:
		text = strings.TrimSpace(n)
	default:
		return 0, fmt.Errorf("the field %q is not a number", path)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != f || f > 1e300 || f < -1e300 {
		return 0, fmt.Errorf("the field %q is %.40q and not a number", path, text)
	}
	return f, nil
}

// lookupTime reads RFC 3339, or seconds or milliseconds since 1970.
func lookupTime(v any, path string) (time.Time, error) {
	found, err := lookup(v, path)
	if err != nil {
		return time.Time{}, err
	}
	if s, ok := found.(string); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t, nil
		}
	}
	n, err := lookupNumber(v, path)
	if err != nil || n < 0 || n > 1e14 {
		return time.Time{}, fmt.Errorf("the field %q is %.40q and not a time like 2026-07-01T16:00:00Z", path, fmt.Sprint(found))
	}
	if n > 1e11 { // the year 5138 in seconds, 1973 in milliseconds
		n /= 1000
	}
	return time.Unix(int64(n), 0), nil
}

// poll calls ask at once and then every so much site time, but at most once in a machine
// second, until ctx ends. It logs when asking begins to fail and when it works again.
func poll(ctx context.Context, c clock.Clock, every time.Duration, source string, log *slog.Logger, ask func(context.Context) error) error {
	every = max(every, time.Duration(c.Speed()*float64(time.Second)))
	failing := false
	for {
		err := ask(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being told to end is no error
		}
		if log != nil && err != nil && !failing {
			log.Warn("market source does not answer; its last figures age", "source", source, "err", err)
		}
		if log != nil && err == nil && failing {
			log.Info("market source answers again", "source", source)
		}
		failing = err != nil
		if clock.Sleep(ctx, c, every) != nil {
			return nil //nolint:nilerr // likewise
		}
	}
}
