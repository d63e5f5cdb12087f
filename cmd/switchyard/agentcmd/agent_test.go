package agentcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/compute/gpuagent"
	"switchyard/unit"
)

var errInput = errors.New("bad input")

// record is an agent's standard error.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func run(ctx context.Context, log *record, args ...string) error {
	cmd := Command(Console{Err: log, BadInput: func(f string, a ...any) error { return fmt.Errorf("%w: %w", errInput, fmt.Errorf(f, a...)) }})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"gpu"}, args...))
	return cmd.ExecuteContext(ctx)
}

func TestFlagsThatCannotBe(t *testing.T) {
	err := run(t.Context(), &record{}, "--listen", ":9700", "--token-ref", "env:SWITCHYARD_NOT_SET", "--safe-cap", "300", "--check", "1ms")
	if !errors.Is(err, errInput) {
		t.Fatal(err)
	}
	for _, want := range []string{"SWITCHYARD_NOT_SET: it is empty or not set", "--tls-cert and --tls-key", `--safe-cap "300"`, "--check 1ms"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	dir := t.TempDir()
	if err := run(t.Context(), &record{}, "--driver", "cuda", "--state", filepath.Join(dir, "s")); !errors.Is(err, errInput) || !strings.Contains(err.Error(), "nvml, smi or auto") {
		t.Error(err)
	}
	err = run(t.Context(), &record{}, "--state", filepath.Join(dir, "s"), "--nvidia-smi", filepath.Join(dir, "none"), "--nvml-library", filepath.Join(dir, "none.so"))
	if !errors.Is(err, compute.ErrUnsupported) || strings.Count(err.Error(), "no NVIDIA driver found") < 1 {
		t.Error(err)
	}
}

// TestAKilledAgentOverItsStateFile runs the command over a made-up nvidia-smi that keeps its limit
// in a file, ends it, and starts it again when the lease is over.
func TestAKilledAgentOverItsStateFile(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh for a made-up nvidia-smi")
	}
	dir := t.TempDir()
	smi, limit := filepath.Join(dir, "nvidia-smi"), filepath.Join(dir, "limit")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(limit, "400.00")
	write(smi, `#!`+sh+`
case "$*" in
*--power-limit=*) echo "${2#--power-limit=}.00" >`+limit+`; echo "All done.";;
*) echo "0, GPU-a1, NVIDIA A100-SXM4-40GB, 312.45, $(cat `+limit+`), 400.00, 100.00, 400.00, 98, 61";;
esac
`)
	write(filepath.Join(dir, "token"), "s3cret\n")
	start := func() (*gpuagent.Client, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		log, ended := &record{}, make(chan error, 1)
		go func() {
			ended <- run(ctx, log, "--listen", "127.0.0.1:0", "--driver", "smi", "--nvidia-smi", smi, "--token-ref", "file:"+filepath.Join(dir, "token"),
				"--state", filepath.Join(dir, "deep", "state.json"), "--node", "gpu1", "--safe-cap", "50%", "--check", "1s")
		}()
		address := regexp.MustCompile(`address=(\S+)`)
		for address.FindStringSubmatch(log.String()) == nil {
			select {
			case err := <-ended:
				t.Fatal(err, log.String())
			case <-time.After(10 * time.Millisecond):
			}
		}
		c := gpuagent.NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": "http://" + address.FindStringSubmatch(log.String())[1]}, Token: "s3cret"}, nil, 0)
		return c, func() {
			c.Close()
			cancel()
			if err := <-ended; err != nil || strings.Contains(log.String(), "s3cret") {
				t.Errorf("%v\n%s", err, log.String())
			}
		}
	}
	at := func(want string) {
		t.Helper()
		var b []byte
		for range 300 {
			if b, _ = os.ReadFile(limit); strings.TrimSpace(string(b)) == want {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("the limit is %s, not %s", b, want)
	}
	c, stop := start()
	if err := c.Cap(t.Context(), "gpu1", 300*unit.Watt, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	at("300.00")
	stop() // without --restore-on-exit the limit stays
	at("300.00")
	c, stop = start()
	at("200.00") // the lease ended: half of the default limit
	if r, err := c.Read(t.Context(), "gpu1"); err != nil || !r.Safe {
		t.Errorf("%+v, %v", r, err)
	}
	if err := c.Uncap(t.Context(), "gpu1"); err != nil {
		t.Fatal(err)
	}
	at("400.00")
	stop()
}
