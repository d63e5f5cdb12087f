// Package signaltest owns what tests of sources need: a site to tell of, and a mosquitto broker,
// started on a free loopback port with a configuration of its own, killed, and started again
// on the same port.
//
// It never touches a broker that runs already, and never fails where mosquitto is missing: it
// skips the test and says so.
//
// Concurrency: a Broker belongs to one test; a Host is safe for concurrent use.
package signaltest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Broker is a mosquitto process.
type Broker struct {
	Addr string // host:port
	t    testing.TB
	conf string
	cmd  *exec.Cmd
}

// Start starts a broker that keeps sessions on the disk; extra are lines of its
// configuration. Without any, everybody may do everything.
func Start(t testing.TB, extra ...string) *Broker {
	t.Helper()
	bin := "/usr/sbin/mosquitto"
	if path, err := exec.LookPath("mosquitto"); err == nil {
		bin = path
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("mosquitto is missing (Debian package mosquitto)")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // it gives up root's rights
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	if len(extra) == 0 {
		extra = []string{"allow_anonymous true"}
	}
	lines := append([]string{
		"listener " + port + " 127.0.0.1", "persistence true", "persistence_location " + dir + "/",
		"autosave_interval 1", "autosave_on_changes true", "log_dest none", "user " + userName(),
	}, extra...)
	b := &Broker{Addr: addr, t: t, conf: filepath.Join(dir, "mosquitto.conf")}
	b.cmd = command(bin, "-c", b.conf)
	if err := os.WriteFile(b.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	b.Restart()
	return b
}

// command lives until Kill, not until the test's context ends: clients say farewell after that.
func command(name string, args ...string) *exec.Cmd {
	return exec.CommandContext(context.Background(), name, args...)
}

func userName() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}

// Kill ends the broker at once, as a power cut does; it does nothing to one that is dead.
func (b *Broker) Kill() {
	if b.cmd.Process != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
	}
}

// Restart starts the broker and awaits that it listens.
func (b *Broker) Restart() {
	b.t.Helper()
	b.cmd = command(b.cmd.Path, b.cmd.Args[1:]...)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for range 100 {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(b.t.Context(), "tcp", b.Addr)
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("mosquitto does not listen on %s", b.Addr)
}

// Certificates are files made for one test: a CA, a server's pair for 127.0.0.1 and a client's.
type Certificates struct {
	CA, ServerCert, ServerKey, ClientCert, ClientKey string // paths
}

// Certify makes the files.
func Certify(t testing.TB) Certificates {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caKey := newKey(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	c := Certificates{at("ca.pem"), at("server.pem"), at("server.key"), at("client.pem"), at("client.key")}
	write(t, c.CA, "CERTIFICATE", sign(t, ca, ca, caKey, caKey))
	for i, leaf := range []struct{ cert, key string }{{c.ServerCert, c.ServerKey}, {c.ClientCert, c.ClientKey}} {
		key := newKey(t)
		tmpl := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: fmt.Sprintf("leaf %d", i)},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		write(t, leaf.cert, "CERTIFICATE", sign(t, tmpl, ca, key, caKey))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, leaf.key, "PRIVATE KEY", der)
	}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, leaf, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
}
