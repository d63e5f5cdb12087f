package lines

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                        {""},
		"a, b ,":                  {"a", "b", ""},
		`"a, b" , c`:              {"a, b", "c"},
		`"say ""no""",""`:         {`say "no"`, ""},
		`5" pipe,1`:               {`5" pipe`, "1"},
		`a,"b`:                    nil,
		`"a"b,c`:                  nil,
		`"a""`:                    nil,
		"2024-03-10T07:00:00Z,-1": {"2024-03-10T07:00:00Z", "-1"},
	} {
		got, ok := Split(line, nil)
		if ok != (want != nil) {
			t.Errorf("%s: %q, %v", line, got, ok)
		}
		if diff := cmp.Diff(want, got); ok && diff != "" {
			t.Errorf("%s: (-want +got)\n%s", line, diff)
		}
	}
}

func TestUnpack(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("time,price\n"))
	_ = z.Close()
	for _, in := range []string{"time,price\n", packed.String()} {
		r, err := Unpack(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "time,price\n" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := Unpack(strings.NewReader("\x1f\x8bxx")); err == nil {
		t.Error("what only begins as gzip was unpacked")
	}
	if r, err := Unpack(strings.NewReader("")); err != nil {
		t.Error(err)
	} else if n, err := io.Copy(io.Discard, r); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// FuzzSplit holds what is cut against the standard library's reader, where that takes the line.
func FuzzSplit(f *testing.F) {
	f.Add(`a,"b ""c"" d", e`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		got, ok := Split(line, nil)
		r := csv.NewReader(strings.NewReader(line))
		r.TrimLeadingSpace = true
		want, err := r.Read()
		if err != nil {
			return
		}
		for i := range want {
			want[i] = strings.TrimSpace(want[i])
		}
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", line, ok, diff)
		}
	})
}
