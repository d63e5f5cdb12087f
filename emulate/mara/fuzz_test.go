package mara

import "testing"

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"mode":{"work-mode-selector":"Auto","concorde":{"mode-select":"PowerTarget","power-target":3000}},"pools":[{"url":"u","user":"w"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseConfig(data); err == nil && c.Mode == nil {
			t.Fatal("a configuration without a mode")
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"command":"version"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, err := parseRequest(data); err == nil && len(data) == 0 && q.Command != "" {
			t.Fatal("a command of nothing")
		}
	})
}

func FuzzDigest(f *testing.F) {
	f.Add(`Digest username="root", realm="MaraFW", nonce="1", uri="/", qop=auth, nc=00000001, cnonce="a", response="b"`)
	f.Fuzz(func(t *testing.T, header string) {
		if p := parseDigest(header); len(header) > maxAuth && p != nil {
			t.Fatal("a header that is too long was read")
		}
	})
}
