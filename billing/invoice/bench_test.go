package invoice

import (
	"fmt"
	"strings"
	"testing"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
)

// BenchmarkMonth issues the invoices of 200 tenants for a month of 8,928 intervals, postings and disk included.
func BenchmarkMonth(b *testing.B) {
	const tenants = 200
	src := &shelf{contracts: map[string]*contract.Contract{}, rows: map[string][]usage.Row{}}
	for i := range tenants {
		id := fmt.Sprintf("t%03d", i)
		src.contracts[id] = parsed(b, strings.Replace(lease, "tenant: acme", "tenant: "+id, 1))
	}
	rows := month(period(b, src.contracts["t000"], "2026-10"), "any", steady)
	for id := range src.contracts {
		src.rows[id+"/2026-10"] = rows
	}
	for b.Loop() {
		b.StopTimer()
		o := officeOf(b)
		b.StartTimer()
		for i := range tenants {
			if _, fresh, err := o.Issue(b.Context(), src, fmt.Sprintf("t%03d", i), "2026-10", day("2026-11-02")); err != nil || !fresh {
				b.Fatal(fresh, err)
			}
		}
	}
	b.ReportMetric(float64(tenants*b.N)/b.Elapsed().Seconds(), "invoices/s")
}
