package billing

import (
	"fmt"
	"math"
	"time"

	"switchyard/ledger"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// The accounts. Income and expenses name the hall before the load, so that a hall's profit
// is a matter of prefixes.
const (
	accountSupplier  = "liability:energy-supplier"
	accountPool      = "assets:receivable:pool"
	accountEnergy    = "expense:energy:hall:"
	accountRemainder = "expense:energy:remainder"
	accountPenalty   = "expense:penalty:"
	accountMining    = "income:mining:"
	accountHosting   = "income:hosting:"
	accountTenant    = "assets:receivable:tenant:"
)

func key(what, who string, start time.Time) string {
	return what + "/" + who + "/" + start.UTC().Format(time.RFC3339)
}

// energy posts what was bought, shared out to the halls with the losses above them and the
// remainder on its own, and what tenants with pass-through pay back. The parts of the cost
// are differences of one running cost, so that they sum to it to the micro-dollar.
func (l layout) energy(start time.Time, u use, records []telemetry.Interval, price unit.Price) []ledger.Transaction {
	tx := ledger.Transaction{
		Key: key("energy", string(l.tree.Node(0).ID), start), At: start,
		Memo: fmt.Sprintf("%s at %s, %s", u.connection.energy, price, u.connection.quality),
	}
	costs := make(map[int]unit.Money, len(u.halls))
	var sum unit.Energy
	var cost unit.Money
	line := func(account string, share unit.Energy) unit.Money {
		sum += share
		part := price.Cost(sum) - cost
		cost += part
		if share != 0 || part != 0 {
			tx.Lines = append(tx.Lines, ledger.Line{Account: account, Amount: part, Energy: share})
		}
		return part
	}
	for _, h := range u.halls {
		costs[h.node] = line(accountEnergy+part(string(l.tree.Node(h.node).ID)), h.share)
	}
	line(accountRemainder, u.remainder.share)
	if len(tx.Lines) == 0 {
		return nil
	}
	tx.Lines = append(tx.Lines, ledger.Line{Account: accountSupplier, Amount: -cost, Energy: -sum})
	return append([]ledger.Transaction{tx}, l.recharge(start, u, costs, records, price)...)
}

// recharge posts what tenants with pass-through owe for energy: at cost, with losses.
func (l layout) recharge(start time.Time, u use, costs map[int]unit.Money, records []telemetry.Interval, price unit.Price) []ledger.Transaction {
	var out []ledger.Transaction
	for _, t := range l.tenants {
		if t.Power != "pass-through" {
			continue
		}
		node := l.at[t.ID]
		for _, h := range u.halls {
			if h.node != node {
				continue
			}
			energy, cost := h.share, costs[node]
			if groups, firm := l.sharing(node, records); groups != nil || firm != t.Firm {
				// The hall is shared: what its groups did not use is the tenants', by their firm power.
				for _, e := range groups {
					energy -= e
				}
				energy = unit.Energy(unit.Power(energy).Scale(float64(t.Firm) / math.Max(1, float64(firm))))
				cost = price.Cost(energy)
			}
			if cost == 0 {
				continue
			}
			out = append(out, ledger.Transaction{
				Key: key("recharge", t.ID, start), At: start, Memo: fmt.Sprintf("%s at %s passed through", energy, price),
				Lines: []ledger.Line{
					{Account: accountTenant + part(t.ID), Amount: cost, Energy: energy},
					{Account: accountHosting + l.hallOf(t.ID) + ":" + part(t.ID) + ":energy", Amount: -cost, Energy: -energy},
				},
			})
		}
	}
	return out
}

// sharing returns the energies of the groups at a node, and the firm power of its tenants.
func (l layout) sharing(node int, records []telemetry.Interval) (groups []unit.Energy, firm unit.Power) {
	for _, g := range l.groups {
		if l.at[g.ID] != node {
			continue
		}
		for _, r := range records {
			if r.Subject == g.ID {
				groups = append(groups, r.Energy)
			}
		}
	}
	for _, t := range l.tenants {
		if l.at[t.ID] == node {
			firm += t.Firm
		}
	}
	return groups, firm
}

// mining posts what the hashes done are expected to earn, less the pool's fee.
func (l layout) mining(start time.Time, records []telemetry.Interval, hp unit.Hashprice) []ledger.Transaction {
	var out []ledger.Transaction
	for _, g := range l.groups {
		for _, r := range records {
			if r.Subject != g.ID {
				continue
			}
			earned := unit.Money(unit.Power(hp).Scale(r.Hashes / 86400 * (1 - float64(g.PoolFee))))
			if earned == 0 {
				continue
			}
			out = append(out, ledger.Transaction{
				Key: key("mining", g.ID, start), At: start,
				Memo: fmt.Sprintf("%.3f PH/s on average at %s, fee %s, expected", r.Hashes/telemetry.Length.Seconds(), hp, g.PoolFee),
				Lines: []ledger.Line{
					{Account: accountPool, Amount: earned},
					{Account: accountMining + l.hallOf(g.ID) + ":" + part(g.ID), Amount: -earned, Energy: r.Energy},
				},
			})
		}
	}
	return out
}

// rent posts the interval's share of each tenant's month. Shares are differences of what is
// owed since the month began, so that they sum to the month's rent exactly.
func (l layout) rent(start time.Time, zone *time.Location) []ledger.Transaction {
	local := start.In(zone)
	first := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, zone)
	whole := time.Date(local.Year(), local.Month()+1, 1, 0, 0, 0, 0, zone).Sub(first)
	from := min(max(start.Sub(first), 0), whole)
	to := min(from+telemetry.Length, whole)
	var out []ledger.Transaction
	for _, t := range l.tenants {
		due := t.Rate.Rent(t.Firm, to, whole) - t.Rate.Rent(t.Firm, from, whole)
		if due == 0 {
			continue
		}
		out = append(out, ledger.Transaction{
			Key: key("rent", t.ID, start), At: start, Memo: fmt.Sprintf("%s firm at %s", t.Firm, t.Rate),
			Lines: []ledger.Line{
				{Account: accountTenant + part(t.ID), Amount: due},
				{Account: accountHosting + l.hallOf(t.ID) + ":" + part(t.ID) + ":rent", Amount: -due},
			},
		})
	}
	return out
}

// penalties posts what is owed for firm energy not delivered.
func (l layout) penalties(start time.Time, short map[site.LoadID]unit.Energy) []ledger.Transaction {
	var out []ledger.Transaction
	for _, t := range l.tenants {
		e := short[site.LoadID(t.ID)]
		owed := t.Penalty.Cost(e)
		if e <= 0 || owed == 0 || t.Contract != "" { // a contract's credits are found with its invoice
			continue
		}
		out = append(out, ledger.Transaction{
			Key: key("penalty", t.ID, start), At: start, Memo: fmt.Sprintf("%s firm not delivered, at %s", e, t.Penalty),
			Lines: []ledger.Line{
				{Account: accountPenalty + l.hallOf(t.ID) + ":" + part(t.ID), Amount: owed, Energy: e},
				{Account: accountTenant + part(t.ID), Amount: -owed, Energy: -e},
			},
		})
	}
	return out
}
