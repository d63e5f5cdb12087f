package gpuagent

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/site"
	"switchyard/unit"
)

func serve(t testing.TB, a *Agent, token string) string {
	t.Helper()
	s := httptest.NewServer(a.Handler(token))
	t.Cleanup(s.Close)
	return s.URL
}

func client(t testing.TB, address, token string) *Client {
	t.Helper()
	c := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": address}, Token: token}, nil, 2*time.Second)
	t.Cleanup(c.Close)
	return c
}

func TestTheClientSeesWhatTheAgentDoes(t *testing.T) {
	f := machine(2)
	f.gpus[1].Energy, f.gpus[1].Temp = site.Opt[unit.Energy]{}, site.Opt[float64]{}
	f.gpus[1].Faults = []string{"XID 48"}
	c := client(t, serve(t, agent(t, Config{Driver: f, Node: "gpu1.dc.example"}), "s3cret"), "s3cret")
	o, err := c.Set(t.Context(), "gpu1", 150*unit.Watt, time.Minute, "hall 1 at its limit")
	if err != nil || !o.GPUs[0].Clamped || o.GPUs[0].Set != 200*unit.Watt || o.GPUs[0].Original != 700*unit.Watt {
		t.Fatalf("%+v, %v", o, err)
	}
	limits(t, f, 200, 200)
	before := time.Now()
	r, err := c.Read(t.Context(), "gpu1")
	if err != nil {
		t.Fatal(err)
	}
	if left := r.Lease.Sub(before); left <= 0 || left > time.Minute+time.Second || r.Node != "gpu1" || r.Source != "agent" || r.At.Before(r.Asked) {
		t.Errorf("%+v, lease ends in %s", r, left)
	}
	if d := cmp.Diff(f.gpus, r.GPUs); d != "" {
		t.Errorf("what is not known must stay so (-agent +client):\n%s", d)
	}
	if err := c.Uncap(t.Context(), "gpu1"); err != nil {
		t.Fatal(err)
	}
	limits(t, f, 700, 700)
	if r, err = c.Read(t.Context(), "gpu1"); err != nil || !r.Lease.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestALeaseIsADurationByTheClientsOwnClock(t *testing.T) {
	c := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": serve(t, agent(t, Config{Driver: machine(1)}), "")}},
		clock.Anchored{Wall: time.Now(), Site: time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC), Rate: 1}, 0)
	defer c.Close()
	if err := c.Cap(t.Context(), "gpu1", 400*unit.Watt, time.Hour); err != nil {
		t.Fatal(err)
	}
	r, err := c.Read(t.Context(), "gpu1")
	if err != nil || r.Lease.Year() != 2031 || r.Lease.Sub(r.At) > time.Hour || r.Lease.Sub(r.At) < 50*time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestErrorsOfTheClient(t *testing.T) {
	answers := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is a client that went away noticed
		<-r.Context().Done()
	}))
	defer hang.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	refusing := machine(1)
	refusing.refuse[0] = errors.New("insufficient permissions")
	broken := machine(1)
	broken.broken = fmt.Errorf("nvidia-smi is hanging: %w", compute.ErrUnreachable)
	secret := httptest.NewTLSServer(agent(t, Config{Driver: machine(1)}).Handler(""))
	defer secret.Close()
	for _, c := range []struct {
		name, address string
		want          error
		text          string
	}{
		{"wrong token", serve(t, agent(t, Config{Driver: machine(1)}), "another"), compute.ErrUnauthorized, "wants its token"},
		{"another node's", serve(t, agent(t, Config{Driver: machine(1), Node: "gpu2"}), "t"), compute.ErrRefused, "agent of node gpu2, not of gpu1"},
		{"the driver refuses", serve(t, agent(t, Config{Driver: refusing}), "t"), compute.ErrRefused, "insufficient permissions"},
		{"the driver is away", serve(t, agent(t, Config{Driver: broken}), "t"), compute.ErrUnreachable, "nvidia-smi is hanging"},
		{"nobody there", "http://" + dead.Addr().String(), compute.ErrUnreachable, "refused"},
		{"it hangs", hang.URL, compute.ErrUnreachable, "no answer in time"},
		{"another service", answers(404, "<html>not found"), compute.ErrUnsupported, "404"},
		{"garbage", answers(200, "hello"), compute.ErrUnsupported, "cannot be read"},
		{"nothing set", answers(200, `{"gpus":[{"index":0}]}`), compute.ErrRefused, "tells no limit"},
		{"endless", answers(200, strings.Repeat("x", maxAnswer+1)), compute.ErrUnsupported, "more than"},
		{"a certificate that nobody trusts", secret.URL, compute.ErrUnauthorized, "not trusted"},
		{"http instead of https", "https" + strings.TrimPrefix(answers(200, ""), "http"), compute.ErrUnsupported, "speaks http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := client(t, c.address, "t")
			k.call.Timeout = 700 * time.Millisecond
			err := k.Cap(t.Context(), "gpu1", 400*unit.Watt, time.Minute)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "gpu1") {
				t.Error(err)
			}
		})
	}
	if err := client(t, "http://x", "").Uncap(t.Context(), "gpu9"); !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "hosts") {
		t.Error(err)
	}
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	f := machine(1)
	h := agent(t, Config{Driver: f}).Handler("")
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	if err := client(t, s.URL, "").Cap(t.Context(), "gpu1", 400*unit.Watt, time.Minute); err != nil {
		t.Fatal(err)
	}
	limits(t, f, 400)
}

func TestRequestsThatAreNotTaken(t *testing.T) {
	f := machine(1)
	address := serve(t, agent(t, Config{Driver: f}), "")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/v1/cap", `{"power_w":300,"lease_s":60,"watts":1}`, 400},
		{"PUT", "/v1/cap", `{"power_w":300,"lease_s":60} {}`, 400},
		{"PUT", "/v1/cap", `{"power_w":-5,"lease_s":60}`, 422},
		{"PUT", "/v1/cap", `{"power_w":1e300,"lease_s":60}`, 422},
		{"PUT", "/v1/cap", `{"power_w":300,"lease_s":1e300}`, 422},
		{"PUT", "/v1/cap", `{"power_w":300}`, 422},
		{"PUT", "/v1/cap", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"POST", "/v1/cap", `{}`, 405},
		{"GET", "/", "", 404},
	} {
		q, _ := http.NewRequestWithContext(t.Context(), c.method, address+c.path, strings.NewReader(c.body))
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if a.StatusCode != c.status {
			t.Errorf("%s %s %.40s: %d %s", c.method, c.path, c.body, a.StatusCode, b)
		}
	}
	limits(t, f, 700)
}

func TestHealthAndMetrics(t *testing.T) {
	f := machine(1)
	f.gpus[0].Model = "a \"b\"\n"
	a := agent(t, Config{Driver: f})
	address := serve(t, a, "s3cret")
	get := func(path, token string) (int, string) {
		q, _ := http.NewRequestWithContext(t.Context(), "GET", address+path, nil)
		q.Header.Set("Authorization", "Bearer "+token)
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if status, body := get("/healthz", ""); status != 200 || !strings.Contains(body, `"ok"`) {
		t.Error(status, body)
	}
	for _, path := range []string{"/metrics", "/v1/gpus"} {
		if status, _ := get(path, "s3cret2"); status != 401 {
			t.Errorf("%s without its token: %d", path, status)
		}
	}
	if _, err := a.Cap(t.Context(), 400*unit.Watt, time.Minute, "", ""); err != nil {
		t.Fatal(err)
	}
	_, body := get("/metrics", "s3cret")
	for _, want := range []string{
		`switchyard_gpu_limit_watts{gpu="0",uuid="GPU-0000",model="a \"b\"\n"} 400`,
		`switchyard_gpu_energy_joules_total{gpu="0",uuid="GPU-0000",model="a \"b\"\n"} 1.8e+07`,
		`switchyard_agent_mode{mode="cap"} 1`, `switchyard_agent_changes_total 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	f.mu.Lock()
	f.broken = compute.ErrUnreachable
	f.mu.Unlock()
	time.Sleep(fresh)
	if status, _ := get("/healthz", ""); status != 503 {
		t.Error(status)
	}
}

func TestWhereAnAgentMayListen(t *testing.T) {
	for _, c := range []struct {
		l    Listen
		want string // empty: it may
	}{
		{Listen{Addr: "127.0.0.1:9700"}, ""},
		{Listen{Addr: "[::1]:9700"}, ""},
		{Listen{Addr: "localhost:9700"}, ""},
		{Listen{Addr: ":9700"}, "give --token-ref and --tls-cert"},
		{Listen{Addr: "0.0.0.0:9700", Token: "t"}, "in clear"},
		{Listen{Addr: "gpu1:9700", Cert: "c", Key: "k"}, "give --token-ref"},
		{Listen{Addr: ":9700", Insecure: true}, ""},
		{Listen{Addr: ":9700", Token: "t", Cert: "c", Key: "k"}, ""},
		{Listen{Addr: "127.0.0.1:1", Cert: "c"}, "both"},
		{Listen{Addr: "9700"}, "127.0.0.1:9700"},
	} {
		if err := c.l.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.l, err)
		}
	}
}

func TestServeOverTLSAndRestore(t *testing.T) {
	dir := t.TempDir()
	pair := httptest.NewTLSServer(nil)
	leaf := pair.TLS.Certificates[0]
	pair.Close()
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	l := Listen{Addr: "127.0.0.1:0", Token: "s3cret", Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	_ = os.WriteFile(l.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}), 0o600)
	_ = os.WriteFile(l.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
	roots, err := endpoint.Roots(l.Cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, restore := range []bool{false, true} {
		f := machine(1)
		var log bytes.Buffer
		a := agent(t, Config{Driver: f, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		bound, ended := make(chan net.Addr, 1), make(chan error, 1)
		go func() { ended <- a.Serve(ctx, l, restore, func(a net.Addr) { bound <- a }) }()
		c := NewClient(endpoint.Endpoint{URL: "https://{node}:1", Hosts: map[string]string{"gpu1": (<-bound).String()}, Token: "s3cret", Roots: roots}, nil, 0)
		if err := c.Cap(t.Context(), "gpu1", 400*unit.Watt, time.Minute); err != nil {
			t.Fatal(err)
		}
		c.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if want := map[bool]float64{false: 400, true: 700}[restore]; f.limits()[0] != want {
			t.Errorf("restore %t: %v", restore, f.limits())
		}
		if text := log.String(); !strings.Contains(text, "msg=cap") || strings.Contains(text, "s3cret") {
			t.Error(text)
		}
	}
}

func TestManyAtOnceAreServedInTurn(t *testing.T) {
	f := machine(4)
	c := client(t, serve(t, agent(t, Config{Driver: f}), ""), "")
	c.call.Timeout = 20 * time.Second
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := c.Cap(t.Context(), "gpu1", unit.Power(300+i)*unit.Watt, time.Minute); err != nil {
				t.Error(err)
			}
			if _, err := c.Read(t.Context(), "gpu1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if l := f.limits(); f.overlap || l[0] != l[1] || l[0] != l[2] || l[0] != l[3] {
		t.Errorf("overlap %t, limits %v", f.overlap, l)
	}
}

func FuzzAnswers(f *testing.F) {
	a, _ := New(Config{Driver: machine(2)})
	s, _ := a.Status(context.Background())
	b, _ := json.Marshal(encodeStatus(s))
	f.Add(b)
	f.Add([]byte(`{"gpus":[{"index":0,"set_w":300,"original_w":700}],"complete":true}`))
	f.Add([]byte(`{"cap":{"mode":"cap","power_w":1e308},"gpus":[{"index":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeStatus(b); err == nil {
			for _, g := range s.GPUs {
				if g.Power.V < 0 || g.Energy.V < 0 || g.Limit.V < 0 || g.Index < 0 {
					t.Errorf("%+v", g)
				}
			}
		}
		if o, err := decodeHeld(b); err == nil && o.Refused() == nil {
			for _, g := range o.GPUs {
				if g.Set <= 0 && !g.Lost {
					t.Errorf("%+v counts as held", g)
				}
			}
		}
	})
}

// BenchmarkCap2000 caps 2,000 nodes, each an agent of its own behind its own listener, on
// connections that are kept, as the controller does at every renewal.
func BenchmarkCap2000(b *testing.B) {
	const nodes = 2000
	hosts, names := map[string]string{}, []string{}
	for i := range nodes {
		a, err := New(Config{Driver: machine(8)})
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("gpu%d", i)
		hosts[name] = serve(b, a, "s3cret")
		names = append(names, name)
	}
	c := NewClient(endpoint.Endpoint{Hosts: hosts, Token: "s3cret"}, nil, 30*time.Second)
	defer c.Close()
	round := func(p unit.Power) time.Duration {
		begin := time.Now()
		g, ctx := errgroup.WithContext(context.Background())
		g.SetLimit(256)
		for _, n := range names {
			g.Go(func() error { return c.Cap(ctx, n, p, time.Minute) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	dialling := round(500 * unit.Watt)
	i := 0
	for b.Loop() {
		i++
		round(unit.Power(300+i%100) * unit.Watt)
	}
	b.ReportMetric(float64(dialling.Milliseconds()), "ms-dialling")
}
