package cloudevents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sender posts events in batches. A batch is tried again while the receiver is not reachable or
// says that it is busy (408, 425, 429, 5xx); another refusal ends the sending and is told.
type Sender struct {
	URL    string
	Token  string // sent as a bearer token; empty: none. It is never printed.
	Format Format
	Codes  Codes
	Size   int           // events a batch; default 100, which is Lago's most
	Tries  int           // of one batch; default 5
	Pause  time.Duration // before the second try, doubled before each further; default 1 s
	// Timeout of one request, machine time; default 30 s.
	Timeout time.Duration
	Client  *http.Client // default: one that follows no redirects
	// Tell is told after each batch how many events were taken so far; nil: nobody is.
	Tell func(sent int)
}

// retryAfter bounds how long a receiver may make us wait.
const retryAfter = time.Minute

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// Send posts all events and returns how many were taken. It blocks until the end, the first
// batch that is refused, or the context's end. What was taken stays taken: sending all of it again
// is harmless.
func (s *Sender) Send(ctx context.Context, events iter.Seq2[Event, error]) (sent int, err error) {
	if err := s.defaults(); err != nil {
		return 0, err
	}
	batch := make([]Event, 0, s.Size)
	flush := func() error {
		n := len(batch)
		if n == 0 {
			return nil
		}
		if err := s.batch(ctx, batch); err != nil {
			return fmt.Errorf("post usage to %s: %w (%d events were taken before)", s.place(), err, sent)
		}
		sent += n
		batch = batch[:0]
		if s.Tell != nil {
			s.Tell(sent)
		}
		return nil
	}
	for e, err := range events {
		if err != nil {
			return sent, err
		}
		if batch = append(batch, e); len(batch) == s.Size {
			if err := flush(); err != nil {
				return sent, err
			}
		}
	}
	return sent, flush()
}

func (s *Sender) defaults() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("post usage: %q is no address; write it like https://openmeter.example/api/v1/events", s.URL)
	}
	if s.Format == "" {
		s.Format = Batch
	}
	if s.Size <= 0 {
		s.Size = 100
	}
	if s.Tries <= 0 {
		s.Tries = 5
	}
	if s.Pause <= 0 {
		s.Pause = time.Second
	}
	if s.Timeout <= 0 {
		s.Timeout = 30 * time.Second
	}
	if s.Client == nil {
		s.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return nil
}

// place is the address without what may be secret in it.
func (s *Sender) place() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "the receiver"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	body   []byte
	after  time.Duration
}

func (r *refusal) Error() string {
	text := strings.Join(strings.Fields(string(r.body)), " ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text = "is the token right? " + text
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		text = "it redirects; give the address that it redirects to"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), text))
}

func (r *refusal) again() bool {
	switch r.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return r.status >= 500
}

func (s *Sender) batch(ctx context.Context, events []Event) error {
	events = slices.Clone(events)
	pause := s.Pause
	for try := 1; ; try++ {
		body, err := Encode(events, s.Format, s.Codes)
		if err != nil {
			return err
		}
		err = s.post(ctx, body)
		var r *refusal
		wait := pause
		if errors.As(err, &r) {
			if known := r.known(len(events)); s.Format == Lago && len(known) > 0 {
				// Lago refuses a batch for one event that it knows: the others go again without it.
				events = without(events, known)
				if len(events) == 0 {
					return nil
				}
				try--
				continue
			}
			if !r.again() {
				return err
			}
			wait = max(wait, r.after)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if try >= s.Tries {
			return fmt.Errorf("%w; tried %d times", err, try)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		}
		pause *= 2
	}
}

func (s *Sender) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", s.Format.ContentType())
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may have a secret in it
		}
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode/100 == 2 {
		return nil
	}
	r := &refusal{status: res.StatusCode, body: answer}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
		r.after = min(time.Duration(n)*time.Second, retryAfter)
	}
	return r
}

// known returns the places in a batch of n that Lago says it has already, where that is all that
// it refuses.
func (r *refusal) known(n int) []int {
	if r.status != http.StatusUnprocessableEntity {
		return nil
	}
	var answer struct {
		Details map[string]map[string][]string `json:"error_details"`
	}
	if json.Unmarshal(r.body, &answer) != nil {
		return nil
	}
	var out []int
	for at, fields := range answer.Details {
		i, err := strconv.Atoi(at)
		why := fields["transaction_id"]
		if err != nil || i < 0 || i >= n || len(fields) != 1 || len(why) != 1 || why[0] != "value_already_exist" {
			return nil
		}
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

func without(events []Event, at []int) []Event {
	var out []Event
	for i, e := range events {
		if _, gone := slices.BinarySearch(at, i); !gone {
			out = append(out, e)
		}
	}
	return out
}
