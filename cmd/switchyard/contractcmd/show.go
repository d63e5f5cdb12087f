package contractcmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/cmd/switchyard/table"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// shown is what show says, for machines: powers in kW, money in dollars.
type shown struct {
	Tenant   string  `json:"tenant"`
	Contract string  `json:"contract"`
	Day      string  `json:"day"`
	Timezone string  `json:"timezone"`
	From     string  `json:"from"`
	To       string  `json:"to,omitempty"`
	Kind     string  `json:"kind"`
	Critical float64 `json:"critical_kw,omitempty"`
	Gross    float64 `json:"gross_kw,omitempty"`
	Rate     float64 `json:"rate_usd_kw_month,omitempty"`
	Month    string  `json:"month"`
	Start    string  `json:"month_from"`
	End      string  `json:"month_to"`
	Owed     float64 `json:"owed_usd"`
	Pieces   []piece `json:"pieces"`
	Value    float64 `json:"contract_value_usd,omitempty"`
}

type piece struct {
	Kind     string  `json:"kind"` // rent, upkeep, gpu-reserved, storage
	From     string  `json:"from"`
	To       string  `json:"to"` // the first day after it
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Rate     float64 `json:"rate_usd"`
	Amount   float64 `json:"amount_usd"`

	text  string // what is owed for
	money unit.Money
}

func (c *console) show(path, at string) error {
	k, err := contract.Load(path)
	if err != nil {
		var faults strictyaml.Faults
		if errors.As(err, &faults) {
			return err
		}
		return c.unreadable(path, err)
	}
	day, err := c.day(k, at)
	if err != nil {
		return err
	}
	v, ok := k.On(day)
	if !ok {
		return c.NotFound("nothing is agreed on %s; the contract begins on %s%s", day, k.Versions[0].From, ends(k))
	}
	month := day.String()[:7]
	stretches, err := k.Month(month)
	if err != nil {
		return fmt.Errorf("reckon %s: %w", month, err)
	}
	from, to, err := contract.MonthOf(k.Location(), month)
	if err != nil {
		return fmt.Errorf("reckon %s: %w", month, err)
	}
	var owed unit.Money
	var pieces []piece
	for _, s := range stretches {
		owed += s.Rent()
		pieces = append(pieces, piecesOf(s)...)
	}
	if c.JSON() {
		out := shown{
			Tenant: k.Tenant, Contract: k.Number, Day: day.String(), Timezone: k.Timezone, From: v.From.String(), To: v.To.String(), Kind: string(v.Kind),
			Critical: v.CriticalOn(day).Watts() / 1e3, Rate: v.RateOn(day).DollarsPerKWMonth(), Month: month, Start: stamp(from), End: stamp(to),
			Owed: owed.Dollars(), Pieces: pieces, Value: k.Value().Dollars(),
		}
		if v.Colocation != nil {
			out.Gross = v.Colocation.Gross.Watts() / 1e3
		}
		return c.print(out)
	}
	c.showText(k, v, day, month, owed, pieces)
	return nil
}

// ends says when the contract's last version ends.
func ends(k *contract.Contract) string {
	if last := k.Versions[len(k.Versions)-1]; !last.To.IsZero() {
		return " and ends on " + last.To.String()
	}
	return ""
}

func piecesOf(s contract.Stretch) []piece {
	var out []piece
	space := func(kind string, ps []contract.Piece) {
		for _, p := range ps {
			out = append(out, piece{
				Kind: kind, From: p.From.String(), To: p.To.String(), Unit: "kW-month", Quantity: p.Critical.Watts() / 1e3 * float64(p.Days) / float64(p.Of),
				Rate: p.Rate.DollarsPerKWMonth(), Amount: p.Amount.Dollars(), money: p.Amount,
				text: fmt.Sprintf("%s of %v at %v, %d of %d days", kind, p.Critical, p.Rate, p.Days, p.Of),
			})
		}
	}
	space("rent", s.Space)
	for _, p := range s.GPUs {
		out = append(out, piece{
			Kind: "gpu-reserved", From: p.From.String(), To: p.To.String(), Unit: "GPU-hour", Quantity: p.Hours(), Rate: p.Rate.Dollars(), Amount: p.Amount.Dollars(), money: p.Amount,
			text: fmt.Sprintf("%d %s reserved, %s hours at %v", p.GPUs, p.Model, number(p.Held.Hours()), p.Rate),
		})
	}
	for _, p := range s.Storage {
		out = append(out, piece{
			Kind: "storage", From: p.From.String(), To: p.To.String(), Unit: "TB-month", Quantity: p.TB * float64(p.Days) / float64(p.Of), Rate: p.Rate.Dollars(), Amount: p.Amount.Dollars(), money: p.Amount,
			text: fmt.Sprintf("storage of %s TB at %v, %d of %d days", number(p.TB), p.Rate, p.Days, p.Of),
		})
	}
	space("upkeep", s.Upkeep)
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (c *console) showText(k *contract.Contract, v contract.Version, day contract.Date, month string, owed unit.Money, pieces []piece) {
	say := func(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }
	until := ""
	if !v.To.IsZero() {
		until = " until " + v.To.String()
	}
	say("%s with %s on %s: %s, as agreed from %s%s", k.Number, k.Tenant, day, v.Kind, v.From, until)
	if s := v.Colocation; s != nil {
		gross := ""
		if s.Gross > 0 {
			gross = fmt.Sprintf(" (%v gross)", s.Gross)
		}
		say("  critical load   %v of %v%s, %s lease", v.CriticalOn(day), s.Critical, gross, s.Lease)
		say("  rate            %v, %v a year from %s", v.RateOn(day), s.Escalator, v.Start)
	}
	if s := v.SLA; s != nil {
		var credits []string
		for _, t := range s.Credits {
			credits = append(credits, fmt.Sprintf("%v below %v", t.Share, t.Below))
		}
		say("  availability    %v; credits of the month's rent: %s; at most %v", s.Availability, orNone(strings.Join(credits, ", ")), s.Cap)
		say("                  excluded: %s", orNone(strings.Join(s.Excluded, ", ")))
	}
	if r := v.Curtail; r != nil {
		say("  curtailment     %v for %s a year, told %s before, at %v", r.Power, hours(r.Hours), strictyaml.Duration(r.Notice), r.Price)
	}
	if p := v.Prepayment; p != nil {
		say("  prepaid         %v on %s, up to %v of a month's rent", p.Amount, p.Paid, p.Share)
	}
	say("  due             %d days after an invoice's date", v.PaymentDays)
	say("%s owes, used or not:", month)
	t := table.New("from", "until", "for", ">amount")
	for _, p := range pieces {
		if p.Kind != "upkeep" {
			t.Add(p.From, p.To, p.text, p.money.String())
		}
	}
	t.Add("", "", "together", owed.String())
	t.Print(c.Out, 2)
	for _, p := range pieces {
		if p.Kind == "upkeep" {
			say("  and %s: %v", p.text, p.money)
		}
	}
	if value := k.Value(); value > 0 {
		say("The contract comes to %v until %s, without power, upkeep and what is used on demand.", value, k.Versions[len(k.Versions)-1].To)
	}
}

func hours(d time.Duration) string { return number(d.Hours()) + " hours" }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
