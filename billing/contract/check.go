package contract

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// checker holds what the checks of one file share. A check says nothing about a key that
// already has a fault, so that one slip gives one line.
type checker struct {
	doc      *strictyaml.Doc
	c        *Contract
	known    Known
	faults   strictyaml.Faults
	warnings strictyaml.Faults
}

func (k *checker) all() {
	k.parties()
	if k.need("versions", "write what holds from which day on as a list below versions:") && len(k.c.Versions) == 0 && !k.doc.Faulty("versions") {
		k.fault("versions", "", "there is no version, so nothing is agreed")
	}
	if n := len(k.c.Versions); n > maxVersions {
		k.fault("versions", "make another file of it", "there are %d versions, more than the %d allowed", n, maxVersions)
		return
	}
	for i := range k.c.Versions {
		k.version(i)
	}
	k.order()
	k.restated()
	k.prepaid()
}

func (k *checker) fault(path, suggestion, format string, args ...any) {
	if !k.doc.Faulty(path) {
		k.faults = append(k.faults, k.doc.Fault(path, suggestion, format, args...))
	}
}

func (k *checker) warn(path, suggestion, format string, args ...any) {
	k.warnings = append(k.warnings, k.doc.Fault(path, suggestion, format, args...))
}

// need says that the key must be there; false if it is not, or if it has a fault already.
func (k *checker) need(path, suggestion string) bool {
	if !k.doc.Has(path) {
		k.fault(path, suggestion, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
		return false
	}
	return !k.doc.Faulty(path)
}

// text says that the key must be there and hold something.
func (k *checker) text(path, value, suggestion string) {
	if k.need(path, suggestion) && strings.TrimSpace(value) == "" {
		k.fault(path, suggestion, "%s is empty", path[strings.LastIndexByte(path, '.')+1:])
	}
}

func (k *checker) oneOf(path, what, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	k.fault(path, strictyaml.Suggest(value, allowed), "unknown %s %q", what, value)
	return false
}

type quantity interface {
	int | float64 | time.Duration | unit.Power | unit.Money | unit.Price | unit.CapacityRate | unit.Ratio
}

// between says that the quantity must lie in the closed range.
func between[T quantity](k *checker, path string, v, low, high T) {
	switch {
	case v < 0 && low >= 0:
		k.fault(path, "it can be from "+plain(low)+" to "+plain(high), "%s is negative", plain(v))
	case v < low || v > high:
		k.fault(path, "it can be from "+plain(low)+" to "+plain(high), "%s is out of range", plain(v))
	}
}

// positive says that the quantity must be above zero and at most high.
func positive[T quantity](k *checker, path string, v, high T) {
	switch {
	case v < 0:
		k.fault(path, "it can be from above zero to "+plain(high), "%s is negative", plain(v))
	case v == 0:
		k.fault(path, "it can be from above zero to "+plain(high), "it is zero")
	case v > high:
		k.fault(path, "it can be from above zero to "+plain(high), "%s is out of range", plain(v))
	}
}

func plain(v any) string {
	switch q := v.(type) {
	case time.Duration:
		return strictyaml.Duration(q)
	case unit.Money:
		return q.String()
	}
	return fmt.Sprint(v)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

func (k *checker) parties() {
	c := k.c
	if k.need("tenant", "write the tenant's id in the site file") {
		switch {
		case !idForm.MatchString(c.Tenant):
			k.fault("tenant", `use at most 48 letters, digits, "-", "_" and "."`, "%q cannot be an id", c.Tenant)
		case k.known.Tenants != nil && !slices.Contains(k.known.Tenants, c.Tenant):
			k.fault("tenant", strictyaml.Suggest(c.Tenant, k.known.Tenants), "the site has no tenant %q", c.Tenant)
		}
	}
	k.text("contract", c.Number, `write it as the parties call it, such as "MSA-2026-014"`)
	k.text("customer.name", c.Customer.Name, "an invoice must say who owes it")
	k.text("seller.name", c.Seller.Name, "an invoice must say whom it is owed to")
	if len(c.Seller.Pay) == 0 {
		k.warn("seller", "write bank, account and reference as a list", "pay is missing: invoices will not say where to pay")
	}
	for _, p := range []struct{ path, email string }{{"customer.email", c.Customer.Email}, {"seller.email", c.Seller.Email}} {
		if local, host, ok := strings.Cut(p.email, "@"); p.email != "" && (!ok || local == "" || host == "" || strings.ContainsAny(p.email, " \t\r\n")) {
			k.fault(p.path, `write it like "billing@example.com"`, "%q is not an e-mail address", p.email)
		}
	}
	if c.Currency != "USD" {
		k.fault("currency", "write USD or leave it out", "%q cannot be billed: the books are in US dollars", c.Currency)
	}
	if !k.doc.Has("timezone") {
		k.warn("timezone", "write it, so that the contract can be read alone", "timezone is missing: days and months begin where the site is")
	} else if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" || c.Timezone == "" {
		k.fault("timezone", `write a name of the IANA list, such as "America/Chicago" or "UTC"`, "unknown time zone %q", c.Timezone)
	}
}

// version checks one version by itself.
func (k *checker) version(i int) {
	v, path := k.c.Versions[i], versionPath(i)
	k.need(path+".from", `write its first day, like "2026-03-01"`)
	if !v.To.IsZero() && !v.From.IsZero() && !v.From.Before(v.To) {
		k.fault(path+".to", "to is the first day on which the version no longer holds", "%s is not after from, %s", v.To, v.From)
	}
	if k.need(path+".kind", "write colocation or gpu-cloud") && k.oneOf(path+".kind", "kind", string(v.Kind), string(Colocation), string(GPUCloud)) {
		k.part(path, v)
	}
	if v.Colocation != nil {
		k.space(path+".colocation", v)
	}
	if v.Cloud != nil {
		k.cloud(path+".gpu_cloud", *v.Cloud)
	}
	if v.SLA != nil {
		k.sla(path+".sla", *v.SLA)
		if v.Kind == GPUCloud {
			k.warn(path+".sla", "leave it out, or settle it with the tenant by hand", "availability is measured for colocation alone: nothing measures this promise, and no credit is reckoned")
		}
	}
	if v.Curtail != nil {
		k.curtail(path+".curtailment", v)
	}
	if v.Prepayment != nil {
		k.prepayment(path+".prepayment", i)
	}
	between(k, path+".payment_days", v.PaymentDays, 0, 365)
	between(k, path+".tax", v.TaxRate, 0, 0.5)
}

// part says that the version must have the part that its kind is about, and no other.
func (k *checker) part(path string, v Version) {
	mine, other := ".colocation", ".gpu_cloud"
	if v.Kind == GPUCloud {
		mine, other = other, mine
	}
	if !k.doc.Has(path + mine) {
		k.fault(path+".kind", "write the terms below "+mine[1:]+":", "the kind is %s, and %s is missing", v.Kind, mine[1:])
	} else if there := v.Colocation != nil && mine == ".colocation" || v.Cloud != nil && mine == ".gpu_cloud"; !there {
		k.fault(path+mine, "write the terms below it", "%s is empty", mine[1:])
	}
	if k.doc.Has(path + other) {
		k.fault(path+other, "remove it, or make it a contract of its own", "the kind is %s, and %s says something else", v.Kind, other[1:])
	}
}

// order says that versions must follow one another, without two for one day.
func (k *checker) order() {
	vs := k.c.Versions
	for i := 1; i < len(vs); i++ {
		before, v, path := vs[i-1], vs[i], versionPath(i)
		if before.From.IsZero() || v.From.IsZero() {
			continue
		}
		line, _ := k.doc.At(versionPath(i-1) + ".from")
		switch {
		case v.From == before.From:
			k.fault(path+".from", "let one day have one version", "two versions begin on %s: this one and the one on line %d", v.From, line)
		case v.From.Before(before.From):
			k.fault(path+".from", "write the versions by their first day, the earliest first", "the version of %s stands after the one of %s on line %d", v.From, before.From, line)
		case v.From.Before(before.To):
			k.fault(path+".from", fmt.Sprintf("let the earlier one end on %s, or leave its to out", v.From),
				"the version of %s overlaps the one of %s on line %d, which holds until %s", v.From, before.From, line, before.To)
		case !before.To.IsZero() && before.To.Before(v.From):
			k.warn(path+".from", "", "nothing is agreed from %s until %s: nothing is billed for it", before.To, v.From)
		}
	}
}

// restated warns of a later version that changes the rate and leaves the escalator's start to
// the first version: the new rate then is that of years ago.
func (k *checker) restated() {
	for i := 1; i < len(k.c.Versions); i++ {
		v, before, path := k.c.Versions[i], k.c.Versions[i-1], versionPath(i)
		if k.doc.Has(path+".start") || k.doc.Faulty(path) || k.doc.Faulty(versionPath(0)) || v.Colocation == nil || before.Colocation == nil {
			continue
		}
		if r := v.RateOn(v.From); v.Colocation.Rate != before.Colocation.Rate && r != v.Colocation.Rate {
			k.warn(path+".colocation.rate", fmt.Sprintf("write start: %s, if it begins anew", v.From),
				"%v is the rate of the first year from %s: with the escalator it begins at %v on %s", v.Colocation.Rate, v.Start, r, v.From)
		}
	}
}
