package invoice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"switchyard/billing/contract"
	"switchyard/unit"
)

// The JSON of an invoice, for machines. Amounts are numbers of dollars with exactly two
// decimals, and total_usd is their sum; exact_usd stands beside an amount that was rounded.
type invoiceJSON struct {
	Number   string       `json:"number"` // empty: a draft
	Draft    bool         `json:"draft,omitempty"`
	Tenant   string       `json:"tenant"`
	Contract string       `json:"contract"`
	Version  string       `json:"version"`
	Period   periodJSON   `json:"period"`
	Issued   time.Time    `json:"issued"`
	Due      time.Time    `json:"due"`
	Currency string       `json:"currency"`
	Seller   partyJSON    `json:"seller"`
	Customer partyJSON    `json:"customer"`
	Lines    []lineJSON   `json:"lines"`
	Total    json.Number  `json:"total_usd"`
	Service  *serviceJSON `json:"service,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
	Rows     string       `json:"rows_sha256"`
	Closing  bool         `json:"closing,omitempty"`
	// Terms are what corrections go by.
	Terms   []contract.Version `json:"terms,omitempty"`
	Tariffs []tariffJSON       `json:"tariffs,omitempty"`
}

type tariffJSON struct {
	Tariff
	Seconds int64 `json:"interval_s,omitzero"`
}

type periodJSON struct {
	Month string    `json:"month"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Zone  string    `json:"zone"`
}

type partyJSON struct {
	Name    string   `json:"name"`
	Address []string `json:"address,omitempty"`
	TaxID   string   `json:"tax_id,omitempty"`
	Email   string   `json:"email,omitempty"`
	Pay     []string `json:"pay,omitempty"`
}

type lineJSON struct {
	Kind     LineKind     `json:"kind"`
	Text     string       `json:"text"`
	Quantity float64      `json:"quantity"`
	Unit     string       `json:"unit"`
	Rate     float64      `json:"rate"`
	Amount   json.Number  `json:"amount_usd"`
	Exact    *json.Number `json:"exact_usd,omitempty"`
	Corrects *Corrects    `json:"corrects,omitempty"`
	Evidence Evidence     `json:"evidence"`
}

type serviceJSON struct {
	Promised  string          `json:"promised"`
	Reached   string          `json:"reached"`
	Share     string          `json:"credit_share,omitempty"`
	Counted   int64           `json:"counted_seconds"`
	Lost      int64           `json:"lost_seconds"`
	Credit    json.Number     `json:"credit_usd"`
	Fees      json.Number     `json:"fees_usd"`
	Delivered int64           `json:"delivered_milliwatt_hours"`
	Wanted    int64           `json:"wanted_milliwatt_hours"`
	Excluded  []exclusionJSON `json:"excluded,omitempty"`
	Breaches  []string        `json:"breaches,omitempty"`
}

type exclusionJSON struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
	Ref  string    `json:"ref,omitempty"`
}

func partyOf(p contract.Party) partyJSON {
	return partyJSON{Name: p.Name, Address: p.Address, TaxID: p.TaxID, Email: p.Email, Pay: p.Pay}
}

func (p partyJSON) party() contract.Party {
	return contract.Party{Name: p.Name, Address: p.Address, TaxID: p.TaxID, Email: p.Email, Pay: p.Pay}
}

// MarshalJSON writes the invoice for machines; the same invoice gives the same bytes.
func (inv Invoice) MarshalJSON() ([]byte, error) {
	out := invoiceJSON{
		Number: inv.Number, Draft: inv.Draft, Tenant: inv.Tenant, Contract: inv.Contract, Version: inv.Version.String(),
		Period: periodJSON{inv.Period.Month, inv.Period.From.UTC(), inv.Period.To.UTC(), inv.Zone},
		Issued: inv.Issued.UTC(), Due: inv.Due.UTC(), Currency: inv.Currency, Seller: partyOf(inv.Seller), Customer: partyOf(inv.Customer),
		Lines: []lineJSON{}, Total: number(inv.Total), Notes: inv.Notes, Rows: inv.Rows,
		Closing: inv.Closing, Terms: inv.Terms,
	}
	for _, x := range inv.Tariffs {
		out.Tariffs = append(out.Tariffs, tariffJSON{x, int64(x.Interval / time.Second)})
	}
	for _, l := range inv.Lines {
		j := lineJSON{
			Kind: l.Kind, Text: l.Text, Quantity: l.Quantity, Unit: l.Unit, Rate: l.Rate, Amount: number(l.Billed()), Corrects: l.Corrects, Evidence: l.Evidence,
		}
		if l.Amount != l.Billed() {
			n := exact(l.Amount)
			j.Exact = &n
		}
		out.Lines = append(out.Lines, j)
	}
	if s := inv.Service; s != nil {
		v := &serviceJSON{
			Promised: s.Promised.String(), Reached: s.Reached.String(), Counted: int64(s.Counted / time.Second), Lost: int64(s.Lost / time.Second),
			Credit: exact(s.Credit), Fees: exact(s.Fees), Delivered: int64(s.Delivered), Wanted: int64(s.Wanted), Breaches: s.Breaches,
		}
		if s.Share > 0 {
			v.Share = s.Share.String()
		}
		for _, x := range s.Excluded {
			v.Excluded = append(v.Excluded, exclusionJSON{x.From.UTC(), x.To.UTC(), x.Why, x.Ref})
		}
		out.Service = v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return nil, fmt.Errorf("write invoice %s: %w", inv.Number, err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// UnmarshalJSON reads what MarshalJSON writes, amounts to the micro-dollar.
func (inv *Invoice) UnmarshalJSON(data []byte) error {
	var in invoiceJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read invoice: %w", err)
	}
	out := Invoice{
		Number: in.Number, Draft: in.Draft, Tenant: in.Tenant, Contract: in.Contract,
		Period: Period{in.Period.Month, in.Period.From.UTC(), in.Period.To.UTC()}, Zone: in.Period.Zone,
		Issued: in.Issued.UTC(), Due: in.Due.UTC(), Currency: in.Currency, Seller: in.Seller.party(), Customer: in.Customer.party(),
		Notes: in.Notes, Rows: in.Rows, Closing: in.Closing, Terms: in.Terms,
	}
	err := readInto(&out.Total, in.Total)
	if in.Version != "" && err == nil {
		out.Version, err = contract.ParseDate(in.Version)
	}
	for _, x := range in.Tariffs {
		x.Interval = time.Duration(x.Seconds) * time.Second
		out.Tariffs = append(out.Tariffs, x.Tariff)
	}
	for _, j := range in.Lines {
		l := Line{Kind: j.Kind, Text: j.Text, Quantity: j.Quantity, Unit: j.Unit, Rate: j.Rate, Corrects: j.Corrects, Evidence: j.Evidence}
		said := j.Amount
		if j.Exact != nil {
			said = *j.Exact
		}
		if err == nil {
			err = readInto(&l.Amount, said)
		}
		out.Lines = append(out.Lines, l)
	}
	if in.Service != nil && err == nil {
		out.Service, err = in.Service.service()
	}
	if err != nil {
		return fmt.Errorf("read invoice %s: %w", in.Number, err)
	}
	*inv = out
	return nil
}

func readInto(m *unit.Money, n json.Number) (err error) {
	*m, err = amount(n)
	return err
}

func (v *serviceJSON) service() (*Service, error) {
	s := &Service{
		Counted: time.Duration(v.Counted) * time.Second, Lost: time.Duration(v.Lost) * time.Second,
		Delivered: unit.Energy(v.Delivered), Wanted: unit.Energy(v.Wanted), Breaches: v.Breaches,
	}
	for _, r := range []struct {
		into *unit.Ratio
		text string
	}{{&s.Promised, v.Promised}, {&s.Reached, v.Reached}, {&s.Share, v.Share}} {
		if r.text == "" {
			continue
		}
		if err := r.into.UnmarshalText([]byte(r.text)); err != nil {
			return nil, err
		}
	}
	for _, x := range v.Excluded {
		s.Excluded = append(s.Excluded, Exclusion{x.From.UTC(), x.To.UTC(), x.Why, x.Ref})
	}
	if err := readInto(&s.Credit, v.Credit); err != nil {
		return nil, err
	}
	return s, readInto(&s.Fees, v.Fees)
}

// Read reads the JSON of one invoice, of at most 4 MiB.
func Read(data []byte) (Invoice, error) {
	var inv Invoice
	if len(data) > maxDocument {
		return inv, fmt.Errorf("read invoice: %d bytes, the most are %d", len(data), maxDocument)
	}
	err := json.Unmarshal(data, &inv)
	return inv, err
}

const maxDocument = 4 << 20

// WriteJSON writes the invoice for machines, indented.
func WriteJSON(w io.Writer, inv Invoice) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(inv); err != nil {
		return fmt.Errorf("write invoice %s: %w", inv.Number, err)
	}
	return nil
}
