package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
)

func TestControllerCommands(t *testing.T) {
	_, who := controller(t)
	for _, c := range []struct {
		name      string
		as        api.Role
		args      []string
		code      int
		out, errs []string
	}{
		{"status", api.Viewer, []string{"status"}, 0, []string{
			"Test Creek, 2026-07-01 14:05:10 CDT, 59.7x as fast", "A rehearsal", "Mining at 280 kW.", "45.20 $/MWh (stale) from prices.csv", "marginal price unknown",
			"281 kW", "28 %", "missing", "limit binds, ABOVE ITS LIMIT for 3s", "80 hashing, 20 sleeping", "hall-a's limit binds", "no reading for a minute",
		}, nil},
		{"why", api.Viewer, []string{"why", "s21-017"}, 0, []string{"2026-07-01 14:05:10 CDT", "asleep, because the price is 900.00", "14:04:10.0  award", "-                      confirm"}, nil},
		{"why of a group", api.Viewer, []string{"why", "s21"}, 3, nil, []string{`no device "s21"`, "s21-001 and so on"}},
		{"why with a slip", api.Viewer, []string{"why", "m6os-004"}, 3, nil, []string{"did you mean m60s-004?"}},
		{"why of nothing known", api.Viewer, []string{"why", "excavator"}, 3, nil, []string{"the groups are s21, m60s"}},
		{"why at no time", api.Viewer, []string{"why", "s21-017", "--at", "noon"}, 2, nil, []string{`"noon" is not a time`, "14:05"}},
		{"limit", api.Operates, []string{"limit", "hall-a", "250", "kW", "--for", "1h", "--note", "hot"}, 0, []string{"hall-a is limited to 250 kW until 2026-07-01 20:05:10 UTC", "limit --clear op-1"}, nil},
		{"limits", api.Viewer, []string{"limits"}, 0, []string{"op-1", "250 kW", "07-01 15:05", "operator", "hot"}, nil},
		{"clear limit", api.Operates, []string{"limit", "--clear", "op-1"}, 0, []string{"limit op-1 is cleared"}, nil},
		{"clear it again", api.Operates, []string{"limit", "--clear", "op-1"}, 3, nil, []string{`limit "op-1": not found`}},
		{"no limits", api.Viewer, []string{"limits"}, 0, []string{"No limits but the nodes' own"}, nil},
		{"limit without unit", api.Operates, []string{"limit", "hall-a", "250"}, 2, nil, []string{"has no unit", "3.2 MW"}},
		{"limit below zero", api.Operates, []string{"limit", "--", "hall-a", "-1 kW"}, 2, nil, []string{"below zero"}},
		{"limit without power", api.Operates, []string{"limit", "hall-a"}, 2, nil, []string{"name a node and a power"}},
		{"limit nowhere", api.Operates, []string{"limit", "hall-x", "1MW"}, 3, nil, []string{"there are connection, hall-a"}},
		{"limit and clear", api.Operates, []string{"limit", "hall-a", "1MW", "--clear", "3"}, 2, nil, []string{"id alone"}},
		{"limit by a viewer", api.Viewer, []string{"limit", "hall-a", "1MW"}, 4, nil, []string{"the role viewer may not do this; it takes operator"}},
		{"hold", api.Operates, []string{"hold", "s21-001", "m60s", "--mode", "sleep"}, 0, []string{"2 devices held in mode sleep", "switchyard release s21-001 m60s"}, nil},
		{"hold nobody", api.Operates, []string{"hold", "nobody", "--mode", "run"}, 3, nil, []string{"neither a miner nor a group"}},
		{"hold in no mode", api.Operates, []string{"hold", "s21-001"}, 2, nil, []string{`required flag(s) "mode"`, "switchyard hold --help"}},
		{"hold in a wrong mode", api.Operates, []string{"hold", "s21-001", "--mode", "off"}, 2, nil, []string{"choose sleep or run"}},
		{"release", api.Operates, []string{"release", "s21-001"}, 0, []string{"1 device released"}, nil},
		{"release more", api.Operates, []string{"release", "m60s", "s21-001"}, 3, nil, []string{"not held", "before it, 1 device released"}},
		{"report", api.Viewer, []string{"report", "day", "--date", "2026-06-30"}, 0, []string{"Day 2026-06-30\nprofit 10\n"}, nil},
		{"report of no day", api.Viewer, []string{"report", "day", "--date", "yesterday"}, 2, nil, []string{"write it like 2026-01-31"}},
		{"report store alone", api.Viewer, []string{"report", "day", "--store", "x"}, 2, nil, []string{"needs --site too"}},
		{"tokens of a viewer", api.Viewer, []string{"token", "list"}, 4, nil, []string{"it takes admin"}},
		{"tokens", api.Admin, []string{"token", "list"}, 0, []string{"operator", "admin"}, nil},
		{"token new", api.Admin, []string{"token", "new", "--name", "night"}, 0, []string{"sy_"}, []string{`Token "night", role viewer`}},
		{"token twice", api.Admin, []string{"token", "new", "--name", "night"}, 2, nil, []string{"exists"}},
		{"token revoke", api.Admin, []string{"token", "revoke", "night"}, 0, []string{`token "night" is revoked`}, nil},
		{"token revoke again", api.Admin, []string{"token", "revoke", "night"}, 3, nil, []string{"not found"}},
	} {
		t.Run(c.name, func(t *testing.T) { who[c.as].run(t, c.args...).wants(t, c.code, c.out, c.errs) })
	}
}

func TestWhyTimesAreTheSites(t *testing.T) {
	f, who := controller(t)
	for at, want := range map[string]string{
		"13:30": "2026-07-01T18:30:00Z", "2026-06-30 23:15": "2026-07-01T04:15:00Z", "2026-07-01T12:00:00Z": "2026-07-01T12:00:00Z",
	} {
		who[api.Viewer].run(t, "why", "s21-017", "--at", at).wants(t, 0, nil, nil)
		if got := f.whyAsked.UTC().Format(time.RFC3339); got != want {
			t.Errorf("--at %s asks at %s, want %s", at, got, want)
		}
	}
}

// Every command that asks a controller gives exactly one JSON value on standard output.
func TestControllerJSON(t *testing.T) {
	_, who := controller(t)
	for _, args := range [][]string{
		{"status"},
		{"limits"},
		{"why", "s21-017"},
		{"limit", "hall-a", "1MW"},
		{"limits"},
		{"limit", "--clear", "op-1"},
		{"hold", "s21", "--mode", "run"},
		{"release", "s21"},
		{"report", "day"},
		{"token", "new", "--name", "n"},
		{"token", "list"},
		{"token", "revoke", "n"},
	} {
		r := who[api.Admin].run(t, append(args, "-o", "json")...)
		r.wants(t, 0, nil, nil)
		var v any
		r.decode(t, &v)
	}
	var live api.LiveView
	r := who[api.Viewer].run(t, "status", "-o", "json")
	r.decode(t, &live)
	if live.Plan != 7 || len(live.Groups) != 1 {
		t.Errorf("status -o json is not the live view: %s", r.out)
	}
	if r := who[api.Viewer].run(t, "why", "nobody", "-o", "json"); r.out != "" || r.code != 3 {
		t.Errorf("an error left %q on standard output, code %d", r.out, r.code)
	}
}

func TestChangesLeaveAuditLines(t *testing.T) {
	f, who := controller(t)
	who[api.Admin].run(t, "token", "new", "--name", "n", "--role", "operator")
	who[api.Admin].run(t, "token", "revoke", "n")
	who[api.Operates].run(t, "token", "new", "--name", "m")
	want := []string{"admin: new token n, operator: done", "admin: revoke token n: done", "operator: new-token: refused: role operator"}
	if diff := cmp.Diff(want, f.audit); diff != "" {
		t.Errorf("audit lines (-want +got):\n%s", diff)
	}
	if strings.Contains(strings.Join(f.audit, "\n"), "sy_") {
		t.Error("an audit line holds a token")
	}
}

func TestNobodyAnswers(t *testing.T) {
	gone := env{"SWITCHYARD_URL": "http://127.0.0.1:1", "SWITCHYARD_TOKEN": "sy_x"}
	gone.run(t, "status").wants(t, 5, nil, []string{"no controller answers at http://127.0.0.1:1: start one with `switchyard run site.yaml`"})
	env{}.run(t, "status", "--url", "http://127.0.0.1:1").wants(t, 5, nil, []string{"no controller answers"})
	env{}.run(t, "status", "--url", "localhost:8418").wants(t, 2, nil, []string{"write it like http://127.0.0.1:8418"})
}

func TestTokens(t *testing.T) {
	_, who := controller(t)
	url := who[api.Viewer]["SWITCHYARD_URL"]
	env{"SWITCHYARD_URL": url}.run(t, "status").wants(t, 4, nil, []string{"a token is needed", "SWITCHYARD_TOKEN", "--token-file"})
	env{"SWITCHYARD_URL": url, "SWITCHYARD_TOKEN": "sy_wrong"}.run(t, "status").wants(t, 4, nil, []string{"does not know this token"})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(who[api.Viewer]["SWITCHYARD_TOKEN"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env{"SWITCHYARD_URL": url}.run(t, "status", "--token-file", file).wants(t, 0, []string{"Test Creek"}, nil)
	if err := os.WriteFile(file, []byte("two words"), 0o600); err != nil {
		t.Fatal(err)
	}
	env{"SWITCHYARD_URL": url}.run(t, "status", "--token-file", file).wants(t, 2, nil, []string{"holds no token"})
	env{"SWITCHYARD_URL": url}.run(t, "status", "--token-file", file+"x").wants(t, 2, nil, []string{"read the token"})
}

func TestStrangeAnswers(t *testing.T) {
	answering(t, 200, "<html>").run(t, "status").wants(t, 1, nil, []string{"not as a Switchyard controller does"})
	answering(t, 404, "404 page not found").run(t, "status").wants(t, 1, nil, []string{"is --url right?"})
	answering(t, 302, "").run(t, "status").wants(t, 1, nil, []string{"302 Found"})
	answering(t, 503, `{"detail":"the disk is full"}`).run(t, "status").wants(t, 5, nil, []string{"the disk is full"})
	answering(t, 500, `{"detail":"oops"}`).run(t, "status").wants(t, 1, nil, []string{"oops"})
	answering(t, 200, strings.Repeat(" ", answerSize+1)).run(t, "status").wants(t, 1, nil, []string{"longer than 8 MiB"})
	answering(t, 422, `{"detail":"validation failed","errors":[{"message":"expected number >= 0","location":"body.for_s"}]}`).
		run(t, "status").wants(t, 2, nil, []string{"validation failed; for_s: expected number >= 0"})
}

func TestInterrupted(t *testing.T) {
	_, who := controller(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	who[api.Viewer].runContext(ctx, "status").wants(t, 1, nil, []string{"interrupted"})
}

// FuzzRefusal: whatever a server says with an error, the command ends with a code and one line.
func FuzzRefusal(f *testing.F) {
	f.Add(404, `{"detail":"x"}`)
	f.Add(500, `{"detail":"x","errors":[{"message":"y","location":"body.z"}]}`)
	f.Add(502, "<html>")
	f.Fuzz(func(t *testing.T, code int, body string) {
		k := &client{base: "http://x"}
		err := k.refusal(&http.Response{StatusCode: code, Status: "X"}, []byte(body))
		if exitCode(err) == exitOK || message(err) == "" {
			t.Errorf("%d %q ends with code %d and says %q", code, body, exitCode(err), message(err))
		}
	})
}
