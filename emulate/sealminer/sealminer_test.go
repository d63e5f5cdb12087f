package sealminer_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchyard/emulate/rig"
	"switchyard/emulate/sealminer"
	"switchyard/site"
)

func start(t *testing.T) *rig.Rig {
	return rig.One(t, sealminer.Make(), sealminer.Serve, "A2", nil)
}

// ask posts to a page and returns its answer and the cookie that it sets.
func ask(t *testing.T, r *rig.Rig, cookie, name, body string) (answer, set string) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["http"]))+"/cgi-bin/"+name+".php", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	set, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return string(b), set
}

func rpc(t *testing.T, r *rig.Rig, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["rpc"])))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, request)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRPCNeedsNoLogin: the RPC port reads and stops the miner for anybody.
func TestRPCNeedsNoLogin(t *testing.T) {
	r := start(t)
	for request, want := range map[string]string{
		`{"command":"version"}`:                     `"BDMiner":`,
		`{"command":"stats"}`:                       `"PSU Input Power":`,
		`{"command":"summary"}`:                     `"SUMMARY":`,
		`{"command":"pools"}`:                       `"Stratum Active":`,
		`{"command":"ascset","parameter":"0,warm"}`: `"STATUS":"E"`,
		`{"command":"quit"}`:                        `"STATUS":"E"`,
		`nonsense`:                                  `"STATUS":"E"`,
	} {
		if got := rpc(t, r, request); !strings.Contains(got, want) {
			t.Errorf("%s: %s", request, got)
		}
	}
	if rpc(t, r, `{"command":"ascset","parameter":"0,suspend"}`); r.Obeys().Mode != site.ModeSleep {
		t.Errorf("suspend: obeys %v", r.Obeys())
	}
	if rpc(t, r, `{"command":"restart"}`); r.Obeys().Mode != site.ModeRun {
		t.Errorf("restart: obeys %v", r.Obeys())
	}
}

// TestPagesNeedALogin: without a session every page is the login page, and does nothing.
func TestPagesNeedALogin(t *testing.T) {
	r := start(t)
	const stop = `{"params_data":0}`
	if got, _ := ask(t, r, "PHPSESSID=guess", "mining_setting", stop); !strings.HasPrefix(got, "<") || r.Obeys().Mode != site.ModeRun {
		t.Errorf("without a session: %s", got)
	}
	if got, set := ask(t, r, "", "login", "username=seal&origin_pwd=wrong"); set != "" || !strings.Contains(got, `"state":1`) {
		t.Errorf("wrong password: %s, %s", got, set)
	}
	got, cookie := ask(t, r, "", "login", "username=seal&origin_pwd=seal")
	if cookie == "" || !strings.Contains(got, `"state":0`) {
		t.Fatalf("login: %s, %s", got, cookie)
	}
	if got, _ := ask(t, r, cookie, "mining_setting", stop); !strings.Contains(got, `"result":0`) || r.Obeys().Mode != site.ModeSleep {
		t.Errorf("stop: %s", got)
	}
	if got, _ := ask(t, r, cookie, "mining_setting", `{}`); !strings.Contains(got, `"result":1`) {
		t.Errorf("an order of nothing: %s", got)
	}
	if got, _ := ask(t, r, cookie, "update_passwd", `{"user_name":"seal","origin_pwd":"seal","new_pwd":"a","confirm_pwd":"a"}`); !strings.Contains(got, `"result":0`) {
		t.Errorf("password: %s", got)
	}
	if got, _ := ask(t, r, cookie, "get_system_info", ""); !strings.HasPrefix(got, "<") {
		t.Errorf("a session outlived the password: %s", got)
	}
}
