package schedulecmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/market"
	"switchyard/market/network"
	"switchyard/site"
	"switchyard/unit"
)

// networkView is the Bitcoin network ahead. Shares are of what holds before.
type networkView struct {
	Height   int64         `json:"height"`
	Retarget retargetView  `json:"retarget"`
	Halving  halvingView   `json:"halving"`
	Path     []stretchView `json:"path"` // over the horizon; more than one entry: it changes within
}

type retargetView struct {
	Height int64     `json:"height"`
	At     time.Time `json:"at"`
	Change float64   `json:"difficulty_change"` // 0.03 is 3 % harder
}

type halvingView struct {
	Height  int64     `json:"height"`
	At      time.Time `json:"at"`
	Subsidy float64   `json:"subsidy_btc"` // a block, after it
}

type stretchView struct {
	From      time.Time `json:"from"`
	Hashprice float64   `json:"hashprice_usd_ph_day"`
}

// aheadOf tells the network ahead of a horizon, and the mean hashprice over it.
func aheadOf(c market.Chain, from, to time.Time) (*networkView, unit.Hashprice) {
	s, ok := network.Of(c)
	if !ok {
		return nil, 0
	}
	v := &networkView{Height: s.Height}
	height, at, next := s.Retarget()
	v.Retarget = retargetView{height, at, next.Difficulty()/s.Bits.Difficulty() - 1}
	height, at = s.NextHalving()
	v.Halving = halvingView{height, at, float64(market.Subsidy(height)) / market.Satoshi}
	path := s.Path(to)
	for i, p := range path {
		if i+1 < len(path) && !path[i+1].From.After(from) {
			continue // over before the horizon begins
		}
		v.Path = append(v.Path, stretchView{p.From, p.Hashprice.DollarsPerPHDay()})
	}
	return v, network.Mean(path, from, to)
}

// earns returns what hashing is taken to earn: the flag's, else the market's; of a Bitcoin node
// the mean over the horizon, since a class has one value. A node knows of now alone: of a
// horizon that begins at another time it tells nothing of the network.
func earns(m *market.Market, given site.Opt[unit.Hashprice], now, from, to time.Time) (h site.Opt[unit.Hashprice], v *networkView, reason string) {
	q := m.Hashprice(from)
	if chain, ok := m.Chain(); ok && q.Known && from.Sub(now).Abs() < 24*time.Hour {
		var mean unit.Hashprice
		if v, mean = aheadOf(chain, from, to); v != nil && len(v.Path) > 1 {
			q.Hashprice = mean
		}
	}
	switch {
	case given.OK:
		return given, v, ""
	case q.Known:
		return site.Some(q.Hashprice), v, ""
	}
	return given, v, q.Reason
}

// bitcoin says in a line or two what hashing earns and what the network will change of it.
func (a *answer) bitcoin() []string {
	var out []string
	if a.Hashprice != nil {
		text := "Hashprice " + dollars(*a.Hashprice)
		if n := a.Network; n != nil && len(n.Path) > 1 && !a.given {
			parts := make([]string, len(n.Path))
			for i, p := range n.Path {
				parts[i] = dollars(p.Hashprice)
				if i > 0 {
					parts[i] += " from " + a.clock(p.From)
				}
			}
			text += ", the mean over the horizon: " + strings.Join(parts, ", ")
		}
		out = append(out, text+" $/PH/day.")
	}
	if n := a.Network; n != nil {
		out = append(out, fmt.Sprintf("Bitcoin: retarget about %s (block %d), difficulty %+.1f %% as blocks come now; halving about %s (block %d), to %s BTC.",
			n.Retarget.At.In(a.zone).Format("Mon 2006-01-02 15:04"), n.Retarget.Height, 100*n.Retarget.Change,
			n.Halving.At.In(a.zone).Format("January 2006"), n.Halving.Height, strconv.FormatFloat(n.Halving.Subsidy, 'f', -1, 64)))
	}
	return out
}

func dollars(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
