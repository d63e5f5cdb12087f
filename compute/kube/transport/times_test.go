package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"switchyard/clock"
)

// A server that goes by site time is told from one that goes by the machine's by its first answer.
func TestWhichClock(t *testing.T) {
	site := clock.Anchored{Wall: time.Now(), Site: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Rate: 60}
	for name, now := range map[string]func() time.Time{"the site's": site.Now, "the machine's": time.Now} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		}))
		by := NewServer(site)
		times := NewTimes(site, by)
		res, err := (&http.Client{Transport: by.Watch(http.DefaultTransport)}).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		srv.Close()
		at := now()
		if d := times.Site(at).Sub(site.Now()).Abs(); d > 5*time.Minute {
			t.Errorf("by %s clock a stamp of now is %s off", name, d)
		}
		if d := times.Machine(times.Site(at)).Sub(at).Abs(); d > time.Second {
			t.Errorf("by %s clock there and back is %s off", name, d)
		}
	}
	if !NewTimes(site, nil).Site(time.Time{}).IsZero() {
		t.Error("no time became one")
	}
}
