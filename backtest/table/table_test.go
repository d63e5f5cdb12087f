package table

import (
	"math"
	"strings"
	"testing"
)

func read(t *testing.T, text string) *Table {
	t.Helper()
	tab, err := Read("p.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// TestWhatIsBadIsLeftOut: gaps, duplicates, nulls and absurd numbers are no numbers, and counted.
func TestWhatIsBadIsLeftOut(t *testing.T) {
	tab := read(t, "\uFEFFinterval_start,rt_price,da_price\r\n"+
		"2024-03-10T07:00:00Z,10,1\n"+
		"2024-03-10T09:00:00Z,null,3\n"+ // 08:00 is missing
		"2024-03-10T10:00:00Z,9999999,4\n"+
		"2024-03-10T11:00:00Z,\"12\",5\n"+
		"2024-03-10T11:00:00Z,13,5\n"+ // twice: the later one counts
		"2024-03-10T12:10:00Z,14,6\n"+ // off the grid
		"noon,15,7\n"+
		"2024-03-10T13:00:00Z,<html>,8\n"+
		"2024-03-10T14:00:00Z,16\n"+
		"\n"+
		"2024-03-10T15:00:00Z,-17,9\n")
	s, err := tab.Series(tab.Find([]string{"da_price"}, "price"), -5000, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := []float64{10, nan, nan, nan, 13, nan, nan, 16, -17}
	if len(s.V) != len(want) || s.Step != 3600 {
		t.Fatalf("%v every %d s, want %v", s.V, s.Step, want)
	}
	for i, v := range want {
		if got := s.V[i]; got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
			t.Errorf("interval %d holds %v, want %v", i, got, v)
		}
	}
	if tab.Bad != 2 || tab.Twice != 1 || tab.Null != 1 || s.Absurd != 1 || s.Off != 1 {
		t.Errorf("bad %d, twice %d, null %d, absurd %d, off %d: want 2, 1, 1, 1, 1", tab.Bad, tab.Twice, tab.Null, s.Absurd, s.Off)
	}
	if told := strings.Join(tab.Told, "\n"); !strings.Contains(told, `p.csv:8: the time "noon"`) || !strings.Contains(told, `p.csv:9: the rt_price "<html>" is not a number`) {
		t.Errorf("told:\n%s", told)
	}
	if v := s.At(s.End()); !math.IsNaN(v) || s.At(s.Start+3599) != 10 || !math.IsNaN(s.At(s.Start-1)) {
		t.Error("a number counts outside of its interval")
	}
}

// TestWhatIsNoFile: each is one clear line.
func TestWhatIsNoFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":       {"", "is empty"},
		"a page":        {"<!doctype html>\n<html></html>\n", "header line"},
		"only a header": {"time,price\n", "no sound row"},
		"no times":      {"time,price\nx,1\n", `the time "x" is not like`},
		"half packed":   {"\x1f\x8bxx", "unpack"},
	} {
		if _, err := Read("p.csv", strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	tab := read(t, "time,price\n2024-01-01T00:00:00Z,\n")
	if _, err := tab.Series(0, 0, 1); err == nil {
		t.Error("a column of nothing is a series")
	}
	if _, err := tab.Named("prise"); err == nil || !strings.Contains(err.Error(), `did you mean "price"`) {
		t.Errorf("a slip: %v", err)
	}
	wide := read(t, "time,price\n1970-01-01T00:00:00Z,1\n1970-01-01T00:00:01Z,1\n2070-01-01T00:00:00Z,1\n")
	if _, err := wide.Series(0, 0, 2); err == nil {
		t.Error("a century of seconds was laid out")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("interval_start,rt_price\n2024-03-10T07:00:00Z,10\n2024-03-10T08:00:00Z,\"1\n")
	f.Add("date,price\n2024-01-01,1\n2023-01-01,2\n2024-01-01,nan\n")
	f.Fuzz(func(t *testing.T, in string) {
		tab, err := Read("p.csv", strings.NewReader(in))
		if err != nil {
			return
		}
		for i := 1; i < len(tab.starts); i++ {
			if tab.starts[i] <= tab.starts[i-1] {
				t.Fatal("rows are not in order, each once")
			}
		}
		for k := range tab.Header {
			if s, err := tab.Series(k, -1e4, 1e4); err == nil && len(s.V) > 1<<22 {
				t.Skip()
			}
		}
	})
}
