package antminer

import (
	"strings"
	"testing"

	"switchyard/emulate/plant"
)

func TestPassword(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	for _, c := range []struct{ body, want string }{
		{`{"curPwd":"wrong","newPwd":"a","confirmPwd":"a"}`, "P001"},
		{`{"curPwd":"root","newPwd":"a","confirmPwd":"b"}`, "P002"},
		{`{"curPwd":"root","newPwd":"","confirmPwd":""}`, "P002"},
		{`[]`, "P003"},
		{`{"curPwd":"root","newPwd":"a","confirmPwd":"a"}`, "P000"},
	} {
		if got := r.page(t, "POST", "/cgi-bin/passwd.cgi", c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.body, got)
		}
	}
	if _, password := r.m.Credentials(); password != "a" {
		t.Errorf("the password is %q", password)
	}
}

func TestPoolsArePartOfTheConfiguration(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	before := r.m.View().Pools
	r.page(t, "POST", "/cgi-bin/set_miner_conf.cgi", `{"pools":[{"url":"stratum+tcp://a:1","user":"w","pass":"x"}],"miner-mode":0}`)
	if got := r.m.View().Pools; len(got) != 1 || got[0].URL != "stratum+tcp://a:1" || got[0].Worker != "w" {
		t.Errorf("pools %v, before %v", got, before)
	}
}
