package planner

import "switchyard/dispatch/schedule"

import "testing"

// RandomHalls draws a site with hundreds of machines, for the tests outside the package.
func RandomHalls(t testing.TB, seed uint64) schedule.Problem { return seeded(seed).halls(t) }
