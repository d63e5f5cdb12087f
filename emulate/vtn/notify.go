package vtn

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	maxNotices = 1024 // waiting; the newest are dropped beyond
	noticeTime = 10 * time.Second
	noticeTry  = 3
)

// notice is one call of a callback address.
type notice struct {
	address, token string
	body           []byte
}

// tell queues the notifications of an operation on an object, for the subscriptions that
// name them.
func (v *VTN) tell(k Kind, operation string, o Object) {
	word := operation
	if v.old {
		word = map[string]string{"CREATE": "POST", "UPDATE": "PUT", "DELETE": "DELETE"}[operation]
	}
	for _, s := range v.store[Subscription] {
		if program, ok := s["programID"].(string); ok && (k == Event && o["programID"] != program || k == Program && o["id"] != program) {
			continue
		}
		client, _ := s["clientID"].(string)
		seen, ok := v.see(k, o, v.clientOf(client), url.Values{"targets": texts(s["targets"])})
		if !ok {
			continue
		}
		body, err := json.Marshal(Object{"objectType": string(k), "operation": word, "object": seen})
		if err != nil {
			continue
		}
		for _, x := range asList(s["objectOperations"]) {
			m, _ := x.(map[string]any)
			if !slices.Contains(texts(m["objects"]), string(k)) || !slices.Contains(texts(m["operations"]), operation) {
				continue
			}
			n := notice{body: body}
			n.address, _ = m["callbackUrl"].(string)
			n.token, _ = m["bearerToken"].(string)
			select {
			case v.notices <- n:
			default: // subscribers poll as well
			}
		}
	}
}

func (v *VTN) clientOf(id string) Client {
	for _, c := range v.cfg.Clients {
		if c.ID == id {
			return c
		}
	}
	return Client{ID: id, Business: len(v.cfg.Clients) == 0}
}

// notify sends what is queued until the VTN is closed.
func (v *VTN) notify() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := &http.Client{Timeout: noticeTime, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	go func() {
		select {
		case <-v.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-v.stop:
			return
		case n := <-v.notices:
			v.mu.Lock()
			unheard := v.faults.Unheard
			v.mu.Unlock()
			if unheard > 0 && v.dice.Hit(unheard) {
				continue
			}
			for try := range noticeTry {
				if try > 0 && !rest(ctx, time.Duration(try)*200*time.Millisecond) || call(ctx, client, n) {
					break
				}
			}
		}
	}
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func call(ctx context.Context, client *http.Client, n notice) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.address, bytes.NewReader(n.body))
	if err != nil {
		return true // it will never do
	}
	req.Header.Set("Content-Type", "application/json")
	if n.token != "" {
		req.Header.Set("Authorization", "Bearer "+n.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection may be kept
	return resp.StatusCode < 500
}

// challenge makes sure that the callback addresses of a subscription answer for themselves.
func (v *VTN) challenge(ctx context.Context, o Object) *problem {
	client := &http.Client{Timeout: noticeTime, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, x := range asList(o["objectOperations"]) {
		m, _ := x.(map[string]any)
		address, _ := m["callbackUrl"].(string)
		b := make([]byte, 16)
		_, _ = rand.Read(b) // it does not fail
		want := hex.EncodeToString(b)
		u, err := url.Parse(address)
		if err != nil {
			return bad("callbackUrl is no address")
		}
		q := u.Query()
		q.Set("echo", want)
		u.RawQuery = q.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return bad("callbackUrl is no address")
		}
		resp, err := client.Do(req)
		if err != nil {
			return bad("the callback address does not answer")
		}
		got, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		_ = resp.Body.Close() // it was read
		if err != nil || resp.StatusCode != http.StatusOK || string(bytes.TrimSpace(got)) != want {
			return bad("the callback address does not echo")
		}
	}
	return nil
}
