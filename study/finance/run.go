package finance

import "switchyard/study/flow"

// Scratch holds what Value reuses between calls; its zero value is ready.
type Scratch struct{ disc discount }

// Value is the present value of Free alone.
func Value(fl *flow.Flows, t *Terms, s *Scratch) float64 { return 0 }

// Size sizes.
func Size(fl *flow.Flows, t *Terms) *Loan { return nil }

// NewResult returns a result of so many months.
func NewResult(months int) *Result { return &Result{} }

// Run runs.
func Run(p Project, out *Result) {}
