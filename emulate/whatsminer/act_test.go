package whatsminer

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/plant"
)

func TestActsV2(t *testing.T) {
	r := serve(t, "whatsminer", nil)
	c := r.login(t, "admin")
	for _, x := range []struct {
		fields string
		code   int
	}{
		{`"cmd":"set_led"`, codeError},
		{`"cmd":"set_led","color":"blue","period":60,"duration":20,"start":0`, codeError},
		{`"cmd":"set_led","color":"red","period":60,"duration":20,"start":0`, codeOK},
		{`"cmd":"update_pools","pool1":"","worker1":"w"`, codeError},
		{`"cmd":"update_pools","pool1":"stratum+tcp://a:1","worker1":"w","passwd1":"x","pool2":"","worker2":"","passwd2":""`, codeOK},
		{`"cmd":"update_pwd","old":"wrong","new":"secret"`, codeError},
		{`"cmd":"update_pwd","old":"admin","new":""`, codeError},
		{`"cmd":"update_pwd","old":"admin","new":"secret"`, codeOK},
	} {
		if got := c.write(t, r, x.fields); !strings.HasPrefix(got, "encrypted") || !strings.Contains(got, `"Code":`+strconv.Itoa(x.code)) {
			t.Errorf("%s: %s", x.fields, got)
		}
	}
	acted(t, r.m)
	if got := c.write(t, r, `"cmd":"set_led","param":"auto"`); strings.Contains(got, "131") {
		t.Error("the old password's token still counts")
	}
	if got := r.login(t, "secret").write(t, r, `"cmd":"set_led","param":"auto"`); !strings.Contains(got, "131") || r.m.View().LED {
		t.Errorf("%s, light %v", got, r.m.View().LED)
	}
}

// acted checks what both tests told.
func acted(t *testing.T, m *plant.Miner) {
	t.Helper()
	v := m.View()
	if _, password := m.Credentials(); password != "secret" {
		t.Errorf("the password is %q", password)
	}
	if len(v.Pools) != 1 || v.Pools[0].URL != "stratum+tcp://a:1" || v.Pools[0].Worker != "w" || !v.LED {
		t.Errorf("pools %v, light %v", v.Pools, v.LED)
	}
}

// sealed encrypts a parameter as the maker's example does.
func sealed(t *testing.T, cmd, param, password, salt string, at time.Time) string {
	t.Helper()
	key := sha256.Sum256([]byte(cmd + password + salt + strconv.FormatInt(at.Unix(), 10)))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(param)%aes.BlockSize
	b := append([]byte(param), bytes.Repeat([]byte{byte(pad)}, pad)...)
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Encrypt(b[i:], b[i:])
	}
	return strconv.Quote(base64.StdEncoding.EncodeToString(b))
}

func TestActsV3(t *testing.T) {
	r := serve(t, "whatsminer-v3", nil)
	conn := r.dial(t)
	salt, at := r.salt(t, conn), r.m.Now()
	const pools = `[{"pool":"stratum+tcp://a:1","worker":"w","passwd":"x"},{"pool":"","worker":"","passwd":""}]`
	seal := func(cmd, param string) string { return sealed(t, cmd, param, "super", salt, at) }
	for _, x := range []struct {
		cmd, param string
		code       int
	}{
		{"set.system.led", `[]`, v3Item},
		{"set.system.led", `[{"color":"blue","period":200}]`, v3Item},
		{"set.system.led", `[{"color":"red","period":200,"duration":100,"start":0}]`, v3OK},
		{"set.miner.pools", pools, v3Item}, // not encrypted
		{"set.miner.pools", seal("set.miner.pools", `[]`), v3Item},
		{"set.miner.pools", seal("another", pools), v3Item},
		{"set.miner.pools", seal("set.miner.pools", pools), v3OK},
		{"set.user.change_passwd", seal("set.user.change_passwd", `{"account":"super","old":"wrong","new":"secret"}`), v3Item},
		{"set.user.change_passwd", seal("set.user.change_passwd", `{"account":"user1","old":"super","new":"secret"}`), v3Item},
		{"set.user.change_passwd", seal("set.user.change_passwd", `{"account":"super","old":"super","new":"secret"}`), v3OK},
	} {
		if got := exchange(t, conn, signed(x.cmd, x.param, "super", "super", salt, at)); got.Code != x.code {
			t.Errorf("%s %s: %+v", x.cmd, x.param, got)
		}
	}
	acted(t, r.m)
}
