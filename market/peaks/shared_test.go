package peaks

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"switchyard/unit"
)

// ercot reads the system load of the shared file, or skips.
func ercot(t testing.TB) []Load {
	t.Helper()
	const path = "../../../shared/data/ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz"
	f, err := os.Open(path)
	if err != nil {
		t.Skip("../shared/data/ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz is missing")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []Load
	for _, r := range rows[1:] {
		at, err := time.Parse(time.RFC3339, r[0])
		if err != nil {
			t.Fatal(err)
		}
		mw, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			mw = 0
		}
		out = append(out, Load{at, unit.Power(mw * 1e9)})
	}
	return out
}

func chicago(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return z
}
