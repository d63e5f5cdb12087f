package gpuagent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/unit"
)

// nodeHeader names the node that a request is meant for, so that a wrong address caps nobody.
const nodeHeader = "Switchyard-Node"

// reading bounds a request that only reads, in machine time.
const reading = 20 * time.Second

// Handler serves the agent over HTTP. With a token every path but /healthz asks for it.
func (a *Agent) Handler(token string) http.Handler {
	mux := http.NewServeMux()
	guard := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !allowed(r, token) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				answer(w, http.StatusUnauthorized, failure{"this agent wants its token: send it as Authorization: Bearer …"})
				return
			}
			if to := r.Header.Get(nodeHeader); to != "" && a.c.Node != "" && !sameNode(to, a.c.Node) {
				answer(w, http.StatusMisdirectedRequest, failure{fmt.Sprintf("this is the agent of node %s, not of %s: mend the address, or start it with --node %s", a.c.Node, to, to)})
				return
			}
			h(w, r)
		}
	}
	mux.HandleFunc("GET /v1/gpus", guard(a.serveGPUs))
	mux.HandleFunc("PUT /v1/cap", guard(a.serveCap))
	mux.HandleFunc("DELETE /v1/cap", guard(a.serveUncap))
	mux.HandleFunc("GET /metrics", guard(a.serveMetrics))
	mux.HandleFunc("GET /healthz", a.serveHealth)
	return mux
}

// allowed compares in a time that tells nothing of the token.
func allowed(r *http.Request, token string) bool {
	if token == "" {
		return true
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, want := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// sameNode compares names as people and engines write them: with or without their domain.
func sameNode(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b {
		return true
	}
	short, domain, _ := strings.Cut(a, ".")
	other, far, _ := strings.Cut(b, ".")
	return short == other && (domain == "" || far == "")
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}

// refuse maps an error to HTTP, in this one place.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, compute.ErrUnreachable):
		status = http.StatusServiceUnavailable
	case errors.Is(err, compute.ErrUnsupported):
		status = http.StatusNotImplemented
	case errors.Is(err, compute.ErrRefused):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, compute.ErrUnauthorized): // the agent may not, not who asks
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, failure{err.Error()})
}

func (a *Agent) serveGPUs(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reading)
	defer cancel()
	s, err := a.Status(ctx)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, encodeStatus(s))
}

func (a *Agent) serveCap(w http.ResponseWriter, r *http.Request) {
	var in capBody
	err := strict(http.MaxBytesReader(w, r.Body, maxBody), &in)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		answer(w, http.StatusRequestEntityTooLarge, failure{fmt.Sprintf("the request has more than %d bytes", maxBody)})
		return
	case err != nil:
		answer(w, http.StatusBadRequest, failure{fmt.Sprintf(`the request is not like {"power_w": 300, "lease_s": 120, "reason": "…"}: %v`, err)})
		return
	case !within(in.PowerW, MaxPower.Watts()) || !within(in.LeaseS, MaxLease.Seconds()):
		refuse(w, fmt.Errorf("power_w must be above 0 and up to %g, lease_s between %g and %g: %w", MaxPower.Watts(), MinLease.Seconds(), MaxLease.Seconds(), compute.ErrRefused))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), reading)
	defer cancel()
	out, err := a.Cap(ctx, unit.Watts(in.PowerW), seconds(in.LeaseS), in.Reason, r.RemoteAddr)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, encodeHeld(a.c.Node, out))
}

func (a *Agent) serveUncap(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reading)
	defer cancel()
	out, err := a.Uncap(ctx, r.RemoteAddr)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, encodeHeld(a.c.Node, out))
}

// serveHealth says whether the driver answers; it tells nothing else, for it asks for no token.
func (a *Agent) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	s, err := a.Status(ctx)
	if err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]any{"status": "the driver does not answer"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "gpus": len(s.GPUs)})
}
