package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	defaultURL = "http://127.0.0.1:8418"
	// answerTime bounds one question to the controller, answerSize its answer in bytes.
	answerTime = 10 * time.Second
	answerSize = 8 << 20
	maxToken   = 4 << 10
)

// client asks a running controller. Its calls block on the network for at most ten seconds.
type client struct {
	base  string
	token string
	http  *http.Client
}

// client makes the client from flags and environment.
func (c *cli) client() (*client, error) {
	base := c.url
	if base == "" {
		base = c.env("SWITCHYARD_URL")
	}
	if base == "" {
		base = defaultURL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, badInput("%q is not a controller's address; write it like %s", base, defaultURL)
	}
	k := &client{base: strings.TrimRight(base, "/"), http: &http.Client{
		Timeout: answerTime,
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if k.token, err = c.token(); err != nil {
		return nil, k.orNobody(err)
	}
	return k, nil
}

// orNobody returns err, or that no controller runs, where that is what a person must hear first.
func (k *client) orNobody(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, rerr := http.NewRequestWithContext(ctx, http.MethodGet, k.base+"/healthz", nil)
	if rerr != nil {
		return err
	}
	res, rerr := k.http.Do(req)
	if errors.Is(rerr, syscall.ECONNREFUSED) {
		return k.silent(ctx, rerr)
	}
	if rerr == nil {
		_ = res.Body.Close() // only that it answers counts
	}
	return err
}

// token returns the token of the flag or the environment, which must be there.
func (c *cli) token() (string, error) {
	if c.tokenFile != "" {
		in, err := os.Open(c.tokenFile)
		if err != nil {
			return "", badInput("read the token: %w", err)
		}
		defer in.Close()
		b, err := io.ReadAll(io.LimitReader(in, maxToken+1))
		switch text := strings.TrimSpace(string(b)); {
		case err != nil:
			return "", badInput("read the token in %s: %w", c.tokenFile, err)
		case text == "" || len(b) > maxToken || strings.ContainsAny(text, " \t\r\n"):
			return "", badInput("%s holds no token: it should be one line that begins with sy_", c.tokenFile)
		default:
			return text, nil
		}
	}
	if t := strings.TrimSpace(c.env("SWITCHYARD_TOKEN")); t != "" {
		return t, nil
	}
	return "", withCode(exitNotAllowed, "a token is needed: set SWITCHYARD_TOKEN, or name a file that holds it with --token-file; "+
		"the first one is printed by `switchyard run` at its first start, `switchyard token new` makes more")
}

func (k *client) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return k.do(ctx, http.MethodGet, path, nil, into)
}

// do asks once. into may be nil where the answer says nothing.
func (k *client) do(ctx context.Context, method, path string, body, into any) error {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("ask the controller: %w", err)
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, k.base+path, send)
	if err != nil {
		return badInput("ask the controller at %s: %w", k.base, err)
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := k.http.Do(req)
	if err != nil {
		return k.silent(ctx, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, answerSize+1))
	switch {
	case err != nil:
		return k.silent(ctx, err)
	case len(b) > answerSize:
		return withCode(exitError, "the answer of %s is longer than %d MiB and was dropped", k.base, answerSize>>20)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return k.refusal(res, b)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return withCode(exitError, "%s answers, but not as a Switchyard controller does: %w", k.base, err)
	}
	return nil
}

// silent is the error of a controller that gave no whole answer.
func (k *client) silent(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case errors.Is(err, syscall.ECONNREFUSED):
		return withCode(exitUnreachable, "no controller answers at %s: start one with `switchyard run site.yaml`, or name its address with --url", k.base)
	case errors.As(err, &timeout) && timeout.Timeout():
		return withCode(exitUnreachable, "the controller at %s did not answer within %s", k.base, answerTime)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address is in our own words already
	}
	return withCode(exitUnreachable, "the controller at %s cannot be asked: %w", k.base, err)
}

// refusal is the error of an answer that is none of the good ones.
func (k *client) refusal(res *http.Response, b []byte) error {
	var said struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	if json.Unmarshal(b, &said) != nil || said.Detail == "" {
		return withCode(exitError, "%s answers %q, which no Switchyard controller says: is --url right?", k.base, res.Status)
	}
	text := said.Detail
	for _, e := range said.Errors {
		text += "; " + strings.TrimPrefix(strings.TrimPrefix(e.Location, "body."), "query.") + ": " + e.Message
	}
	switch res.StatusCode {
	case http.StatusNotFound:
		return withCode(exitNotFound, "%s", text)
	case http.StatusUnauthorized:
		return withCode(exitNotAllowed, "the controller does not know this token: check SWITCHYARD_TOKEN or --token-file; an admin makes another with `switchyard token new`")
	case http.StatusForbidden:
		return withCode(exitNotAllowed, "%s", text)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return withCode(exitBadInput, "%s", text)
	case http.StatusServiceUnavailable:
		return withCode(exitUnreachable, "%s", text)
	}
	return withCode(exitError, "%s", text)
}
