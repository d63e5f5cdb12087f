package dsx

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"switchyard/unit"
)

func ec(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pemOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func set(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, data []byte) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOnlyGoodSignaturesAreBelieved(t *testing.T) {
	a, r, other := ec(t, elliptic.P256()), rsaKey(t, 2048), ec(t, elliptic.P256())
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(keys ...jose.JSONWebKey) {
		if err := os.WriteFile(file, set(t, keys...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(jose.JSONWebKey{Key: &a.PublicKey, KeyID: "a"}, jose.JSONWebKey{Key: &r.PublicKey, KeyID: "r", Algorithm: "RS256", Use: "sig"})
	k, err := openKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"targets":[]}`)
	b64 := base64.RawURLEncoding.EncodeToString
	good := signed(t, jose.ES256, a, "a", data)
	parts := strings.Split(good, ".")
	public, err := x509.MarshalPKIXPublicKey(&r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ jws, want string }{
		"ES256":                   {good, ""},
		"RS256":                   {signed(t, jose.RS256, r, "r", data), ""},
		"another key":             {signed(t, jose.ES256, other, "a", data), "does not hold"},
		"unknown kid":             {signed(t, jose.ES256, other, "b", data), "not in the key set"},
		"no kid":                  {signed(t, jose.ES256, a, "", data), "kid"},
		"the other's kid":         {signed(t, jose.ES256, a, "r", data), "not that of key"},
		"RS512":                   {signed(t, jose.RS512, r, "r", data), "ES256 or RS256"},
		"HS256 by the public key": {signed(t, jose.HS256, public, "r", data), "ES256 or RS256"},
		"alg none":                {b64([]byte(`{"alg":"none","kid":"a"}`)) + "." + b64(data) + ".", "ES256 or RS256"},
		"alg none with signature": {b64([]byte(`{"alg":"none","kid":"a"}`)) + "." + b64(data) + "." + parts[2], "ES256 or RS256"},
		"another payload":         {parts[0] + "." + b64([]byte(`{"targets":[1]}`)) + "." + parts[2], "does not hold"},
		"no signature":            {parts[0] + "." + parts[1] + ".", ""},
		"unknown critical header": {b64([]byte(`{"alg":"ES256","kid":"a","crit":["x"],"x":1}`)) + "." + parts[1] + "." + parts[2], "does not hold"},
		"no JWS":                  {"x", "ES256 or RS256"},
		"empty":                   {"", "ES256 or RS256"},
	}
	for name, c := range cases {
		got, err := k.verify(c.jws)
		switch {
		case name == "ES256" || name == "RS256":
			if err != nil || string(got) != string(data) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || got != nil:
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}

	// The set is replaced while we run.
	write(jose.JSONWebKey{Key: &other.PublicKey, KeyID: "b"})
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	k.read = time.Now().Add(-time.Minute)
	if _, err := k.verify(cases["unknown kid"].jws); err != nil {
		t.Errorf("a new key: %v", err)
	}
	if _, err := k.verify(good); err == nil {
		t.Error("a key that was taken out is believed")
	}
}

func TestKeySetsThatAreRefused(t *testing.T) {
	a := ec(t, elliptic.P256())
	weak := rsaKey(t, 1024)
	one := jose.JSONWebKey{Key: &a.PublicKey, KeyID: "a"}
	for want, raw := range map[string][]byte{
		"not a JWK set":  []byte("<html>"),
		"no key":         []byte(`{"keys":[]}`),
		"cannot be read": []byte(`{"keys":[{"kty":"XX"}]}`),
		"twice":          set(t, one, one),
		"kid is missing": set(t, jose.JSONWebKey{Key: &a.PublicKey}),
		"private":        set(t, jose.JSONWebKey{Key: a, KeyID: "a"}),
		"shared":         set(t, jose.JSONWebKey{Key: []byte("hunter2hunter2hunter2"), KeyID: "a"}),
		"P-256":          set(t, jose.JSONWebKey{Key: &ec(t, elliptic.P384()).PublicKey, KeyID: "a"}),
		"2048":           set(t, jose.JSONWebKey{Key: &weak.PublicKey, KeyID: "a"}),
		"use is":         set(t, jose.JSONWebKey{Key: &a.PublicKey, KeyID: "a", Use: "enc"}),
		"alg is":         set(t, jose.JSONWebKey{Key: &a.PublicKey, KeyID: "a", Algorithm: "RS256"}),
	} {
		if _, err := parseKeys(raw); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestOurOwnKey(t *testing.T) {
	a, r := ec(t, elliptic.P256()), rsaKey(t, 2048)
	sec1, err := x509.MarshalECPrivateKey(a)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pem    string
		public crypto.PublicKey
		want   string
	}{
		"EC":        {pemOf(t, a), &a.PublicKey, ""},
		"EC, SEC 1": {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), &a.PublicKey, ""},
		"RSA":       {pemOf(t, r), &r.PublicKey, ""},
		"P-384":     {pemOf(t, ec(t, elliptic.P384())), nil, "P-256"},
		"no PEM":    {"hunter2", nil, "PEM"},
		"no key":    {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")})), nil, "can be read"},
	} {
		s, err := openSigner(c.pem, "me")
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := s.sign(map[string]int{"x": 1})
		if err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(out, algorithms())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := jws.Verify(c.public); err != nil || string(got) != `{"x":1}` || jws.Signatures[0].Protected.KeyID != "me" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestTargets(t *testing.T) {
	in := `{"targets":[
		{"interval":{},"load_constraint":{"value":2.5,"unit":"megawatt"},"strategy":{"best_effort":true},"later":"word"},
		{"interval":{"start_time":"2026-11-22T13:00:00+01:00","end_time":"2026-11-22T13:00:00.5Z"},"feed_tags":["a","b"],"load_constraint":{"value":0,"unit":"watt"}},
		{"interval":{"start_time":"2026-11-22T11:00:00Z"},"feed_tags":[],"load_constraint":null}]}`
	got, err := readTargets([]byte(in), noon)
	if err != nil {
		t.Fatal(err)
	}
	if r := got[0]; r.power != 2500*unit.Kilowatt || !r.best || !r.from.IsZero() || !r.to.IsZero() || r.clear {
		t.Errorf("%+v", r)
	}
	if r := got[1]; r.power != 0 || !r.from.Equal(noon) || !r.to.Equal(noon.Add(time.Hour+500*time.Millisecond)) || len(r.feeds) != 2 {
		t.Errorf("%+v", r)
	}
	if r := got[2]; !r.clear || !r.from.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v", r)
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	one := func(interval, constraint string) string {
		return `{"targets":[{"interval":` + interval + `,"load_constraint":` + constraint + `}]}`
	}
	mw := `{"value":5,"unit":"megawatt"}`
	for in, want := range map[string]string{
		`[]`:             "not a load target",
		`{`:              "syntax error",
		`{}`:             "names no target",
		`{"targets":{}}`: "targets",
		`{"targets":[` + strings.Repeat(`{},`, 64) + `{}]}`:                                              "more than 64",
		`{"targets":[{"load_constraint":null}]}`:                                                         "interval is missing",
		`{"targets":[{"interval":{}}]}`:                                                                  "load_constraint is missing",
		one(`{"end_time":"2026-11-22T11:59:00Z"}`, mw):                                                   "ended at",
		one(`{"start_time":"2026-11-22T14:00:00Z","end_time":"2026-11-22T13:00:00Z"}`, mw):               "not after it begins",
		one(`{"start_time":"2026-11-22T14:00:00Z","end_time":"2026-11-22T14:00:00Z"}`, "null"):           "not after it begins",
		one(`{"start_time":"2028-11-22T14:00:00Z"}`, mw):                                                 "more than a year",
		one(`{"start_time":"tomorrow"}`, mw):                                                             "not an ISO 8601 time",
		one(`{"start_time":5}`, mw):                                                                      "start_time",
		one(`{"start_time":"0001-01-01T00:00:00Z"}`, mw):                                                 "not an ISO 8601 time",
		one(`{}`, `{"value":-5,"unit":"megawatt"}`):                                                      "below 0",
		one(`{}`, `{"value":1e30,"unit":"megawatt"}`):                                                    "more than any site",
		one(`{}`, `{"value":1e999,"unit":"megawatt"}`):                                                   "value",
		one(`{}`, `{"value":NaN,"unit":"megawatt"}`):                                                     "syntax error",
		one(`{}`, `{"value":"5","unit":"megawatt"}`):                                                     "value",
		one(`{}`, `{"value":5,"unit":"MW"}`):                                                             "not watt",
		one(`{}`, `{"value":5}`):                                                                         "lacks",
		one(`{}`, `{"unit":"watt"}`):                                                                     "lacks",
		one(`{}`, `5`):                                                                                   "no value with a unit",
		`{"targets":[{"interval":{},"load_constraint":` + mw + `},{"interval":{},"load_constraint":5}]}`: "target 2",
	} {
		got, err := readTargets([]byte(in), noon)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.90s: %v, %v; want %q", in, got, err, want)
		}
	}
}

func goodEvent() map[string]any {
	return map[string]any{
		"specversion": "1.0.2", "id": "7e1c2c1e-6a0f-4c55-9a2c-0a7c6f4f1b11", "source": "//grid/v1/isv/acme", "type": typeSet,
		"time": "2026-11-22T12:00:00Z", "datacontenttype": "application/json", "subject": "loadtarget",
		"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", "data": "a.b.c",
	}
}

func TestEnvelopes(t *testing.T) {
	for name, c := range map[string]struct {
		key  string
		v    any
		want string
	}{
		"as it is":         {"subject", "loadtarget", ""},
		"CloudEvents' own": {"specversion", "1.0", ""},
		"with a charset":   {"datacontenttype", "application/json; charset=utf-8", ""},
		"no trace":         {"traceparent", nil, ""},
		"no version":       {"specversion", nil, "specversion"},
		"another type":     {"type", typeStatus, "type"},
		"another source":   {"source", "//grid/v1/isv/other", "source"},
		"no id":            {"id", "", "id is missing"},
		"an id of its own": {"id", "17", "UUID"},
		"a number":         {"id", 17, "is a number"},
		"no time":          {"time", nil, "time"},
		"XML":              {"datacontenttype", "text/xml", "datacontenttype"},
		"no data":          {"data", nil, "data is missing"},
		"plain data":       {"data", map[string]any{"targets": []any{}}, "not signed"},
		"a long id":        {"correlationid", strings.Repeat("x", 300), "more than 200"},
	} {
		e := goodEvent()
		if e[c.key] = c.v; c.v == nil {
			delete(e, c.key)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = readEvent(raw, "//grid/v1/isv/acme")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := readEvent(make([]byte, maxPayload+1), ""); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("a long one: %v", err)
	}
}

func FuzzReadEvent(f *testing.F) {
	raw, err := json.Marshal(goodEvent())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"specversion":"1.0.2","data":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, signed, err := readEvent(data, "//grid/v1/isv/acme")
		if err == nil && (signed == "" && len(e.Data) < 2 || !isID(e.CorrelationID) || e.at.IsZero() && e.Time == "") {
			t.Fatalf("%q was taken: %+v", data, e)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Fatalf("a long line: %v", err)
		}
	})
}

func FuzzReadTargets(f *testing.F) {
	f.Add([]byte(`{"targets":[{"interval":{"start_time":"2026-11-22T13:00:00+01:00","end_time":"2026-11-22T13:00:00.5Z"},"feed_tags":["a"],"load_constraint":{"value":1,"unit":"watt"},"strategy":{"best_effort":true}}]}`))
	f.Add([]byte(`{"targets":[{"interval":{},"load_constraint":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, err := readTargets(data, noon)
		if err != nil {
			return
		}
		var ts []target
		for _, r := range rs {
			if r.power < 0 || r.power > unit.Watts(mostWatts) || !r.to.IsZero() && !r.to.After(noon) {
				t.Fatalf("%q gave %+v", data, r)
			}
			n := target{from: r.from, to: r.to, power: r.power}
			if n.from.Before(noon) {
				n.from = noon
			}
			ts = lay(ts, n, r.clear)
		}
	})
}

func FuzzVerify(f *testing.F) {
	a := ec(f, elliptic.P256())
	k := &keys{read: time.Now().Add(time.Hour)}
	k.set.Keys = []jose.JSONWebKey{{Key: &a.PublicKey, KeyID: "a"}}
	data := []byte(`{"targets":[]}`)
	good := signed(f, jose.ES256, a, "a", data)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, in string) {
		if got, err := k.verify(in); err == nil && string(got) != string(data) {
			t.Fatalf("%q was believed: %q", in, got)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(set(f, jose.JSONWebKey{Key: &ec(f, elliptic.P256()).PublicKey, KeyID: "a"}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseKeys(data)
		for _, k := range got.Keys {
			if err == nil && fit(k) != nil {
				t.Fatalf("%q gave a key that does not fit", data)
			}
		}
	})
}
