package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"

	"switchyard/sitefile/cluster"
)

// certificate returns the TLS settings of all addresses, made when first wanted: a certificate
// for loopback addresses that signs itself, valid in any rehearsal's time.
func (w *World) certificate() (*tls.Config, error) {
	if w.secure != nil {
		return w.secure.Clone(), nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	c := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "emulated cluster"}, NotBefore: from, NotAfter: from.AddDate(100, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1"), net.IPv6loopback},
	}
	for _, e := range w.file.Clusters { // other addresses of the loopback network, one each
		for _, at := range addresses(e) {
			if ip := net.ParseIP(at); ip != nil && ip.IsLoopback() {
				c.IPAddresses = append(c.IPAddresses, ip)
			}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	w.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	w.secure = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return w.secure.Clone(), nil
}

// addresses returns the hosts that a cluster's endpoints name.
func addresses(c cluster.Cluster) []string {
	var all []string
	add := func(address string) {
		if u, err := url.Parse(address); err == nil {
			all = append(all, u.Hostname())
		}
	}
	if c.Kubernetes != nil {
		add(c.Kubernetes.Server)
	}
	for _, e := range []*cluster.Endpoint{c.Exporter, c.BMC} {
		if e == nil {
			continue
		}
		add(e.URL)
		for _, h := range e.Hosts {
			add(h)
		}
	}
	return all
}
