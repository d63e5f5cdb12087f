package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"switchyard/sitefile"
)

const maxFile = 1 << 20 // of a certificate or a key set, bytes

// TLS returns the TLS settings that cfg (as Resolve returned it) asks for: its CA, or the
// system's, and its client certificate. It blocks on the disk.
func TLS(cfg sitefile.MQTT) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		pem, err := ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca %s holds no certificate in PEM form", cfg.CA)
		}
	}
	if (cfg.Cert == "") != (cfg.Key == "") {
		return nil, errors.New("cert and key belong together: one of them is missing")
	}
	if cfg.Cert == "" {
		return out, nil
	}
	cert, err := ReadFile(cfg.Cert)
	if err != nil {
		return nil, fmt.Errorf("read cert: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, []byte(cfg.Key))
	if err != nil {
		return nil, fmt.Errorf("cert %s and key: %w", cfg.Cert, err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// ReadFile returns a file of at most 1 MB. It blocks on the disk.
func ReadFile(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return b, err
}
