package contract

import (
	"fmt"
	"io"
	"os"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// MaxSize bounds a contract file, in bytes.
const MaxSize = 256 << 10

// Known is what the rest of the site knows by name. A nil list is not checked against.
type Known struct {
	Tenants []string // ids of the site file's tenants
	Models  []string // GPU models of the site file's clusters
}

// Load reads and checks the contract file at path. It blocks on the disk. Where the file has
// faults the error is a strictyaml.Faults with all of them.
func Load(path string) (*Contract, error) { return LoadKnowing(path, Known{}) }

// LoadKnowing is Load with the names that the contract may use. It blocks on the disk.
func LoadKnowing(path string, k Known) (*Contract, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read contract %s: %w", path, err)
	}
	return ParseKnowing(path, data, k)
}

// Parse checks data, the content of the contract file called name, without touching the disk.
// The error is a strictyaml.Faults.
func Parse(name string, data []byte) (*Contract, error) { return ParseKnowing(name, data, Known{}) }

// ParseKnowing is Parse with the names that the contract may use.
func ParseKnowing(name string, data []byte, k Known) (*Contract, error) {
	if len(data) > MaxSize {
		return nil, strictyaml.Faults{{
			File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has more than the %d bytes allowed", MaxSize),
			Suggestion: "a contract is a page or two: is this the right file?",
		}}
	}
	var c Contract
	doc, faults := strictyaml.Decode(name, data, &c)
	if doc.Faulty("") && !doc.Has("tenant") && !doc.Has("versions") {
		return nil, faults.Err() // no YAML, or no contract: the checks would only add noise
	}
	c.setDefaults(doc)
	k2 := &checker{doc: doc, c: &c, known: k}
	k2.all()
	if err := append(faults, k2.faults...).Sorted().Err(); err != nil {
		return nil, err
	}
	c.Warnings = k2.warnings.Sorted()
	return &c, nil
}

// The causes that an SLA may exclude.
const (
	ConsentedCurtailment = "consented-curtailment"
	AnnouncedMaintenance = "maintenance"
)

// setDefaults fills in what the file leaves out; a written zero stays, for the checks to judge.
func (c *Contract) setDefaults(doc *strictyaml.Doc) {
	absent(doc, "currency", &c.Currency, "USD")
	for i := range c.Versions {
		v, path := &c.Versions[i], versionPath(i)
		absent(doc, path+".start", &v.Start, c.Versions[0].From)
		absent(doc, path+".payment_days", &v.PaymentDays, 30)
		absent(doc, path+".tax_name", &v.TaxName, "Tax")
		if s := v.SLA; s != nil {
			absent(doc, path+".sla.delivered", &s.Delivered, 0.95)
			absent(doc, path+".sla.cap", &s.Cap, 1)
			absent(doc, path+".sla.excluded", &s.Excluded, []string{ConsentedCurtailment, AnnouncedMaintenance})
		}
		if p := v.Prepayment; p != nil {
			absent(doc, path+".prepayment.share", &p.Share, unit.Ratio(1))
		}
	}
}

// absent sets *v to value where the file has no key at path.
func absent[T any](doc *strictyaml.Doc, path string, v *T, value T) {
	if !doc.Has(path) {
		*v = value
	}
}

func versionPath(i int) string { return fmt.Sprintf("versions[%d]", i) }

// InSite returns the contract with the site's time zone, an IANA name, where the file names none.
func (c *Contract) InSite(timezone string) *Contract {
	if c.Timezone != "" {
		return c
	}
	out := *c
	out.Timezone = timezone
	return &out
}

// Location returns the zone in which the contract's days and months begin; UTC where neither
// the file nor InSite named one.
func (c *Contract) Location() *time.Location {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return time.UTC // Parse has refused it; a Contract made by hand falls to the default
	}
	return zone
}
