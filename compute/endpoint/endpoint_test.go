package endpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
)

func TestAddress(t *testing.T) {
	e := Endpoint{URL: "https://{node}:9700", Hosts: map[string]string{"a": "10.0.0.1:9701", "b": "http://10.0.0.2:1/x/", "c": "https://u:p4ss@h"}}
	for node, want := range map[string]string{"gpu1": "https://gpu1:9700", "a": "https://10.0.0.1:9701", "b": "http://10.0.0.2:1/x"} {
		if got, err := e.Address(node); got != want || err != nil {
			t.Errorf("%s: %s, %v", node, got, err)
		}
	}
	for _, node := range []string{"c", "a/../b"} {
		got, err := e.Address(node)
		if err != nil && (!errors.Is(err, compute.ErrUnsupported) || strings.Contains(err.Error(), "p4ss")) || err == nil && strings.Contains(got, "/..") {
			t.Errorf("%s: %s, %v", node, got, err)
		}
	}
	if _, err := (Endpoint{URL: "https://one"}).Address("gpu1"); !errors.Is(err, compute.ErrUnsupported) {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ENDPOINT_TEST", "s3cret")
	_ = os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("no certificate"), 0o600)
	f := &sitefile.File{Dir: dir}
	e, err := Open(f, &cluster.Endpoint{URL: "u", Token: "env:ENDPOINT_TEST", User: "root", Password: "env:ENDPOINT_TEST"})
	if err != nil || e.Token != "s3cret" || e.User != "root" || e.Password != "s3cret" {
		t.Errorf("%v", err)
	}
	if _, err := Open(f, &cluster.Endpoint{CA: "ca.pem"}); err == nil || !strings.Contains(err.Error(), "ca.pem holds no certificate") {
		t.Error(err)
	}
	if _, err := Open(f, &cluster.Endpoint{Token: "s3cret"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

func TestASecretIsNotCarriedElsewhere(t *testing.T) {
	heard := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	e := Endpoint{Hosts: map[string]string{"n": s.URL}, Token: "s3cret"}
	c := Caller{Endpoint: e, HTTP: e.HTTP(), Timeout: time.Second, Attempts: 1}
	if _, err := c.Call(t.Context(), "n", Request{Method: "GET", Path: "/"}); err == nil || heard || !strings.Contains(err.Error(), "redirects elsewhere") {
		t.Errorf("%v, heard %t", err, heard)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { n++; w.WriteHeader(503) }))
	defer s.Close()
	e := Endpoint{Hosts: map[string]string{"n": s.URL}}
	c := Caller{Endpoint: e, HTTP: e.HTTP()}
	if _, err := c.Call(t.Context(), "n", Request{Method: "GET", Path: "/"}); !errors.Is(err, compute.ErrUnreachable) || n != DefaultAttempts {
		t.Errorf("%d attempts, %v", n, err)
	}
}
