package sitefile

import "testing"

func TestHosts(t *testing.T) {
	for entry, want := range map[string]struct {
		n           int
		first, last string
	}{
		"10.0.0.7":              {1, "10.0.0.7", "10.0.0.7"},
		"10.0.4.0/24":           {254, "10.0.4.1", "10.0.4.254"},
		"10.0.0.250-10.0.1.5":   {12, "10.0.0.250", "10.0.1.5"},
		"127.0.0.1*300":         {1, "127.0.0.1", "127.0.0.1"},
		"10.0.0.0-10.0.255.255": {MaxAddresses, "10.0.0.0", "10.0.255.255"},
	} {
		got, err := Hosts(entry)
		if err != nil || len(got) != want.n || got[0].String() != want.first || got[len(got)-1].String() != want.last {
			t.Errorf("Hosts(%q) = %d addresses from %v, %v; want %d from %s to %s", entry, len(got), got[:min(1, len(got))], err, want.n, want.first, want.last)
		}
	}
	for _, entry := range []string{"10.0.0.0/8", "10.0.0.0-10.1.0.0", "10.0.0.9-10.0.0.1", "host", "", "2001:db8::/64"} {
		if got, err := Hosts(entry); err == nil {
			t.Errorf("Hosts(%q) = %d addresses, want an error", entry, len(got))
		}
	}
}
