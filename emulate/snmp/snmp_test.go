package snmp

import (
	"bytes"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func raritanAgent(outlets int) *agent {
	c := Config{ID: "pdu-1", Layout: "raritan-px", Community: "public"}
	for i := range outlets {
		c.Outlets = append(c.Outlets, Outlet{Number: i + 1})
	}
	return &agent{config: c, show: raritan}
}

// The request is one that a public MIB browser sent for the firmware of a Raritan unit; the
// response was put together by hand from RFC 3416 and X.690.
const (
	firmwareAsked = "30 31 02 01 01 04 06 70 75 62 6C 69 63 A0 24 02 04 36 8E D0 50 02 01 00 02 01 00 30 16" +
		"30 14 06 10 2B 06 01 04 01 EB 2E 06 03 02 03 01 06 01 01 01 05 00"
	firmwareTold = "30 3E 02 01 01 04 06 70 75 62 6C 69 63 A2 31 02 04 36 8E D0 50 02 01 00 02 01 00 30 23" +
		"30 21 06 10 2B 06 01 04 01 EB 2E 06 03 02 03 01 06 01 01 01 04 0D 33 2E 36 2E 31 2E 35 2D 34 37 30 31 36"
)

func TestGet(t *testing.T) {
	a := raritanAgent(2)
	asked := bytesOf(t, firmwareAsked)
	if got, want := a.answer(asked), bytesOf(t, firmwareTold); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	for name, spoil := range map[string]func([]byte){
		"a wrong community": func(b []byte) { b[7] = 'q' },
		"version 1":         func(b []byte) { b[4] = 0 },
		"a write":           func(b []byte) { b[13] = 0xA3 },
		"a cut":             func(b []byte) { b[1]++ },
		"no object":         func(b []byte) { b[30] = 0x04 },
	} {
		bad := slices.Clone(asked)
		spoil(bad)
		if got := a.answer(bad); got != nil {
			t.Errorf("%s is answered: %x", name, got)
		}
	}
	absent := slices.Clone(asked)
	absent[48-1-2] = 9 // another last number
	if got := a.answer(absent); !bytes.Contains(got, []byte{tagNoRow, 0}) && !bytes.Contains(got, []byte{tagNoObject, 0}) {
		t.Errorf("an object that is not there: %x", got)
	}
}

// TestBulk walks the whole tree in steps of GETBULK and of GETNEXT: both see each object once,
// in order, and no datagram is too long.
func TestBulk(t *testing.T) {
	a := raritanAgent(40)
	all := a.show(a.config.measure())
	for _, kind := range []byte{pduGetBulk, pduGetNext} {
		var seen int
		for name := (oid{1, 3}); ; {
			ask := element(tagSequence, element(tagInteger, []byte{1}), element(tagOctets, []byte("public")),
				element(kind, element(tagInteger, []byte{7}), element(tagInteger, []byte{0}), element(tagInteger, []byte{50}),
					element(tagSequence, bind(name, value{tag: tagNull}))))
			got := a.answer(ask)
			if len(got) > longestResponse {
				t.Fatalf("%d bytes", len(got))
			}
			r, err := parse(got) // a response is built like a request
			if err != nil || r.kind != pduResponse || len(r.names) == 0 {
				t.Fatalf("%x: %v", got, err)
			}
			for _, n := range r.names {
				if slices.Compare(n, name) <= 0 {
					break // the end
				}
				seen, name = seen+1, n
			}
			if bytes.Contains(got, []byte{tagEndOfView, 0}) {
				break
			}
		}
		if seen != len(all) {
			t.Errorf("kind %x saw %d of %d objects", kind, seen, len(all))
		}
	}
	var names []string
	for range maxBinds {
		names = append(names, firmwareAsked[strings.Index(firmwareAsked, "30 14"):])
	}
	binds := bytesOf(t, strings.Join(names, ""))
	ask := element(tagSequence, element(tagInteger, []byte{1}), element(tagOctets, []byte("public")),
		element(pduGet, element(tagInteger, []byte{7}), element(tagInteger, []byte{0}), element(tagInteger, []byte{0}), element(tagSequence, binds)))
	if r := a.answer(ask); len(r) > 100 || !bytes.Contains(r, []byte{2, 1, tooBig}) {
		t.Errorf("too much at once: %x", r)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[int64]string{0: "00", 127: "7f", 128: "0080", 255: "00ff", -1: "ff", -128: "80", -129: "ff7f", 40000: "009c40", 1<<32 - 1: "00ffffffff"} {
		if got := hex.EncodeToString(signed(v)); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
	o := oid{1, 3, 6, 1, 4, 1, 13742, 6, 4294967295, 0, 128}
	back, err := parseOID(o.encode())
	if err != nil || !slices.Equal(o, back) {
		t.Errorf("%v comes back as %v, %v", o, back, err)
	}
}

// TestServe asks over a socket, and closes while nobody asks.
func TestServe(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(conn, Config{Layout: "nobody's"}); err == nil {
		t.Error("an unknown layout is served")
	}
	a, err := Serve(conn, raritanAgent(1).config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = c.Write([]byte("nonsense"))
	_, _ = c.Write(bytesOf(t, firmwareAsked))
	b := make([]byte, 2048)
	if n, err := c.Read(b); err != nil || !bytes.Equal(b[:n], bytesOf(t, firmwareTold)) {
		t.Errorf("%x, %v", b[:n], err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzAnswer: no datagram makes an agent panic, or talk at length.
func FuzzAnswer(f *testing.F) {
	f.Add(bytesOf(f, firmwareAsked))
	f.Add(bytesOf(f, strings.Replace(firmwareAsked, "A0 24", "A5 24", 1)))
	a := raritanAgent(3)
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := a.answer(b); len(out) > longestResponse {
			t.Errorf("%d bytes", len(out))
		}
	})
}
