package feed

import "testing"

func TestLocal(t *testing.T) {
	for address, want := range map[string]string{"file:a/b": "a/b", "file:///a/b": "/a/b", "reports": "reports", "C:/x": "C:/x", "https://x/": "", "": ""} {
		if got, ok := (Feed{URL: address}).Local(); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", address, got, ok)
		}
	}
}
