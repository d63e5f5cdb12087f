package notify

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/sitefile"
)

func TestAddressesAreChecked(t *testing.T) {
	for _, c := range []struct{ address, says string }{
		{"", "read secret env:X: it is empty"},
		{"s3cr3t-t0ken", "env:X is no service's address; it is written like"},
		{"https://hooks.example/s3cr3t-t0ken", "env:X is a web address; a webhook of your own is generic://"},
		{"slakc://s3cr3t-t0ken@channel", `of no service that is known; did you mean "slack"?`},
		{"slack://s3cr3t-t0ken", "is not as the service slack wants it"},
		{"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", ""},
		{"generic://hooks.example/s3cr3t-t0ken", ""},
		{"generic+https://hooks.example/s3cr3t-t0ken", ""},
		{"matrix://user:s3cr3t-t0ken@127.0.0.1:1/", ""}, // nobody is asked
	} {
		err := CheckAddress(func(ref string) (string, error) {
			if c.address == "" {
				return "", errors.New("read secret " + ref + ": it is empty or not set")
			}
			return c.address, nil
		}, "env:X")
		switch {
		case c.says == "" && err != nil, c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", c.address, err, c.says)
		case err != nil && strings.Contains(err.Error(), "s3cr3t"):
			t.Errorf("%s: the secret shows: %v", c.address, err)
		}
	}
}

func TestAFaultShowsFromTheStartUntilAMessageWasTaken(t *testing.T) {
	bubble(t, sitefile.Notice{Name: "night", URL: "env:GONE"}, func(n *Notifier, b *box) {
		time.Sleep(time.Second)
		want := []Fault{{"night", "read secret env:GONE: it is empty or not set"}}
		if diff := cmp.Diff(want, n.Faults()); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		if log := b.log.String(); !strings.Contains(log, "people are not told") || !strings.Contains(log, "env:GONE") {
			t.Errorf("the log says %s", log)
		}
		if err := n.Test(t.Context(), "night"); err == nil || !strings.Contains(err.Error(), "env:GONE") {
			t.Errorf("a test: %v", err)
		}
		if err := n.Test(t.Context(), "day"); err == nil {
			t.Error("a notice that is not there is tested")
		}
		n.services[0].URL = "env:SLACK"
		n.Tell(notice("a", "warning"))
		time.Sleep(2 * time.Minute)
		if f := n.Faults(); f != nil || len(b.take()) != 1 {
			t.Errorf("faults after a message: %v", f)
		}
	})
}

// Nobody hears "over" of what nobody heard of.
func TestAnEndIsToldWhereItsBeginningWas(t *testing.T) {
	over := func(id, level string) Notice {
		x := notice(id, level)
		x.Over = true
		return x
	}
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK", Level: "critical"}, func(n *Notifier, b *box) {
		n.Tell(notice("a", "warning")) // below the level
		n.Tell(notice("b", "critical"))
		time.Sleep(2 * time.Minute)
		b.take()
		n.Tell(over("a", "critical")) // and above it since
		n.Tell(over("b", "critical"))
		n.Tell(notice("b", "critical")) // again, before its end was told
		time.Sleep(2 * time.Minute)
		if got := b.take(); got != nil {
			t.Errorf("told %q", got)
		}
		b.mu.Lock()
		b.fail = func(int) error { return errors.New("down") }
		b.mu.Unlock()
		n.Tell(notice("c", "critical"))
		time.Sleep(time.Hour)
		b.mu.Lock()
		b.fail = nil
		b.mu.Unlock()
		n.Tell(over("c", "critical")) // its beginning was given up
		n.Tell(over("b", "critical"))
		time.Sleep(2 * time.Minute)
		if got := b.take(); len(got) != 1 || strings.Contains(got[0], "c: ") || !strings.Contains(got[0], "over b: ") {
			t.Errorf("told %q", got)
		}
	})
}
