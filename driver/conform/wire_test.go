package conform

import "testing"

func TestUpkeepIsNoRequest(t *testing.T) {
	ping, window, ack := "\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678", "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00", "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	headers := "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x82"
	for _, c := range []struct {
		sent string
		want bool
	}{
		{ping, true},
		{window + ack, true},
		{window + headers, false},
		{headers, false},
		{ping[:12], false},
		{ping + "\x00", false},
		{"", false},
		{`{"command":"summary"}`, false},
		{"GET / HTTP/1.1\r\n\r\n", false},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + ack, false},
	} {
		if upkeep([]byte(c.sent)) != c.want {
			t.Errorf("%q counted as upkeep: %v", c.sent, !c.want)
		}
	}
}
