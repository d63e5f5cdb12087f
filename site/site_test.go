package site

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

func TestNewTreeRefusesWhatIsNoTree(t *testing.T) {
	for name, c := range map[string]struct {
		nodes []Node
		want  string
	}{
		"nothing":              {nil, "at least the connection"},
		"no name":              {[]Node{{Parent: -1}}, "node 0 has no name"},
		"the same name":        {[]Node{{ID: "a", Parent: -1}, {ID: "a"}}, "node a stands twice"},
		"a parent above all":   {[]Node{{ID: "a", Parent: 0}}, "has no parent"},
		"two connections":      {[]Node{{ID: "a", Parent: -1}, {ID: "b", Parent: -1}}, "parent must stand before"},
		"its own parent":       {[]Node{{ID: "a", Parent: -1}, {ID: "b", Parent: 1}}, "parent must stand before"},
		"a parent after it":    {[]Node{{ID: "a", Parent: -1}, {ID: "b", Parent: 2}, {ID: "c", Parent: 1}}, "node b: its parent"},
		"a parent nobody is":   {[]Node{{ID: "a", Parent: -1}, {ID: "b", Parent: 9}}, "parent must stand before"},
		"a very wrong parent":  {[]Node{{ID: "a", Parent: -1}, {ID: "b", Parent: -7}}, "parent must stand before"},
		"a wrong first parent": {[]Node{{ID: "a", Parent: -2}}, "has no parent"},
	} {
		if tree, err := NewTree(c.nodes); err == nil || tree != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, tree, err)
		}
	}
}

func TestTreeIsItsOwn(t *testing.T) {
	nodes := []Node{{ID: "a", Parent: -1, Limit: unit.Megawatt}, {ID: "b", Limit: unit.Kilowatt}}
	tree, err := NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].Limit, nodes[1].ID = 0, "c"
	if tree.Node(1).Limit != unit.Kilowatt || tree.Node(1).ID != "b" || tree.Len() != 2 {
		t.Error("the tree changed with the slice it was made from")
	}
	if i, ok := tree.Index("b"); i != 1 || !ok {
		t.Errorf("b is %d, %v", i, ok)
	}
	if _, ok := tree.Index("c"); ok {
		t.Error("a node that does not exist was found")
	}
}

func TestTitleBeginsASentence(t *testing.T) {
	tree, err := NewTree([]Node{{ID: "poi", Name: "grid connection", Parent: -1}, {ID: "tx-1"}, {ID: "f", Name: "île de feu"}})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[NodeID]string{"poi": "Grid connection", "tx-1": "Tx-1", "f": "Île de feu", "gone": "Gone", "": ""} {
		if got := tree.Title(id); got != want {
			t.Errorf("%q is called %q, want %q", id, got, want)
		}
	}
}

// Below agrees with walking up by names, for any tree.
func TestBelowIsThePathUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(r, "nodes")
		nodes := []Node{{ID: "n0", Parent: -1}}
		for i := 1; i < n; i++ {
			nodes = append(nodes, Node{ID: NodeID(fmt.Sprint("n", i)), Parent: rapid.IntRange(0, i-1).Draw(r, "parent")})
		}
		tree, err := NewTree(nodes)
		if err != nil {
			r.Fatal(err)
		}
		for i := range n {
			above := map[int]bool{}
			for k := i; k >= 0; k = tree.Node(k).Parent {
				above[k] = true
			}
			for top := range n {
				if tree.Below(i, top) != above[top] {
					r.Fatalf("Below(%d, %d) is %v in %v", i, top, !above[top], nodes)
				}
			}
		}
	})
}

func TestLimitIn(t *testing.T) {
	at := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)
	timed := Limit{From: at, To: at.Add(time.Hour)}
	open := Limit{From: at}
	always := Limit{}
	for d, want := range map[time.Duration][2]bool{
		-time.Nanosecond: {false, false}, 0: {true, true}, time.Hour - 1: {true, true}, time.Hour: {false, true}, 1000 * time.Hour: {false, true},
	} {
		if got := [2]bool{timed.In(at.Add(d)), open.In(at.Add(d))}; got != want || !always.In(at.Add(d)) {
			t.Errorf("at %s: %v, want %v", d, got, want)
		}
	}
	if !timed.In(at.In(time.FixedZone("", 3600))) {
		t.Error("the zone of a time changes the answer")
	}
}

func TestUnknownIsNotZero(t *testing.T) {
	var unknown Opt[unit.Power]
	zero := Some(unit.Power(0))
	if unknown == zero {
		t.Error("unknown equals a known zero")
	}
	if unknown.Or(7) != 7 || zero.Or(7) != 0 || Some(unit.Power(5)).Or(7) != 5 {
		t.Error("Or")
	}
}

func TestTextForms(t *testing.T) {
	got := map[string]string{}
	for k, v := range map[string]any{
		"states":    []State{StateUnknown, StateHashing, StateStarting, StateSleeping, StateFault, 200},
		"qualities": []Quality{Measured, Estimated, Missing, 200},
		"classes":   []Class{Firm, Flexible, 200},
		"modes":     []Mode{ModeRun, ModeSleep, 200},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got[k] = string(b)
	}
	// A slice of bytes would be base64: the kinds' own slices are not.
	want := map[string]string{
		"states":    `["unknown","hashing","starting","sleeping","fault","unknown"]`,
		"qualities": `["measured","estimated","missing","missing"]`,
		"classes":   `["firm","flexible","flexible"]`,
		"modes":     `["run","sleep","sleep"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("text forms (-want +got):\n%s", diff)
	}
	for s, want := range map[string]Setpoint{
		"run": {}, "sleep": {Mode: ModeSleep}, "run at 2.5 kW": {Power: Some(2500 * unit.Watt)},
	} {
		if got := want.String(); got != s {
			t.Errorf("%+v prints as %q, want %q", want, got, s)
		}
	}
	if got := (Setpoint{Mode: ModeSleep, Power: Some(unit.Kilowatt)}).String(); got != "sleep" {
		t.Errorf("a sleeping device's power is no matter, but it prints as %q", got)
	}
	r := Reasonf(ReasonLimit, "tx-1", "tx-1 is at %d %%", 100)
	if b, _ := json.Marshal(r); string(b) != `{"code":"limit","node":"tx-1","text":"tx-1 is at 100 %"}` {
		t.Errorf("a reason is %s", b)
	}
}

func TestModeReadsBack(t *testing.T) {
	for _, m := range []Mode{ModeRun, ModeSleep} {
		var back Mode
		if err := back.UnmarshalText([]byte(m.String())); err != nil || back != m {
			t.Errorf("%s reads back as %s: %v", m, back, err)
		}
	}
	m := ModeSleep
	for _, bad := range []string{"", "Run", "sleeping", "0"} {
		if err := m.UnmarshalText([]byte(bad)); err == nil || m != ModeSleep {
			t.Errorf("%q was read as %s", bad, m)
		}
	}
}

// What people set is kept as JSON: it must come back as it was, to the milliwatt.
func TestHoldsAndLimitsSurviveTheDisk(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(r, "at"), rapid.Int64Range(0, 999_999_999).Draw(r, "ns")).UTC()
		l := Limit{ID: "op-1", Node: "tx-1", Power: unit.Power(rapid.Int64Range(0, 1e15).Draw(r, "mW")), From: at, By: "eva", Note: rapid.String().Draw(r, "note")}
		if rapid.Bool().Draw(r, "ends") {
			l.To = at.Add(time.Duration(rapid.Int64Range(1, 1e15).Draw(r, "for")))
		}
		h := Hold{Device: "s21-001", Mode: Mode(rapid.IntRange(0, 1).Draw(r, "mode")), By: "eva", At: at}
		var l2 Limit
		var h2 Hold
		for _, p := range [][2]any{{l, &l2}, {h, &h2}} {
			b, err := json.Marshal(p[0])
			if err == nil {
				err = json.Unmarshal(b, p[1])
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		if diff := cmp.Diff(l, l2) + cmp.Diff(h, h2); diff != "" {
			r.Fatalf("it came back changed (-want +got):\n%s", diff)
		}
	})
}

func TestStyle(t *testing.T) {
	watts := Some(Range{unit.Kilowatt, 3 * unit.Kilowatt})
	for _, c := range []struct {
		caps Capabilities
		want string
	}{
		{Capabilities{}, "read-only"},
		{Capabilities{Sleep: true}, "mode"},
		{Capabilities{Percent: true}, "percent"},
		{Capabilities{Sleep: true, Percent: true, MinPercent: 50}, "percent"},
		{Capabilities{Watts: watts}, "watts"},
		{Capabilities{Sleep: true, Percent: true, Watts: watts}, "watts"},
	} {
		if got := c.caps.Style(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.caps, got, c.want)
		}
	}
}

func TestLiftAddsLossesOnTheWay(t *testing.T) {
	tree, err := NewTree([]Node{{ID: "connection", Parent: -1, Loss: 0.2}, {ID: "hall-a", Parent: 0, Loss: 0.5}, {ID: "hall-b", Parent: 0}})
	if err != nil {
		t.Fatal(err)
	}
	p := []unit.Power{1 * unit.Kilowatt, 2 * unit.Kilowatt, 3 * unit.Kilowatt}
	tree.Lift(p)
	if p[1] != 4*unit.Kilowatt || p[2] != 3*unit.Kilowatt || p[0] != 10*unit.Kilowatt {
		t.Errorf("2 kW behind a loss of a half, 3 kW without, 1 kW at the connection that loses a fifth: %v", p)
	}
}
