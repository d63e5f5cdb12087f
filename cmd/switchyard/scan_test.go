package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A rack map that is wrong is told before anything is scanned.
func TestScanReadsRacksFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "racks.csv")
	if err := os.WriteFile(path, []byte("device,rak\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "scan", "127.0.0.1", "--racks", path).wants(t, 2, nil, []string{`unknown column "rak"; did you mean "rack"?`})
	env{}.run(t, "scan", "--listen", "127.0.0.1").wants(t, 2, nil, []string{"give it no range"})
	env{}.run(t, "scan").wants(t, 2, nil, []string{"at least 1 arg"})
	env{}.run(t, "scan", "127.0.0.1", "--password", "secret").wants(t, 2, nil, []string{`"env:" or "file:"`})
}
