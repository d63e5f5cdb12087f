package dsx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"

	"switchyard/signal/link"
)

const (
	maxKeys = 100
	minRSA  = 2048 // bits
	// rereadEvery bounds how often an unknown key makes us look at the key set's file again.
	rereadEvery = 5 * time.Second
)

// algorithms are the only ones believed: none and the symmetric ones are not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.RS256}
}

// keys verifies by a JWK set in a file, which may be replaced while we run.
type keys struct {
	path string
	set  jose.JSONWebKeySet
	mod  time.Time
	read time.Time
}

func openKeys(path string) (*keys, error) {
	if path == "" {
		return nil, errors.New("dsx.keys is missing: without the key set no load target can be believed")
	}
	k := &keys{path: path}
	return k, k.reload()
}

// reload reads the set; a bad one leaves the old one in force.
func (k *keys) reload() error {
	k.read = time.Now()
	info, err := os.Stat(k.path)
	if err != nil {
		return fmt.Errorf("read key set: %w", err)
	}
	raw, err := link.ReadFile(k.path)
	if err != nil {
		return fmt.Errorf("read key set: %w", err)
	}
	set, err := parseKeys(raw)
	if err != nil {
		return fmt.Errorf("key set %s: %w", k.path, err)
	}
	k.set, k.mod = set, info.ModTime()
	return nil
}

func parseKeys(raw []byte) (jose.JSONWebKeySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var out jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &doc); err != nil {
		return out, errors.New("it is not a JWK set in JSON")
	}
	if len(doc.Keys) > maxKeys {
		return out, fmt.Errorf("it has more than %d keys", maxKeys)
	}
	for i, one := range doc.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(one, &key); err != nil {
			return out, fmt.Errorf("key %d cannot be read", i+1) // what the decoder says may quote the key
		}
		if err := fit(key); err != nil {
			return out, fmt.Errorf("key %d (kid %s): %w", i+1, show(key.KeyID), err)
		}
		if len(out.Key(key.KeyID)) > 0 {
			return out, fmt.Errorf("kid %s is there twice", show(key.KeyID))
		}
		out.Keys = append(out.Keys, key)
	}
	if len(out.Keys) == 0 {
		return out, errors.New("it has no key")
	}
	return out, nil
}

// fit says what speaks against a key that is to verify load targets.
func fit(k jose.JSONWebKey) error {
	switch {
	case k.KeyID == "":
		return errors.New("kid is missing")
	case !k.IsPublic():
		return errors.New("it is a private or a shared key: only public ones belong here")
	case k.Use != "" && k.Use != "sig":
		return fmt.Errorf("its use is %s, not sig", show(k.Use))
	}
	alg, err := algorithm(k.Key)
	if err == nil && k.Algorithm != "" && k.Algorithm != string(alg) {
		err = fmt.Errorf("its alg is %s, not %s", show(k.Algorithm), alg)
	}
	return err
}

// algorithm is the one that goes with a public key.
func algorithm(key any) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256, nil
		}
		return "", errors.New("its curve is not P-256")
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			return jose.RS256, nil
		}
		return "", fmt.Errorf("its RSA key has fewer than %d bits", minRSA)
	}
	return "", errors.New("it is neither an EC key on P-256 nor an RSA key")
}

// verify returns the data that signed carries once its signature holds.
func (k *keys) verify(signed string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(signed, algorithms())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("its data is not signed by ES256 or RS256 in compact form")
	}
	head := jws.Signatures[0].Protected
	if head.KeyID == "" {
		return nil, errors.New("its signature does not name a key (kid)")
	}
	found := k.set.Key(head.KeyID)
	if len(found) == 0 && time.Since(k.read) > rereadEvery {
		if info, err := os.Stat(k.path); err == nil && !info.ModTime().Equal(k.mod) && k.reload() == nil {
			found = k.set.Key(head.KeyID)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("kid %s is not in the key set", show(head.KeyID))
	}
	if alg, err := algorithm(found[0].Key); err != nil || head.Algorithm != string(alg) {
		return nil, fmt.Errorf("its signature's alg %s is not that of key %s", show(head.Algorithm), show(head.KeyID))
	}
	data, err := jws.Verify(found[0])
	if err != nil {
		return nil, fmt.Errorf("its signature does not hold against key %s", show(head.KeyID))
	}
	return data, nil
}

// signer signs what we say.
type signer struct {
	jose jose.Signer
	kid  string
}

// openSigner reads a private key in PEM form: PKCS 8, SEC 1 or PKCS 1. Its errors never hold
// any of it. An empty kid becomes the key's fingerprint.
func openSigner(key, kid string) (*signer, error) {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return nil, errors.New("our signing key is not in PEM form")
	}
	private, public, err := privateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	alg, err := algorithm(public)
	if err != nil {
		return nil, fmt.Errorf("our signing key: %w", err)
	}
	if kid == "" {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return nil, errors.New("our signing key has no fingerprint")
		}
		sum := sha256.Sum256(der)
		kid = hex.EncodeToString(sum[:8])
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, nil)
	if err != nil {
		return nil, errors.New("our signing key cannot sign")
	}
	return &signer{s, kid}, nil
}

func privateKey(der []byte) (private, public any, err error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		private = k
	} else if k, err := x509.ParseECPrivateKey(der); err == nil {
		private = k
	} else if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		private = k
	}
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		return k, &k.PublicKey, nil
	case *rsa.PrivateKey:
		return k, &k.PublicKey, nil
	}
	return nil, nil, errors.New("our signing key is neither an EC nor an RSA key that can be read")
}

// sign returns v as a JWS in compact form.
func (s *signer) sign(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	jws, err := s.jose.Sign(raw)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}
