package schedulecmd

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// node answers as a Bitcoin node does that is so many blocks into its epoch, each found in ten
// minutes less quick.
func node(t *testing.T, into int64, quick time.Duration) string {
	t.Helper()
	height := int64(925_344) + into // 925,344 begins an epoch
	when := func(h int64) int64 {
		return time.Now().Add(-time.Duration(height-h) * (10*time.Minute - quick)).Unix()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var calls []struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
			Params []any  `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
			t.Error(err)
		}
		var out []string
		for _, c := range calls {
			result := ""
			switch c.Method {
			case "getblockchaininfo":
				result = fmt.Sprintf(`{"chain":"main","blocks":%d,"difficulty":86388558925171.02}`, height)
			case "getblockstats":
				h := int64(c.Params[0].(float64))
				result = fmt.Sprintf(`{"height":%d,"subsidy":312500000,"totalfee":2000000,"time":%d}`, h, when(h))
			case "getblockhash":
				result = fmt.Sprintf("%q", fmt.Sprint(int64(c.Params[0].(float64))))
			case "getblockheader":
				result = fmt.Sprintf(`{"bits":"17034219","time":%d}`, when(height-into))
			}
			out = append(out, fmt.Sprintf(`{"id":%d,"result":%s,"error":null}`, c.ID, result))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(out, ","))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func siteWithNode(t *testing.T, url string) string {
	return siteIn(t, strings.Replace(siteText, "{hashprice: 50 $/PH/day}", fmt.Sprintf("{rpc: %q, price_usd: 100000 $}", url), 1))
}

func TestTheNetworkAhead(t *testing.T) {
	at := []string{"--at", "2026-07-01 12:00"} // what Now is
	a := planned(t, append([]string{siteWithNode(t, node(t, 1000, time.Minute))}, at...)...)
	n := a.Network
	if n == nil || n.Height != 926_344 || n.Retarget.Height != 927_360 || n.Halving.Height != 1_050_000 || n.Halving.Subsidy != 1.5625 || len(n.Path) != 1 {
		t.Fatalf("%+v", n)
	}
	// A thousand blocks at nine minutes, the others nearly so: about a tenth harder.
	if n.Retarget.Change < 0.08 || n.Retarget.Change > 0.12 {
		t.Errorf("difficulty by %v", n.Retarget.Change)
	}
	if ahead := n.Retarget.At.Sub(a.At); ahead < 6*24*time.Hour || ahead > 7*24*time.Hour {
		t.Errorf("the retarget is %v ahead", ahead)
	}
	if math.Abs(*a.Hashprice-n.Path[0].Hashprice) > 1e-3 {
		t.Errorf("hashprice %v, of the path %v", *a.Hashprice, n.Path[0].Hashprice)
	}
}

// Ten hours before a retarget the hashprice is the mean over the horizon, and it is said.
func TestARetargetWithinTheHorizon(t *testing.T) {
	path := siteWithNode(t, node(t, 2016-66, time.Minute))
	a := planned(t, path)
	if len(a.Network.Path) != 2 {
		t.Fatalf("%+v", a.Network)
	}
	before, after := a.Network.Path[0].Hashprice, a.Network.Path[1].Hashprice
	share := a.Network.Path[1].From.Sub(a.At).Hours() / 36
	if want := before*share + after*(1-share); after > before*0.95 || math.Abs(*a.Hashprice-want) > 0.01 {
		t.Errorf("hashprice %v of %v and, after %.2f, %v", *a.Hashprice, before, share, after)
	}
	for _, format := range []string{"text", "html"} {
		out, err := run(t, path, "-o", format)
		if err != nil || !strings.Contains(out, "the mean over the horizon") || !strings.Contains(out, "block 927360") || !strings.Contains(out, "to 1.5625 BTC") {
			t.Errorf("%v:\n%.600s", err, out)
		}
	}
	out, err := run(t, path, "--hashprice", "44")
	if err != nil || !strings.Contains(out, "Hashprice 44.00 $/PH/day.") || !strings.Contains(out, "Bitcoin: retarget") {
		t.Errorf("%v:\n%.600s", err, out)
	}
	past := planned(t, path, "--at", "2026-06-20 10:00")
	if past.Network != nil || !strings.Contains(strings.Join(past.Notes, "; "), "node's of today") {
		t.Errorf("of the past: %+v, notes %q", past.Network, past.Notes)
	}
}

// A source that refuses is not waited for as long as one that is slow.
func TestATroubledSourceIsNotWaitedFor(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") }))
	defer s.Close()
	path := siteIn(t, strings.Replace(siteText, "{csv: prices.csv, adder: 5 $/MWh}", fmt.Sprintf("{url: %q}", s.URL), 1))
	began := time.Now()
	out, err := run(t, path)
	if err == nil || out != "" || !strings.Contains(err.Error(), "web page (HTML)") {
		t.Errorf("%v, printed %q", err, out)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}
