// Package world owns what a site cannot choose: the price of bitcoin and the difficulty that follows
// it, the price of power, what building costs and how long it takes, whether a tenant fails. It
// tells them as the expected case, as scenarios, and as random paths.
//
// It never knows what an option earns, and never reads a clock or a machine's own random numbers:
// path i of a seed is the same on every machine, whatever the number of cores, and whatever other
// paths are drawn. Options and scenarios that are compared see the same paths.
//
// Concurrency: a Model is immutable; Draw fills a Path that belongs to one goroutine.
package world

// Path is one future, month by month; month 0 is the study's first.
type Path struct {
	Price      []float64 // $ for a bitcoin, the month's mean
	Difficulty []float64 // of the network, the month's mean
	Hashprice  []float64 // $/PH/day: subsidy and fees over difficulty, times price
	Level      []float64 // factor on the hourly prices of the calendar month, growth included
	Spike      []float64 // $/MWh added in the month's dearest hours, as many as the file says
	GPU        []float64 // factor on the GPU rate about its expected decay, which is the cloud's own: 1 in the expected case

	// By hall: standard normal numbers for the cost and the duration of building, and uniform
	// numbers from 0 to 1 for the tenant's failure, its extensions and (one for the site) the grid's.
	Cost, Delay     []float64
	Failure, Extend []float64
	Energised       float64

	// Exact factors of a scenario; 1 where it says nothing. FailsAt is the month of the term in
	// which the tenant fails; zero: by Failure. Longer adds months to building. Of the expected
	// case, Fixed is true: Cost and Delay are zero, and what a lease says of failing is its own.
	CapexFactor, RentFactor float64
	Longer, FailsAt         int
	Fixed                   bool
}
