package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotify(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, string(b))
	}))
	defer srv.Close()
	text, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	doc := string(text) + "notices:\n  - {name: hook, url: env:SY_TEST_HOOK}\n  - {name: gone, url: env:SY_TEST_GONE, level: critical}\n"
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SY_TEST_HOOK", "generic://"+strings.TrimPrefix(srv.URL, "http://")+"/s3cr3t?disabletls=yes")
	env{}.run(t, "check", path).wants(t, 0, []string{
		"notices[1].url: read secret env:SY_TEST_GONE: it is empty or not set; where the controller runs it must be there", "ok, 1 warning",
	}, nil)
	env{}.run(t, "notify", path).wants(t, 1, []string{"hook    warning     env:SY_TEST_HOOK  ok; --test", "gone    critical    env:SY_TEST_GONE  read secret"}, nil)
	if got != nil {
		t.Errorf("sent without --test: %q", got)
	}
	r := env{}.run(t, "notify", path, "hook", "--test")
	r.wants(t, 0, []string{"a test message was taken"}, nil)
	if len(got) != 1 || !strings.Contains(got[0], "Test Creek: a test of the notices to hook") || strings.Contains(r.out+r.err, "s3cr3t") {
		t.Errorf("sent %q, printed %s", got, r.out)
	}
	env{}.run(t, "notify", path, "--test", "-o", "json").wants(t, 1, []string{`"sent": true`, `"ok": false`}, nil)
	env{}.run(t, "notify", path, "hok").wants(t, 3, nil, []string{`there is no notice "hok"`, `did you mean "hook"?`})
	env{}.run(t, "notify", "testdata/site.yaml").wants(t, 0, []string{"nobody is told of alerts"}, nil)
	t.Setenv("SY_TEST_GONE", "s3cr3t")
	env{}.run(t, "check", path).wants(t, 0, []string{"env:SY_TEST_GONE is no service's address"}, nil)
}
