package market

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/unit"
)

// Node says how to poll a Bitcoin Core node by JSON-RPC for difficulty and fees, and from
// where the price of bitcoin is taken, which a node does not know.
type Node struct {
	URL, User, Password string
	PriceUSD            unit.Money // of one bitcoin; zero: from PriceURL
	PriceURL            string     // HTTP JSON
	PriceField          string     // dotted path to the price in $
	Poll                time.Duration
	Stale               time.Duration // how long after its poll a hashprice still counts
	Clock               clock.Clock
	Log                 *slog.Logger
	Transport           http.RoundTripper // nil: the usual one
}

// The node's newest blocks whose fees are averaged: a day's. The last few are asked for
// again each time, since the chain's tip may change.
const (
	feeBlocks = 144
	unsettled = 6
)

// oldTip is the age, in machine time, from which the node's newest block shows that the
// node has lost the network. Six hours without a block are practically impossible.
const oldTip = 6 * time.Hour

// NodeHash is a HashFeed from a Bitcoin node. Nothing is known before Run has asked.
type NodeHash struct {
	o Node
	polled[networkDay]
	client *http.Client
	blocks map[int64]blockStats // at most feeBlocks; Run's own
	epoch  epoch                // Run's own
	seen   atomic.Pointer[Chain]
}

type blockStats struct {
	Height   int64 `json:"height"`
	Subsidy  int64 `json:"subsidy"`  // satoshi
	TotalFee int64 `json:"totalfee"` // satoshi
	Time     int64 `json:"time"`     // Unix seconds
}

// NewNode makes the feed and asks nothing yet.
func NewNode(o Node) *NodeHash {
	if o.Poll <= 0 {
		o.Poll = 10 * time.Minute
	}
	return &NodeHash{
		o: o, client: &http.Client{Transport: o.Transport}, blocks: map[int64]blockStats{},
		polled: polled[networkDay]{source: publicURL(o.URL), interval: o.Poll, stale: o.Stale},
	}
}

// Run polls the node until ctx ends.
func (f *NodeHash) Run(ctx context.Context) error {
	return poll(ctx, f.o.Clock, f.o.Poll, f.source, f.o.Log, func(ctx context.Context) error {
		return f.note(f.ask(ctx))
	})
}

// At returns the hashprice of the last poll before t.
func (f *NodeHash) At(t time.Time) HashQuote {
	h := f.at(t)
	return h.hashQuote(f.source, h.value)
}

// Series returns the hashprices polled so far that touch [from, to), and the gaps.
func (f *NodeHash) Series(from, to time.Time) []HashQuote {
	var out []HashQuote
	for _, h := range f.series(from, to) {
		out = append(out, h.hashQuote(f.source, h.value))
	}
	return out
}

// ask polls chain, blocks and price, and keeps what comes of them.
func (f *NodeHash) ask(ctx context.Context) error {
	height, difficulty, err := f.chain(ctx)
	if err != nil {
		return err
	}
	if err := f.fetchBlocks(ctx, height); err != nil {
		return err
	}
	if age := time.Since(time.Unix(f.blocks[height].Time, 0)); age > oldTip {
		return fmt.Errorf("the node's newest block is %v old: it has lost the network", age.Round(time.Minute))
	}
	price, err := f.bitcoinPrice(ctx)
	if err != nil {
		return fmt.Errorf("the price of bitcoin: %w", err)
	}
	var fees int64
	for _, b := range f.blocks {
		fees += b.TotalFee
	}
	f.look(ctx, height, fees/int64(len(f.blocks)), price)
	reward := float64(Subsidy(height+1)) + float64(fees)/float64(len(f.blocks))
	d := networkDay{price: price, perPH: BTCPerPHDay(difficulty, reward/Satoshi)}
	d.hashprice = unit.DollarsPerPHDay(d.perPH * price.Dollars())
	f.keep(f.o.Clock.Now(), d)
	return nil
}

// chain returns the height of the newest block and the difficulty.
func (f *NodeHash) chain(ctx context.Context) (height int64, difficulty float64, err error) {
	var info struct {
		Chain      string  `json:"chain"`
		Blocks     int64   `json:"blocks"`
		Difficulty float64 `json:"difficulty"`
		Loading    bool    `json:"initialblockdownload"`
	}
	replies, err := f.call(ctx, []rpcCall{{Method: "getblockchaininfo", Params: []any{}}})
	if err != nil {
		return 0, 0, err
	}
	if err := json.Unmarshal(replies[0], &info); err != nil {
		return 0, 0, fmt.Errorf("getblockchaininfo: %w", err)
	}
	switch {
	case info.Chain != "main":
		return 0, 0, fmt.Errorf("the node is on the chain %q and not on main", info.Chain)
	case info.Loading:
		return 0, 0, errors.New("the node is still loading the chain")
	case info.Difficulty < 1 || info.Difficulty > 1e20 || info.Blocks < feeBlocks:
		return 0, 0, fmt.Errorf("getblockchaininfo: a difficulty of %g at height %d is not believed", info.Difficulty, info.Blocks)
	}
	return info.Blocks, info.Difficulty, nil
}

// fetchBlocks brings the fees of the newest blocks up to height, and forgets older ones.
func (f *NodeHash) fetchBlocks(ctx context.Context, height int64) error {
	for h := range f.blocks {
		if h <= height-feeBlocks || h > height-unsettled {
			delete(f.blocks, h)
		}
	}
	var calls []rpcCall
	for h := height - feeBlocks + 1; h <= height; h++ {
		if _, ok := f.blocks[h]; !ok {
			calls = append(calls, rpcCall{Method: "getblockstats", Params: []any{h, []string{"height", "subsidy", "totalfee", "time"}}})
		}
	}
	replies, err := f.call(ctx, calls)
	if err != nil {
		return err
	}
	for i, r := range replies {
		var b blockStats
		if err := json.Unmarshal(r, &b); err != nil {
			return fmt.Errorf("getblockstats: %w", err)
		}
		if b.Height != calls[i].Params[0] || b.TotalFee < 0 || b.TotalFee > 1000*Satoshi {
			return fmt.Errorf("getblockstats: fees of %d satoshi at height %d are not believed", b.TotalFee, b.Height)
		}
		f.blocks[b.Height] = b
	}
	return nil
}

func (f *NodeHash) bitcoinPrice(ctx context.Context) (unit.Money, error) {
	if f.o.PriceURL == "" {
		return f.o.PriceUSD, nil
	}
	v, err := getJSON(ctx, f.client, f.o.PriceURL)
	if err != nil {
		return 0, err
	}
	usd, err := lookupNumber(v, f.o.PriceField)
	if err == nil && (usd <= 0 || usd > 1e9) {
		err = fmt.Errorf("%g $ is not believed", usd)
	}
	return unit.Dollars(usd), err
}

type rpcCall struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// call sends the calls as one batch, which a node answers with 200 whatever becomes of
// each, and returns the results in their order.
func (f *NodeHash) call(ctx context.Context, calls []rpcCall) ([]json.RawMessage, error) {
	for i := range calls {
		calls[i].Version, calls[i].ID = "1.0", i
	}
	data, err := json.Marshal(calls)
	if err != nil {
		return nil, fmt.Errorf("ask the node: %w", err)
	}
	body, err := fetch(ctx, f.client, small(), func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.o.URL, bytes.NewReader(data))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			req.SetBasicAuth(f.o.User, f.o.Password)
		}
		return req, err
	})
	if err != nil {
		return nil, err
	}
	return results(body, calls)
}

// results reads a batch's answer, which may come in any order.
func results(body []byte, calls []rpcCall) ([]json.RawMessage, error) {
	var replies []struct {
		ID     *int            `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := noPage(body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &replies); err != nil {
		return nil, fmt.Errorf("the answer is no JSON-RPC batch: %w", err)
	}
	out := make([]json.RawMessage, len(calls))
	for _, r := range replies {
		if r.ID == nil || *r.ID < 0 || *r.ID >= len(calls) {
			continue
		}
		if r.Error != nil {
			return nil, fmt.Errorf("%s: the node says %.200q (%d)", calls[*r.ID].Method, r.Error.Message, r.Error.Code)
		}
		out[*r.ID] = r.Result
	}
	for i, r := range out {
		if len(r) == 0 {
			return nil, fmt.Errorf("%s: the node did not answer", calls[i].Method)
		}
	}
	return out, nil
}
