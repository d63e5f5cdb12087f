package antminer

import (
	"encoding/json"
	"testing"

	"switchyard/emulate/plant"
)

func BenchmarkStats(b *testing.B) {
	d := newDevice(world(b, plant.MinerConfig{}).Miners()[0])
	b.ReportAllocs()
	for b.Loop() {
		v, c := d.view()
		d.answer(v, c, []byte(`{"command":"stats"}`))
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add([]byte(`{"miner-mode":1,"pools":[{"url":"a","user":"b","pass":"c"}],"bitmain-fan-ctrl":false}`))
	f.Add([]byte(`{"bitmain-work-mode":"3","freq-level":90}`))
	d := &device{}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseConf(body)
		if err == nil && !json.Valid(d.confReply(c)) {
			t.Errorf("%q makes the page %s", body, d.confReply(c))
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add(authorization("root", "root", "GET", "/", "1:2"))
	f.Add(`Digest a="\"`)
	f.Fuzz(func(t *testing.T, header string) {
		if d, err := parseDigest(header); err == nil && (d.user == "" || len(d.response) != 32) {
			t.Errorf("%q gives %+v", header, d)
		}
	})
}

func FuzzRPC(f *testing.F) {
	f.Add([]byte(`{"command":"stats+pools","new_api":true}`))
	f.Add([]byte(`{"command":"\u0000"}`))
	d := newDevice(world(f, plant.MinerConfig{}).Miners()[0])
	d.missComma = false
	v, c := d.view()
	f.Fuzz(func(t *testing.T, body []byte) {
		if reply := d.answer(v, c, body); (len(body) == 0 || body[0] == '{') && !json.Valid(reply) {
			t.Errorf("%q: %s", body, reply)
		}
	})
}
