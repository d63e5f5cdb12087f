package sitefile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTargets(t *testing.T) {
	g := Group{
		ID: "s21", Addresses: []string{"10.0.0.255 - 10.0.1.1", "10.0.4.0/30", "10.0.9.9/32", "10.0.9.10/31", "127.0.0.1*2", "fd00::a-fd00::b"},
		Ports: map[string]Port{"rpc": {20000, true}, "http": {8080, false}},
	}
	var got []string
	for _, a := range g.Targets() {
		got = append(got, fmt.Sprintf("%s %s %d %d", a.Device, a.Host, a.Ports["rpc"], a.Ports["http"]))
	}
	want := []string{
		"s21-001 10.0.0.255 20000 8080", "s21-002 10.0.1.0 20001 8080", "s21-003 10.0.1.1 20002 8080",
		"s21-004 10.0.4.1 20003 8080", "s21-005 10.0.4.2 20004 8080", "s21-006 10.0.9.9 20005 8080",
		"s21-007 10.0.9.10 20006 8080", "s21-008 10.0.9.11 20007 8080",
		"s21-009 127.0.0.1 20008 8080", "s21-010 127.0.0.1 20009 8080", "s21-011 fd00::a 20010 8080", "s21-012 fd00::b 20011 8080",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestTargetsWidth(t *testing.T) {
	for n, want := range map[int][2]string{
		9: {"g-001", "g-009"}, 999: {"g-001", "g-999"}, 1000: {"g-0001", "g-1000"}, 65536: {"g-00001", "g-65536"},
	} {
		got := Group{ID: "g", Addresses: []string{fmt.Sprintf("127.0.0.1*%d", n)}}.Targets()
		if len(got) != n || string(got[0].Device) != want[0] || string(got[n-1].Device) != want[1] || got[0].Ports != nil {
			t.Errorf("%d miners: %d from %s to %s", n, len(got), got[0].Device, got[len(got)-1].Device)
		}
	}
}

func TestBadAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"miner-1":             "is not an IP address",
		"10.0.0.300":          "is not an IP address",
		"10.0.0.1-50":         "is not an IP address",
		"10.0.0.9-10.0.0.1":   "runs backwards",
		"10.0.0.1-fd00::1":    "runs backwards",
		"10.0.4.7/24":         `write "10.0.4.0/24" for the whole network or "10.0.4.7" for the one device`,
		"10.0.4.0/33":         "is not a network",
		"127.0.0.1*0":         "is not a count",
		"127.0.0.1*x":         "is not a count",
		"0.0.0.0":             "is not the address of a device",
		"224.0.0.0/24":        "is not the address of a device",
		"fe80::1%eth0":        "is not the address of a device",
		"":                    "is not an IP address",
		"10.0.0.1-10.0.0.2-3": "is not an IP address",
	} {
		if _, err := parseSpan(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
	for _, big := range []string{"10.0.0.0/8", "fd00::/64", "::1-fd00::1", "10.0.0.0-10.1.0.0", "127.0.0.1*99999999", "10.0.0.0/15"} {
		if sp, err := parseSpan(big); err != nil || sp.n != MaxAddresses+1 {
			t.Errorf("%q: %d addresses, %v", big, sp.n, err)
		}
	}
}

// A range has as many addresses as lie between its ends, and begins and ends with them.
func TestRangeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint32Range(0x0a000000, 0x0affffff).Draw(t, "first")
		n := rapid.Uint32Range(1, 3000).Draw(t, "n")
		at := func(v uint32) string {
			return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
		}
		got := Group{ID: "g", Addresses: []string{at(first) + "-" + at(first+n-1)}}.Targets()
		if len(got) != int(n) || got[0].Host != at(first) || got[n-1].Host != at(first+n-1) {
			t.Fatalf("%d targets", len(got))
		}
	})
}

func TestPort(t *testing.T) {
	for text, want := range map[string]Port{"8080": {8080, false}, "20000+": {20000, true}, " 80 ": {80, false}} {
		var p Port
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want {
			t.Errorf("%q = %+v, %v", text, p, err)
		}
		var again Port
		if b, err := p.MarshalText(); err != nil || again.UnmarshalText(b) != nil || again != p {
			t.Errorf("%+v does not come back from its text", p)
		}
	}
	for _, bad := range []string{"", "+", "0", "65536", "80-90", "-1", "http", "80++"} {
		if err := new(Port).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a port", bad)
		}
	}
}

func TestParseTimeOfDay(t *testing.T) {
	for text, minutes := range map[string]int{"00:00": 0, "16:30": 990, "24:00": 1440, "23:59": 1439} {
		if d, err := ParseTimeOfDay(text); err != nil || int(d.Minutes()) != minutes {
			t.Errorf("%q = %v, %v", text, d, err)
		}
	}
	for _, bad := range []string{"", "9:30", "24:01", "16.30", "16:30:00"} {
		if _, err := ParseTimeOfDay(bad); err == nil {
			t.Errorf("%q is a time of day", bad)
		}
	}
}
