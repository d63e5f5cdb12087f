package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/sitefile"
)

var noon = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)

// box takes messages in place of a service.
type box struct {
	mu   sync.Mutex
	got  []string
	fail func(n int) error // of the n-th message, from 1
	n    int
	log  bytes.Buffer
}

func (b *box) send(_, message string) error {
	b.mu.Lock()
	b.n++
	n, fail := b.n, b.fail
	b.mu.Unlock()
	if fail != nil {
		if err := fail(n); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, message)
	return nil
}

func (b *box) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.got
	b.got = nil
	return out
}

// bubble runs f beside a running Notifier, in a bubble of time.
func bubble(t *testing.T, s sitefile.Notice, f func(n *Notifier, b *box)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &box{}
		n := New(Options{
			Site: "North Creek", Notices: []sitefile.Notice{s}, Zone: time.FixedZone("CST", -6*3600), Log: slog.New(slog.NewTextHandler(&b.log, nil)),
			Secret: func(ref string) (string, error) {
				if ref == "env:GONE" {
					return "", errors.New("read secret env:GONE: it is empty or not set")
				}
				return "slack://hook:s3cr3t-t0ken@channel", nil
			},
		})
		n.send = b.send
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { n.Run(ctx); close(ended) }()
		f(n, b)
		cancel()
		<-ended
		if strings.Contains(b.log.String(), "s3cr3t") {
			t.Errorf("the log shows the secret:\n%s", b.log.String())
		}
	})
}

func notice(id, level string) Notice {
	return Notice{ID: id, Level: level, At: noon, Subject: id, Text: "it is\nhot", Todo: "look"}
}

func TestNoticesAreGathered(t *testing.T) {
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK"}, func(n *Notifier, b *box) {
		n.Tell(notice("s21-001", "warning"))
		n.Tell(notice("s21-002", "info")) // below the level
		time.Sleep(30 * time.Second)
		n.Tell(notice("s21-003", "critical"))
		n.Tell(Notice{ID: "hall-a", Level: "warning", At: noon, Subject: "hall-a", Text: "it was away", Todo: "-", Over: true})
		synctest.Wait()
		if got := b.take(); got != nil {
			t.Errorf("sent at once: %q", got)
		}
		time.Sleep(31 * time.Second)
		want := []string{"North Creek: 3 notices\n12:00 CRITICAL s21-003: it is hot (look)\n12:00 WARNING s21-001: it is hot (look)\n12:00 over hall-a: it was away"}
		if diff := cmp.Diff(want, b.take()); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		n.Tell(notice("s21-001", "warning"))
		n.Tell(Notice{ID: "s21-001", Level: "warning", At: noon, Subject: "s21-001", Text: "it was hot", Over: true})
		time.Sleep(2 * time.Minute)
		if diff := cmp.Diff([]string{"North Creek: 1 notice\n12:00 came and went s21-001: it was hot"}, b.take()); diff != "" {
			t.Errorf("what came and went (-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		if got := b.take(); got != nil {
			t.Errorf("sent for nothing: %q", got)
		}
		n.Tell(notice("last", "critical"))
		synctest.Wait()
	})
}

func TestAStopSendsWhatWaits(t *testing.T) {
	var b *box
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK", Every: time.Hour}, func(n *Notifier, x *box) {
		b = x
		n.Tell(notice("s21-001", "warning"))
		synctest.Wait()
	})
	if got := b.take(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestLevels(t *testing.T) {
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK", Level: "critical", Every: time.Second}, func(n *Notifier, b *box) {
		n.Tell(notice("a", "warning"))
		n.Tell(notice("b", "critical"))
		time.Sleep(time.Minute)
		if got := b.take(); len(got) != 1 || strings.Contains(got[0], " a:") {
			t.Errorf("%q", got)
		}
	})
}

func TestAServiceThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK"}, func(n *Notifier, b *box) {
		b.fail = func(n int) error {
			if n < 4 {
				return fmt.Errorf(`Post "https://hooks.slack.com/services/s3cr3t-t0ken": refused`)
			}
			return nil
		}
		n.Tell(notice("a", "warning"))
		time.Sleep(time.Minute + 36*time.Second)
		if got := b.take(); len(got) != 1 || b.n != 4 {
			t.Errorf("after 4 attempts: %q, %d attempts", got, b.n)
		}
		if !strings.Contains(b.log.String(), "refused") || !strings.Contains(b.log.String(), "service=night") {
			t.Errorf("the log says %s", b.log.String())
		}
		b.mu.Lock()
		b.fail = func(int) error { return errors.New("down") }
		b.mu.Unlock()
		n.Tell(notice("b", "warning"))
		time.Sleep(time.Hour)
		if b.n != 4+attempts || !strings.Contains(b.log.String(), "given up") {
			t.Errorf("%d attempts; log %s", b.n, b.log.String())
		}
		b.mu.Lock()
		b.fail = nil
		b.mu.Unlock()
		n.Tell(notice("c", "warning"))
		time.Sleep(2 * time.Minute)
		if got := b.take(); len(got) != 1 || !strings.Contains(got[0], "1 notice (1 more were left out)") {
			t.Errorf("after it is back: %q", got)
		}
	})
	bubble(t, sitefile.Notice{Name: "night", URL: "env:GONE"}, func(n *Notifier, b *box) {
		n.Tell(notice("a", "warning"))
		time.Sleep(time.Hour)
		if b.n != 0 || !strings.Contains(b.log.String(), "env:GONE") {
			t.Errorf("%d sent; log %s", b.n, b.log.String())
		}
	})
}

func TestAServiceThatHangs(t *testing.T) {
	release := make(chan struct{})
	defer func() { <-release }()
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK"}, func(n *Notifier, b *box) {
		stuck := make(chan struct{})
		b.fail = func(int) error { <-stuck; return nil }
		n.Tell(notice("a", "warning"))
		time.Sleep(time.Hour)
		if b.n != maxHung || !strings.Contains(b.log.String(), "did not answer within 20s") {
			t.Errorf("%d exchanges; log %s", b.n, b.log.String())
		}
		close(stuck)
	})
	close(release)
}

func TestTheQueueIsBounded(t *testing.T) {
	bubble(t, sitefile.Notice{Name: "night", URL: "env:SLACK", Level: "info"}, func(n *Notifier, b *box) {
		n.Tell(notice("the-first", "critical"))
		for i := range 3 * queueSize {
			n.Tell(notice(fmt.Sprint("d-", i), []string{"info", "warning"}[i%2]))
		}
		time.Sleep(2 * time.Minute)
		got := b.take()
		if len(got) != 1 || !strings.HasPrefix(got[0], "North Creek: 1000 notices (2001 more were left out)\n12:00 CRITICAL the-first") {
			t.Fatalf("%d messages: %.200s", len(got), got)
		}
		if m := got[0]; len(m) > maxMessage+maxLine || strings.Contains(m, "INFO") || strings.Count(m, "WARNING") != maxLines-1 || !strings.HasSuffix(m, "and 960 more: `switchyard health` lists them") {
			t.Errorf("%d bytes: %s", len(m), m)
		}
	})
}

// TestAWebhook sends through the library to a server on this machine.
func TestAWebhook(t *testing.T) {
	got := make(chan string, 1)
	code := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(code)
		select {
		case got <- r.URL.Path + " " + string(b):
		default:
		}
	}))
	defer srv.Close()
	address := "generic://" + strings.TrimPrefix(srv.URL, "http://") + "/hook/s3cr3t-t0ken?disabletls=yes"
	if err := sendWithShoutrrr(address, "North Creek: 1 notice"); err != nil {
		t.Fatal(err)
	}
	if g := <-got; !strings.HasPrefix(g, "/hook/s3cr3t-t0ken") || !strings.Contains(g, "North Creek: 1 notice") {
		t.Errorf("the server got %q", g)
	}
	code = http.StatusForbidden
	for _, a := range []string{address, "generic://127.0.0.1:1/hook/s3cr3t-t0ken?disabletls=yes", "nosuch://s3cr3t-t0ken", "slack://s3cr3t-t0ken", "::s3cr3t-t0ken"} {
		err := scrub(sendWithShoutrrr(a, "x"), a)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestErrorsAreScrubbed(t *testing.T) {
	err := scrub(errors.New(`Post "https://discord.com/api/webhooks/1234/to%20ken%2Fx": no such host; key to ken/x`), "discord://to%20ken%2Fx@1234")
	if s := err.Error(); strings.Contains(s, "ken") || strings.Contains(s, "1234") || !strings.Contains(s, "no such host") {
		t.Error(s)
	}
	if scrub(nil, "x") != nil {
		t.Error("no error became one")
	}
}
