package market

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"switchyard/unit"
)

// epochBlocks is how many blocks keep one difficulty.
const epochBlocks = 2016

// Chain is the Bitcoin network as a node last told it, its times in site time.
type Chain struct {
	Height int64
	At     time.Time // when the newest block was found
	// Bits is the compact target of the running epoch, and Began the time of its first block:
	// zero where the node did not tell.
	Bits  uint32
	Began time.Time
	Fees  int64      // satoshi a block, mean of the newest 144
	Price unit.Money // of one bitcoin
}

// epoch is what an epoch's first block says of all of it.
type epoch struct {
	height int64
	time   int64 // Unix seconds
	bits   uint32
}

// Chain returns the network at the last poll; false before the first, and for a Market whose
// Bitcoin figures are no node's.
func (m *Market) Chain() (Chain, bool) {
	if n, ok := m.s.Hash.(*NodeHash); ok {
		return n.Chain()
	}
	return Chain{}, false
}

// Chain returns the network at the last poll that went well; false before it. It never blocks.
func (f *NodeHash) Chain() (Chain, bool) {
	c := f.seen.Load()
	if c == nil {
		return Chain{}, false
	}
	return *c, true
}

// look keeps what the network is like at height, once its blocks are known. Without the
// epoch's first block the next difficulty is not known, and nothing else suffers.
func (f *NodeHash) look(ctx context.Context, height, fees int64, price unit.Money) {
	shift := time.Until(f.o.Clock.Now())
	at := func(unix int64) time.Time { return time.Unix(unix, 0).Add(shift).UTC() }
	c := Chain{Height: height, At: at(f.blocks[height].Time), Fees: fees, Price: price}
	if e, err := f.began(ctx, height); err == nil {
		c.Bits, c.Began = e.bits, at(e.time)
	} else if f.o.Log != nil {
		f.o.Log.Info("the next difficulty is not known", "source", f.source, "err", err)
	}
	f.seen.Store(&c)
}

// began asks for the first block of the epoch that height belongs to: once an epoch, but
// while that block could still be replaced. Its header is there in a pruned node too.
func (f *NodeHash) began(ctx context.Context, height int64) (epoch, error) {
	first := height - height%epochBlocks
	if f.epoch.bits != 0 && f.epoch.height == first && height-first >= unsettled {
		return f.epoch, nil
	}
	var hash string
	if err := f.one(ctx, "getblockhash", first, &hash); err != nil {
		return epoch{}, err
	}
	var head struct {
		Bits string `json:"bits"`
		Time int64  `json:"time"`
	}
	if err := f.one(ctx, "getblockheader", hash, &head); err != nil {
		return epoch{}, err
	}
	n, err := strconv.ParseUint(head.Bits, 16, 32)
	if err != nil || n == 0 || head.Time <= 0 {
		return epoch{}, fmt.Errorf("getblockheader: bits of %.20q and a time of %d are not believed", head.Bits, head.Time)
	}
	f.epoch = epoch{height: first, time: head.Time, bits: uint32(n)}
	return f.epoch, nil
}

// one asks one thing of the node.
func (f *NodeHash) one(ctx context.Context, method string, param, into any) error {
	replies, err := f.call(ctx, []rpcCall{{Method: method, Params: []any{param}}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(replies[0], into); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
