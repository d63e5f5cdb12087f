package market

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/clock"
	"switchyard/unit"
)

// answer is a server in one function; it stands for the network in synctest's time.
type answer func(*http.Request) (int, string, error)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := a(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// run runs the feed in its own goroutine until the test ends.
func run(t *testing.T, f runner) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestPolledPricesAgeAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var stuck, down atomic.Bool
		var asked atomic.Int64
		var last string // the transport's own
		f := NewPolled(Polled{
			URL: "https://prices.example/now?key=hunter2", TimeField: "data.-1.time", PriceField: "data.-1.price",
			Interval: 5 * time.Minute, Poll: time.Minute, Stale: 15 * time.Minute, Clock: clock.System(),
			Transport: answer(func(*http.Request) (int, string, error) {
				asked.Add(1)
				if down.Load() {
					return 0, "", errors.New("connection refused")
				}
				if !stuck.Load() {
					now := time.Now().Truncate(5 * time.Minute)
					last = fmt.Sprintf(`{"data": [{}, {"time": %q, "price": "%d"}]}`, now.Format(time.RFC3339), int(now.Sub(start)/time.Minute))
				}
				return 200, last, nil
			}),
		})
		run(t, f)
		check := func(minute int, want string) Quote {
			t.Helper()
			time.Sleep(time.Until(start.Add(time.Duration(minute)*time.Minute + 10*time.Second)))
			synctest.Wait()
			return expect(t, f, time.Now().Format(time.RFC3339), want)
		}
		check(1, "0")
		check(11, "10")
		stuck.Store(true) // the server repeats its last answer: it grows old all the same
		check(14, "10")
		if q := check(16, "stale 10"); q.To != start.Add(15*time.Minute).UTC() {
			t.Errorf("a stale price ends at %v", q.To)
		}
		check(29, "stale 10")
		check(31, "unknown")
		stuck.Store(false)
		check(41, "40")
		down.Store(true)
		q := check(47, "stale 40")
		if !strings.Contains(q.Reason, "asked last: connection refused") || strings.Contains(q.Reason+q.Source, "hunter2") {
			t.Errorf("reason %q, source %q", q.Reason, q.Source)
		}
		if p := f.Problems(); len(p) != 1 || p[0] != "https://prices.example/now: connection refused" {
			t.Errorf("problems %q", p)
		}
		before := asked.Load()
		check(57, "stale 40")
		if n := asked.Load() - before; n > 30 || n < 24 {
			t.Errorf("%d tries in ten minutes of polls, want three each", n)
		}
		down.Store(false)
		check(66, "65")
		if len(f.Problems()) != 0 || len(f.Series(start, time.Now())) < 5 {
			t.Errorf("after it came back: %v, %v", f.Problems(), f.Series(start, time.Now()))
		}
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	now := time.Now().UTC().Format(time.RFC3339)
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"html":         {200, " <!DOCTYPE html><title>Login</title>", "the answer is a web page (HTML), not JSON"},
		"not json":     {200, "45.2 dollars", "the answer is not JSON: something follows it"},
		"broken json":  {200, `{"time": "2026`, "the answer is not JSON"},
		"too big":      {200, `"` + strings.Repeat("x", maxBody+10) + `"`, "more than the 1048576 bytes"},
		"no field":     {200, `{"time": "` + now + `", "Price": 4}`, `no field "price"`},
		"null":         {200, `{"time": "` + now + `", "price": null}`, "is not a number"},
		"text":         {200, `{"time": "` + now + `", "price": "n/a"}`, "not a number"},
		"absurd":       {200, `{"time": "` + now + `", "price": 1e9}`, "is not believed"},
		"no time":      {200, `{"price": 4}`, `no field "time"`},
		"bad time":     {200, `{"time": "today", "price": 4}`, "not a time like"},
		"future":       {200, `{"time": "2999-01-01T00:00:00Z", "price": 4}`, "ahead of the site's"},
		"unauthorized": {401, "", "check the credentials"},
		"gone":         {404, "nothing", "404 Not Found: check the address"},
		"down":         {503, "busy", "503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := strings.ReplaceAll(tc.body, now, time.Now().Format(time.RFC3339))
				f := NewPolled(Polled{
					URL: "http://x/", TimeField: "time", PriceField: "price", Clock: clock.System(),
					Transport: answer(func(*http.Request) (int, string, error) { return tc.status, body, nil }),
				})
				if err := f.note(f.ask(t.Context())); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				if q := f.At(time.Now()); q.Known || !strings.Contains(q.Reason, tc.want) {
					t.Errorf("quote %+v", q)
				}
			})
		})
	}
}

// A server that never answers costs its deadlines and no more.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewPolled(Polled{
			URL: "http://x/", TimeField: "time", PriceField: "price", Clock: clock.System(),
			Transport: answer(func(r *http.Request) (int, string, error) {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}),
		})
		begin := time.Now()
		err := f.ask(t.Context())
		if took := time.Since(begin); err == nil || err.Error() != "no answer within 10s" || took != tries*deadline+3*pause {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// node answers as a Bitcoin Core node does, with fees of 0.1 bitcoin in every block.
type node struct {
	sync.Mutex
	height     int64
	chain      string
	loading    bool
	tipAge     time.Duration
	fail       string
	statsAsked int
	headsAsked int
	bits       string // of every header; default those of the difficulty
	password   string
}

func (n *node) RoundTrip(r *http.Request) (*http.Response, error) {
	n.Lock()
	defer n.Unlock()
	return answer(n.answer).RoundTrip(r)
}

func (n *node) answer(r *http.Request) (int, string, error) {
	if r.Method == http.MethodGet {
		return 200, `{"bitcoin": {"usd": 60000.5}}`, nil
	}
	if _, password, _ := r.BasicAuth(); password != n.password {
		return 401, "", nil
	}
	var calls []rpcCall
	if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
		return 400, err.Error(), nil
	}
	var replies []string
	for _, c := range calls {
		switch c.Method {
		case "getblockchaininfo":
			replies = append(replies, fmt.Sprintf(`{"result":{"chain":%q,"blocks":%d,"headers":%d,"difficulty":21448277761059,"initialblockdownload":%v},"error":null,"id":%d}`, n.chain, n.height, n.height, n.loading, c.ID))
		case "getblockstats":
			n.statsAsked++
			if n.fail != "" {
				replies = append(replies, fmt.Sprintf(`{"result":null,"error":{"code":-8,"message":%q},"id":%d}`, n.fail, c.ID))
				continue
			}
			h := int64(c.Params[0].(float64))
			at := time.Now().Add(-n.tipAge - time.Duration(n.height-h)*10*time.Minute).Unix()
			replies = append(replies, fmt.Sprintf(`{"result":{"height":%d,"subsidy":625000000,"totalfee":10000000,"time":%d},"error":null,"id":%d}`, h, at, c.ID))
		case "getblockhash":
			replies = append(replies, fmt.Sprintf(`{"result":"hash of %v","error":null,"id":%d}`, c.Params[0], c.ID))
		case "getblockheader":
			n.headsAsked++
			var h int64
			if _, err := fmt.Sscanf(c.Params[0].(string), "hash of %d", &h); err != nil {
				return 400, err.Error(), nil
			}
			at := time.Now().Add(-n.tipAge - time.Duration(n.height-h)*10*time.Minute).Unix()
			replies = append(replies, fmt.Sprintf(`{"result":{"time":%d,"bits":%q},"error":null,"id":%d}`, at, cmp.Or(n.bits, "170d2133"), c.ID))
		}
	}
	for i, j := 0, len(replies)-1; i < j; i, j = i+1, j-1 { // a batch's order is the server's
		replies[i], replies[j] = replies[j], replies[i]
	}
	return 200, "[" + strings.Join(replies, ",") + "]", nil
}

// set changes the node between two polls.
func (n *node) set(height int64, fail string) {
	n.Lock()
	defer n.Unlock()
	n.height, n.fail = height, fail
}

func TestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{height: 700_000, chain: "main", password: "pw"}
		f := NewNode(Node{
			URL: "http://u:secret@node:8332/", User: "u", Password: "pw", PriceURL: "http://price/", PriceField: "bitcoin.usd",
			Poll: 10 * time.Minute, Stale: time.Hour, Clock: clock.System(), Transport: n,
		})
		run(t, f)
		synctest.Wait()
		q := f.At(time.Now())
		want := 0.0058619 / 6.25 * 6.35 * 60000.5
		if !q.Known || q.Stale || !near(q.Hashprice.DollarsPerPHDay(), want, 1e-5) || q.BitcoinPrice != unit.Dollars(60000.5) || strings.Contains(q.Source, "secret") {
			t.Errorf("%+v, want %.5f", q, want)
		}
		if n.statsAsked != feeBlocks {
			t.Errorf("asked for %d blocks", n.statsAsked)
		}
		n.set(700_001, "")
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if n.statsAsked != feeBlocks+unsettled {
			t.Errorf("asked for %d blocks more, want only the unsettled", n.statsAsked-feeBlocks)
		}
		n.set(700_001, "Block not available (pruned data)")
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if q = f.At(time.Now()); !q.Known || !q.Stale || !strings.Contains(q.Reason, "pruned data") {
			t.Errorf("while the node fails: %+v", q)
		}
		time.Sleep(2 * time.Hour)
		if q = f.At(time.Now()); q.Known || q.Hashprice != 0 {
			t.Errorf("long after: %+v", q)
		}
		n.set(700_002, "")
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if q = f.At(time.Now()); !q.Known || q.Stale {
			t.Errorf("after it came back: %+v", q)
		}
	})
}

func TestNodeFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		n    *node
		want string
	}{
		"password": {&node{height: 700_000, chain: "main", password: "other"}, "check the credentials"},
		"chain":    {&node{height: 700_000, chain: "regtest"}, `on the chain "regtest"`},
		"loading":  {&node{height: 700_000, chain: "main", loading: true}, "still loading the chain"},
		"old":      {&node{height: 700_000, chain: "main", tipAge: 7 * time.Hour}, "7h0m0s old: it has lost the network"},
		"young":    {&node{height: 10, chain: "main"}, "is not believed"},
		"refused":  {&node{height: 700_000, chain: "main", fail: "no undo data"}, `getblockstats: the node says "no undo data" (-8)`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := NewNode(Node{URL: "http://node/", PriceUSD: 60_000 * unit.Dollar, Clock: clock.System(), Transport: tc.n})
				if err := f.note(f.ask(t.Context())); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				if q := f.At(time.Now()); q.Known || !strings.Contains(q.Reason, tc.want) {
					t.Errorf("quote %+v", q)
				}
			})
		})
	}
}

// The epoch's first block tells the target and when it began; without it the rest stands.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{height: 700_000, chain: "main"} // 448 blocks into its epoch
		f := NewNode(Node{URL: "http://node/", PriceUSD: 60_000 * unit.Dollar, Clock: clock.System(), Transport: n})
		if _, ok := f.Chain(); ok {
			t.Error("a chain before the first poll")
		}
		for range 2 {
			if err := f.ask(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c, ok := f.Chain()
		if !ok || c.Height != 700_000 || c.Bits != 0x170d2133 || c.At.Sub(c.Began) != 448*10*time.Minute || c.Fees != 10_000_000 || c.Price != 60_000*unit.Dollar {
			t.Errorf("%+v", c)
		}
		if n.headsAsked != 1 {
			t.Errorf("asked %d times for the epoch's first block", n.headsAsked)
		}
		n.set(701_568, "") // the first of the next epoch, which may still be replaced
		for range 2 {
			if err := f.ask(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if c, _ = f.Chain(); n.headsAsked != 3 || c.Began != c.At {
			t.Errorf("asked %d times, %+v", n.headsAsked, c)
		}
		n.bits = "soft"
		n.set(703_600, "")
		if err := f.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, ok = f.Chain(); !ok || !c.Began.IsZero() || c.Height != 703_600 || !f.At(time.Now()).Known {
			t.Errorf("without the epoch's first block: %+v, %+v", c, f.At(time.Now()))
		}
	})
	if _, ok := New(Fixed(0), FixedHash(0), 0).Chain(); ok {
		t.Error("a chain without a node")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"time": 1782000000, "price": "4"}`), "price")
	f.Add([]byte(`[[1, {"a": [2]}]]`), "0.-1.a.0")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		v, err := parseJSON(body)
		if err != nil {
			return
		}
		if n, err := lookupNumber(v, path); err == nil && n != n {
			t.Error("not a number passed for one")
		}
		if at, err := lookupTime(v, path); err == nil && at.Year() > 9999 {
			t.Errorf("a time of %v", at)
		}
	})
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(`[{"result":{"height":1},"error":null,"id":1},{"result":null,"error":{"code":-8,"message":"x"},"id":0}]`))
	f.Add([]byte(`[{"id":-1},{"id":9e9}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		calls := []rpcCall{{Method: "a"}, {Method: "b"}}
		if out, err := results(body, calls); err == nil && (len(out[0]) == 0 || len(out[1]) == 0) {
			t.Error("an answer is missing")
		}
	})
}
