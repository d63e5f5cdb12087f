package modbus

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchyard/driver"
)

func TestValues(t *testing.T) {
	le := Little
	cases := []struct {
		name        string
		typ         Type
		data        []uint16
		words, byts Order
		want        float64
		known       bool
	}{
		{"u16", U16, []uint16{0xFFFE}, Big, Big, 65534, true},
		{"s16", S16, []uint16{0xFFFE}, Big, Big, -2, true},
		{"u32", U32, []uint16{0x0001, 0x0002}, Big, Big, 65538, true},
		{"u32 low word first", U32, []uint16{0x0002, 0x0001}, le, Big, 65538, true},
		{"u32 bytes swapped", U32, []uint16{0x0100, 0x0200}, Big, le, 65538, true},
		{"u32 all swapped", U32, []uint16{0x0200, 0x0100}, le, le, 65538, true},
		{"s32", S32, []uint16{0xFFFF, 0xFFFE}, Big, Big, -2, true},
		{"u64", U64, []uint16{0, 1, 0, 0}, Big, Big, 1 << 32, true},
		{"s64 low word first", S64, []uint16{0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF}, le, Big, -2, true},
		{"f32", F32, []uint16{0x4148, 0}, Big, Big, 12.5, true},
		{"f32 NaN", F32, []uint16{0x7FC0, 0}, Big, Big, 0, false},
		{"f32 infinite", F32, []uint16{0x7F80, 0}, Big, Big, 0, false},
		{"f64", F64, []uint16{0x4029, 0, 0, 0}, Big, Big, 12.5, true},
	}
	for _, c := range cases {
		var data []byte
		for _, w := range c.data {
			data = binary.BigEndian.AppendUint16(data, w)
		}
		p := &Profile{WordOrder: c.words, ByteOrder: c.byts}
		m := image{profile: p, spans: []span{{kind: Holding, at: 100, count: len(c.data), data: data}}}
		got := m.value(&Register{Address: 100, Type: c.typ, Scale: 1})
		if got.OK != c.known || got.V != c.want {
			t.Errorf("%s: %+v, want %v %v", c.name, got, c.want, c.known)
		}
	}
}

func TestPlanCoversEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap, most := rapid.IntRange(0, 30).Draw(t, "gap"), rapid.IntRange(4, 125).Draw(t, "most")
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) span {
			return span{kind: Kind(rapid.IntRange(1, 2).Draw(t, "kind")), at: rapid.IntRange(0, 400).Draw(t, "at"), count: rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "n")}
		}), 1, 12).Draw(t, "want")
		got := plan(want, gap, most)
		for _, w := range want {
			covered := false
			for _, g := range got {
				covered = covered || g.kind == w.kind && g.at <= w.at && w.at+w.count <= g.at+g.count
			}
			if !covered {
				t.Fatalf("%v is not read by %v", w, got)
			}
		}
		for i, g := range got {
			if g.count > most {
				t.Fatalf("%v asks for more than %d", g, most)
			}
			if i > 0 && got[i-1].kind == g.kind && g.at-(got[i-1].at+got[i-1].count) <= gap && g.at+g.count-got[i-1].at <= most {
				t.Fatalf("%v and %v could be one request", got[i-1], g)
			}
		}
	})
}

func TestShippedProfiles(t *testing.T) {
	names := Profiles()
	if len(names) < 3 {
		t.Fatalf("profiles %v", names)
	}
	for _, n := range names {
		p, err := LoadProfile(n)
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		if p.Name != n || p.About == "" || p.Source == "" {
			t.Errorf("%s: name %q, about %q, source %q", n, p.Name, p.About, p.Source)
		}
	}
	if _, err := LoadProfile("sunspek"); err == nil || !strings.Contains(err.Error(), `"sunspec"`) {
		t.Errorf("misspelt: %v", err)
	}
	if _, err := Open(driver.Target{Device: "m"}); err == nil {
		t.Error("no profile: no error")
	}
}

func TestProfileFaults(t *testing.T) {
	data := `name: x
kind: holdin
max_read: 500
registers:
  power: {address: 5, type: f31, unit: Wh}
  energy: {address: 65535, type: u32, unit: kWh, scale: 0, wraps: "-1"}
  frequncy: {address: 1, type: u16, unit: Hz}
`
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadProfile(file)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{":2:", "holding", ":3:", "source", ":5:", `"f31"`, ":6:", "wraps", "65535", "frequency", "scale"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if _, err := LoadProfile(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("missing file: no error")
	}
}

func FuzzParseProfile(f *testing.F) {
	for _, n := range Profiles() {
		data, err := shipped.ReadFile("profiles/" + n + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProfile("f.yaml", data)
		if err != nil {
			return
		}
		maps := []*Registers{p.Registers}
		if p.Chain != nil {
			maps = nil
			for i := range p.Chain.Models {
				maps = append(maps, &p.Chain.Models[i].Registers)
			}
		}
		for _, r := range maps {
			for _, s := range plan(r.spans(0, p.Kind), p.gap(), p.MaxRead) {
				if s.count < 1 || s.count > maxRegisters {
					t.Fatalf("a request of %d registers", s.count)
				}
			}
			image{profile: p}.value(r.Power)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 7}, byte(1))
	f.Add([]byte{0, 1, 0, 0, 0, 3, 1, 0x83, 2}, byte(1))
	f.Fuzz(func(t *testing.T, data []byte, count byte) {
		_, body, err := readFrame(bytes.NewReader(data))
		if err != nil {
			return
		}
		if got, err := parseBody(body, 1, 3, int(count)); err == nil && len(got) != 2*int(count) {
			t.Fatalf("%d bytes for %d registers", len(got), count)
		}
	})
}
