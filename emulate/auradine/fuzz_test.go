package auradine

import "testing"

func FuzzCommand(f *testing.F) {
	f.Add([]byte(`{"command":"mode","mode":"custom","tune":"power","power":2000}`))
	f.Add([]byte(`{"command":"updatepools","pools":[{"url":"u","user":"w"}],"code":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseCommand(data); err == nil && len(data) == 0 && c.Command != "" {
			t.Fatal("a command of nothing")
		}
	})
}
