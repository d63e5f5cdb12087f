package whatsminer

import (
	"crypto/aes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/face/facetest"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// ask sends one request and reads to the end.
func (r *rig) ask(t testing.TB, request string) string {
	t.Helper()
	c := r.dial(t)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMD5Crypt uses vectors of crypt(3): glibc's, openssl's documentation, and passwords
// of every length class by openssl passwd -1.
func TestMD5Crypt(t *testing.T) {
	for _, c := range []struct{ password, salt, want string }{
		{"Hello world!", "saltstring", "YMyguxXMBpd2TEZ.vS/3q1"},
		{"password", "xxxxxxxx", "UYCIxa628.9qXjpQCjM4a."},
		{"", "dOHYPKoP", "tnxS1T8Q6VVn3kpV8cN6o."},
		{"x", "ab", "e2KlfqG5YBMTjSz7XF.Eu1"},
		{"admin", "BQ5hoXV9", "RxmaDUO33TS7O26yeMHZ81"},
		{"a very much longer text to encrypt.  This one even stretches over morethan one line.", "anotherl", "K6Vw1g4o5xCrk48TD5civ."},
	} {
		if got := md5crypt(c.password, c.salt); got != c.want {
			t.Errorf("md5crypt(%q, %q) = %q, not %q", c.password, c.salt, got, c.want)
		}
	}
}

// TestCipher checks what is built on the standard library's AES: blocks and padding.
func TestCipher(t *testing.T) {
	x, err := newBox("UYCIxa628.9qXjpQCjM4a.")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		text := `{"a":"` + strings.Repeat("b", n) + `"}`
		sealed := x.seal([]byte(text))
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		if len(raw)%aes.BlockSize != 0 || len(raw)-len(text) >= aes.BlockSize {
			t.Fatalf("%d bytes became %d", len(text), len(raw))
		}
		if got, err := x.open(sealed); err != nil || string(got) != text {
			t.Fatalf("%q came back as %q, %v", text, got, err)
		}
	}
	pad := 16 - len(`{"cmd":"x"}`)
	text := `{"cmd":"x"}` + strings.Repeat(string(rune(pad)), pad)
	if got, err := x.open(x.seal([]byte(text))); err != nil || string(got) != `{"cmd":"x"}` {
		t.Errorf("PKCS #7: %q, %v", got, err)
	}
	if _, err := x.open("AAAA"); err == nil {
		t.Error("half a block was decrypted")
	}
}

// client is a hand-made client of the encrypted API.
type client struct {
	key  [32]byte
	sign string
}

func (r *rig) login(t testing.TB, password string) client {
	t.Helper()
	var got struct {
		STATUS string
		Code   int
		Msg    struct{ Time, Salt, Newsalt string }
	}
	text := r.ask(t, `{"cmd":"get_token"}`)
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Code != 134 || len(got.Msg.Time) != 4 || len(got.Msg.Salt) != 8 {
		t.Fatalf("token: %v %s", err, text)
	}
	key := md5crypt(password, got.Msg.Salt)
	return client{key: sha256.Sum256([]byte(key)), sign: md5crypt(key+got.Msg.Time, got.Msg.Newsalt)}
}

// write sends an encrypted command and decrypts the answer, if it is encrypted.
func (c client) write(t testing.TB, r *rig, fields string) string {
	t.Helper()
	block, _ := aes.NewCipher(c.key[:])
	text := []byte(`{"token":"` + c.sign + `",` + fields + `}`)
	for len(text)%16 != 0 {
		text = append(text, 0)
	}
	for i := 0; i < len(text); i += 16 {
		block.Encrypt(text[i:], text[i:i+16])
	}
	reply := r.ask(t, `{"enc":1,"data":"`+base64.StdEncoding.EncodeToString(text)+`"}`)
	var enc struct{ Enc string }
	if json.Unmarshal([]byte(reply), &enc) != nil || enc.Enc == "" {
		return reply
	}
	b, err := base64.StdEncoding.DecodeString(enc.Enc)
	if err != nil || len(b)%16 != 0 {
		t.Fatalf("encrypted reply %q: %v", enc.Enc, err)
	}
	for i := 0; i < len(b); i += 16 {
		block.Decrypt(b[i:], b[i:i+16])
	}
	return "encrypted " + strings.TrimRight(string(b), "\x00")
}

// compareSubset compares with a fixture that does not hold all that API 2.0.5 tells.
func compareSubset(t *testing.T, fixture, got string) {
	t.Helper()
	var want, have any
	if err := json.Unmarshal(facetest.Fixture(t, fixture), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &have); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	for _, d := range facetest.Differences(want, have) {
		if !strings.HasSuffix(d, "is not on the device") {
			t.Errorf("%s: %s", fixture, d)
		}
	}
}

func TestReadsHaveTheShapeOfTheFixtures(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	for _, name := range []string{"summary", "devs", "pools", "get_version", "get_psu", "get_miner_info", "status"} {
		compareSubset(t, "whatsminer-v2/"+name+".json", r.ask(t, `{"cmd":"`+name+`"}`))
	}
	for _, name := range []string{"summary", "devs", "pools", "get_version", "get_psu"} { // the older firmware tells more of these
		compareSubset(t, "whatsminer-v1/"+name+".json", r.ask(t, `{"command":"`+name+`"}`))
	}
	if a, b := r.ask(t, `{"cmd":"edevs"}`), r.ask(t, `{"cmd":"devs"}`); a != b {
		t.Errorf("edevs %s\ndevs %s", a, b)
	}
	if got := r.ask(t, `{"cmd":"devdetails"}`); !json.Valid([]byte(got)) || strings.Count(got, `"Model":"M60SVK30"`) != 3 {
		t.Error(got)
	}
	if got := r.ask(t, `{"cmd":"get_error_code"}`); !strings.Contains(got, `"error_code":[]`) {
		t.Error(got)
	}
}

func TestErrorsOfADeadBoard(t *testing.T) {
	r := serve(t, "whatsminer", fault.Set{{Kind: fault.DeadBoard}})
	facetest.Compare(t, "whatsminer-v2/get_error_code.json", []byte(r.ask(t, `{"cmd":"get_error_code"}`)))
	if got := r.ask(t, `{"cmd":"get_error_code"}`); !strings.Contains(got, `[{"532":"`) {
		t.Error(got)
	}
	if got := r.ask(t, `{"cmd":"summary"}`); !strings.Contains(got, `"Error Code Count":1`) {
		t.Error(got)
	}
}

func TestPlainRequests(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	for request, code := range map[string]int{
		`{"cmd":"nonsense"}`: codeInvalid, `{}`: codeInvalid, `{"cmd":`: codeBadJSON, "summary": codeBadJSON,
		`{"cmd":"power_off","respbefore":"true"}`: codeDenied, `{"enc":1,"data":"*"}`: codeBase64,
		`{"enc":1,"data":"AAAA"}`: codeBadJSON, `{"enc":1}`: codeBadJSON,
	} {
		if got := r.ask(t, request); !strings.Contains(got, fmt.Sprintf(`"Code":%d,`, code)) {
			t.Errorf("%s: %s", request, got)
		}
	}
	if v := r.m.View(); v.Mode != plant.ModeRun {
		t.Error("a plain write was followed")
	}
}

func TestPowerOffAndOn(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	c := r.login(t, "admin")
	if got := c.write(t, r, `"cmd":"power_off","respbefore":"true"`); !strings.HasPrefix(got, `encrypted {"STATUS":"S"`) || !strings.Contains(got, "131") {
		t.Fatal(got)
	}
	if v := r.later(2 * time.Minute); v.Mode != plant.ModeSleep || v.Power > 100*unit.Watt {
		t.Fatalf("it is not off: %v %v", v.Mode, v.Power)
	}
	if got := r.ask(t, `{"cmd":"status"}`); !strings.Contains(got, `"mineroff":"true"`) || strings.Contains(got, `"mineroff_time":""`) {
		t.Error(got)
	}
	if got := r.ask(t, `{"cmd":"summary"}`); !strings.Contains(got, `"HS RT":0.00`) || !strings.Contains(got, `"Elapsed":0,`) {
		t.Error(got)
	}
	if got := c.write(t, r, `"cmd":"set_power_pct","percent":"50"`); !strings.Contains(got, `"Code":132`) {
		t.Errorf("a percentage while off: %s", got)
	}
	if got := c.write(t, r, `"cmd":"power_on"`); !strings.Contains(got, `"Code":131`) {
		t.Fatal(got)
	}
	if got := c.write(t, r, `"cmd":"set_power_pct","percent":"50"`); !strings.Contains(got, `"Code":131`) {
		t.Fatal(got)
	}
	v := r.later(20 * time.Minute)
	if v.Hashrate < 160*unit.TeraHash || v.Percent != 100 {
		t.Errorf("the percentage counted before the search was over: %v, %d %%", v.Hashrate, v.Percent)
	}
}

func TestPercentAndLimit(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	c := r.login(t, "admin")
	for _, percent := range []string{`"60"`, `60`} {
		c.write(t, r, `"cmd":"set_power_pct_v2","percent":`+percent)
		if v := r.later(10 * time.Minute); v.Percent != 60 || v.Power > 2200*unit.Watt || v.Power < 1900*unit.Watt {
			t.Errorf("percent %s: %d %%, %v", percent, v.Percent, v.Power)
		}
		c.write(t, r, `"cmd":"set_power_pct","percent":"100"`)
	}
	c.write(t, r, `"cmd":"set_power_pct","percent":"60"`)
	if got := c.write(t, r, `"cmd":"adjust_power_limit","power_limit":"3000"`); !strings.Contains(got, `"Code":131`) {
		t.Fatal(got)
	}
	if v := r.later(10 * time.Minute); v.Limit != 3*unit.Kilowatt || v.Percent != 100 || v.Power > 3100*unit.Watt {
		t.Errorf("limit %v, %d %%, %v", v.Limit, v.Percent, v.Power)
	}
	if got := r.ask(t, `{"cmd":"status"}`); !strings.Contains(got, `"power_limit_set":"3000"`) {
		t.Error(got)
	}
	c = r.login(t, "admin") // the first token is too old by now
	for _, bad := range []string{
		`"cmd":"set_power_pct","percent":"101"`, `"cmd":"set_power_pct"`, `"cmd":"set_power_pct","percent":"NaN"`,
		`"cmd":"adjust_power_limit","power_limit":"-1"`, `"cmd":"adjust_power_limit","power_limit":[]`,
	} {
		if got := c.write(t, r, bad); !strings.Contains(got, `"Code":132`) {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

func TestTokens(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	c := r.login(t, "admin")
	if got := c.write(t, r, `"cmd":"summary"`); !strings.HasPrefix(got, "encrypted ") || !strings.Contains(got, "SUMMARY") {
		t.Errorf("an encrypted read: %s", got)
	}
	stranger := c
	stranger.sign = "gone"
	if got := stranger.write(t, r, `"cmd":"power_on"`); !strings.Contains(got, `"Code":135`) {
		t.Errorf("a made-up token: %s", got)
	}
	if got := r.login(t, "wrong").write(t, r, `"cmd":"power_on"`); !strings.Contains(got, `"Code":23`) {
		t.Errorf("a wrong password: %s", got)
	}
	r.later(29 * time.Minute)
	if got := c.write(t, r, `"cmd":"power_on"`); !strings.Contains(got, `"Code":131`) {
		t.Errorf("after 29 minutes: %s", got)
	}
	r.later(time.Minute)
	if got := c.write(t, r, `"cmd":"power_on"`); !strings.Contains(got, `"Code":135`) {
		t.Errorf("after 30 minutes: %s", got)
	}
}

func TestTooManyTokens(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	for range maxTokens {
		r.login(t, "admin")
	}
	if got := r.ask(t, `{"cmd":"get_token"}`); !strings.Contains(got, `"Code":136`) {
		t.Error(got)
	}
	r.later(30 * time.Minute)
	r.login(t, "admin")
	k := &tokens{salt: "abcdefgh"}
	for i := range maxClients {
		if _, ok := k.give(fmt.Sprint(i), "admin", start); !ok {
			t.Fatalf("client %d was refused", i)
		}
	}
	if _, ok := k.give("one more", "admin", start); ok {
		t.Error("an address too many got a token")
	}
}

func TestWrongPasswordFault(t *testing.T) {
	r := serve(t, "whatsminer", fault.Set{{Kind: fault.WrongPassword}})
	if got := r.login(t, "admin").write(t, r, `"cmd":"power_off"`); !strings.Contains(got, `"Code":23`) {
		t.Error(got)
	}
}

func TestRefusedAndReboot(t *testing.T) {
	r := serve(t, "whatsminer", fault.Set{{Kind: fault.Refusing, Chance: 1, To: start.Add(11 * time.Minute)}})
	c := r.login(t, "admin")
	if got := c.write(t, r, `"cmd":"power_off"`); !strings.Contains(got, `"Code":132`) || r.m.View().Mode != plant.ModeRun {
		t.Errorf("refused: %s", got)
	}
	r.later(2 * time.Minute)
	c.write(t, r, `"cmd":"reboot"`)
	if v := r.later(time.Second); !v.Rebooting {
		t.Fatal("it does not reboot")
	}
	if got := r.ask(t, `{"cmd":"summary"}`); got != "" {
		t.Errorf("a device that boots answered %s", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, driver := range []string{"whatsminer", "whatsminer-v3"} {
		r := serve(t, driver, nil)
		for range 5 {
			r.dial(t)
		}
		if err := r.closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		_ = r.closer.Close()
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i > 500 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := Serve(nil, nil); err == nil {
		t.Error("it serves without a listener")
	}
}

func BenchmarkSummary(b *testing.B) {
	d := newV2(world(b, "whatsminer", nil).Miners()[0])
	b.ReportAllocs()
	for b.Loop() {
		d.answer(d.m.View(), "a", []byte(`{"cmd":"summary"}`))
	}
}

func FuzzV2(f *testing.F) {
	f.Add([]byte(`{"cmd":"summary"}`))
	f.Add([]byte(`{"enc":1,"data":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	d := newV2(world(f, "whatsminer", nil).Miners()[0])
	v := d.m.View()
	f.Fuzz(func(t *testing.T, body []byte) {
		if reply, _ := d.answer(v, "a", body); !json.Valid(reply) {
			t.Errorf("%q: %s", body, reply)
		}
	})
}
