package journal

import (
	"strconv"
	"testing"
	"time"
)

func TestRetainKeepsWhatIsYoungAndEveryAuditLine(t *testing.T) {
	j, _ := open(t, Options{Keep: 24 * time.Hour})
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for i := range 6 {
		kind := KindNote
		if i == 0 {
			kind = KindAudit
		}
		if _, err := j.Append(Entry{At: start.Add(time.Duration(i) * 12 * time.Hour), Kind: kind, Text: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.retain()
	left, err := j.Feed(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var texts string
	for _, e := range left {
		texts += e.Text
	}
	if texts != "5430" { // newest first; 3 is exactly a day older than 5
		t.Errorf("left: %s", texts)
	}
}
