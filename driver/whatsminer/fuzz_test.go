package whatsminer

import (
	"bytes"
	"testing"

	"switchyard/driver/rpc"
	"switchyard/unit"
)

func FuzzReplyV2(f *testing.F) {
	for _, n := range []string{"v2-summary-msg.json", "v2-devs.json", "v2-pools.json", "v2-status.json"} {
		data := readTestdata(f, n)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rpc.Parse(data)
		if err != nil {
			return
		}
		_ = check(r.Status())
		if h, err := parseSummary(r); err == nil {
			if h.power.OK && (h.power.V < 0 || h.power.V > unit.Megawatt) || h.rate.OK && h.rate.V < 0 {
				t.Fatalf("%+v", h)
			}
		}
		if len(parseDevs(r)) > 16 || len(parsePools(r)) > 16 {
			t.Fatal("more boards or pools than a miner has")
		}
	})
}

func FuzzUnseal(f *testing.F) {
	f.Add("2/SyX9jSHsHQuwkADwVscw==", "key")
	f.Fuzz(func(t *testing.T, enc, key string) {
		if plain, err := (&token{key: key}).unseal(enc); err == nil && plain[0] != '{' {
			t.Fatal("not an object")
		}
	})
}

func FuzzFrameV3(f *testing.F) {
	f.Add(frame(readTestdata(f, "v3-status.json")))
	f.Add(frame([]byte(`{"code":0}`)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := readFrame(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(body)+4 > len(data) {
			t.Fatal("more than there was")
		}
		o, err := parseV3(body)
		if err != nil {
			return
		}
		_ = checkV3(o)
		if h, err := parseStatusV3(o.Object("msg")); err == nil && (len(h.boards) > 16 || h.power.OK && h.power.V < 0) {
			t.Fatalf("%+v", h)
		}
		parsePoolsV3(o.Object("msg"))
	})
}
