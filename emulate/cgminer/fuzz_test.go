package cgminer

import (
	"strings"
	"testing"
	"time"

	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

// FuzzAnswer: whatever a client sends, the answer is one of the protocol's and nothing breaks.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"command":"summary+stats"}`, `{"command":"addpool","parameter":"u,w\\,\\,p,x"}`, `{"command":"removepool","parameter":"1"}`, `version`} {
		f.Add([]byte(s))
	}
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: unit.Megawatt}})
	if err != nil {
		f.Fatal(err)
	}
	k := Make()
	model, _ := k.Model("S9")
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w, err := plant.New(plant.Config{Seed: 1, Tree: tree, Miners: []plant.MinerConfig{{ID: "m", Group: "g", Make: k, IP: "127.0.0.1", Model: model}}}, start)
	if err != nil {
		f.Fatal(err)
	}
	w.Step(start.Add(time.Minute))
	d := newDevice(w.Miners()[0])
	f.Fuzz(func(t *testing.T, body []byte) {
		reply := d.answer(d.m.View(), body)
		if s := string(reply); reply != nil && !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "STATUS=") {
			t.Errorf("%q: %q", body, reply)
		}
		if n := len(d.m.View().Pools); n > 16 {
			t.Errorf("%d pools", n)
		}
	})
}
