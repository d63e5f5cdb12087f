// Package flow owns the words in which a study's futures are told to its finance: what a project
// earns and spends, month by month and line by line.
//
// It never decides and never computes what a line is worth.
//
// Concurrency: values are plain data; one goroutine fills a Flows at a time.
package flow

// Line is one kind of money. Money that comes in is positive, money that goes out negative.
type Line int

// The lines of operation, of investment, and what is neither revenue nor cost when it moves.
const (
	Mining     Line = iota // bitcoin mined, at the month's price, before the pool's fee
	Rent                   // hosting rent earned, before credits
	Cloud                  // GPU hours sold
	Passed                 // power and upkeep that a tenant pays back
	Programmes             // demand response, reserves
	Blocks                 // fixed-price power against the market: may be either sign
	PoolFee
	Energy     // hourly price with the adder
	Demand     // demand and coincident-peak charges
	Upkeep     // of halls and machines
	Property   // property tax and insurance
	Service    // SLA credits; the cloud's staff and software
	Fixed      // the site's own costs
	Warrants   // given to a tenant or its backer: no cash, a cost to the owners
	TenantCost // interest on the tenant's capex, credited with it
	Building   // capex of halls, connection, land
	Machines   // capex of miners and GPUs
	Sale       // what selling a hall, or the end of the study, brings
	Resale     // what selling miners and GPUs brings
	Prepaid    // rent paid before it is earned, and less of it as it is credited: sums to zero
	TenantPut  // capex that the tenant paid, and less of it as it is credited: sums to zero
	Lines      // how many there are
)

// info is a line's stable name for machines and its name for people.
var info = [Lines][2]string{
	Mining: {"mining", "Bitcoin mined"}, Rent: {"rent", "Hosting rent"}, Cloud: {"cloud", "GPU hours"},
	Passed: {"passed_through", "Passed through to tenants"}, Programmes: {"programmes", "Curtailment programmes"},
	Blocks: {"blocks", "Fixed-price power against market"}, PoolFee: {"pool_fee", "Pool fees"}, Energy: {"energy", "Energy"},
	Demand: {"demand", "Demand and peak charges"}, Upkeep: {"upkeep", "Upkeep"}, Property: {"property", "Property tax and insurance"},
	Service: {"service", "SLA, staff and software"}, Fixed: {"fixed", "Site's fixed costs"}, Warrants: {"warrants", "Warrants given"},
	TenantCost: {"tenant_interest", "Interest on tenant's capex"},
	Building:   {"building", "Building and connection"}, Machines: {"machines", "Miners and GPUs"}, Sale: {"sale", "Sale and exit value"},
	Resale: {"resale", "Machines sold"}, Prepaid: {"prepaid", "Prepaid rent, net of credits"}, TenantPut: {"tenant_capex", "Tenant's capex, net of credits"},
}

// Key is the line's name for machines.
func (l Line) Key() string { return info[l][0] }

// String is the line's name for people.
func (l Line) String() string { return info[l][1] }

// Operating says that the line is revenue or cost of operation; their sum is EBITDA.
func (l Line) Operating() bool { return l <= Fixed }

// Invested says that the line is capex, which is written off.
func (l Line) Invested() bool { return l == Building || l == Machines }

// Flows is a project before financing and tax, in nominal dollars; month 0 is the study's first.
type Flows struct {
	Months int
	Line   [Lines][]float64
	// MWh is energy drawn from the grid; MW critical load that pays rent or carries rented GPUs.
	MWh, MW []float64
	// Begin is the first month of construction, Operate the first month of operation (the loan's
	// term begins there), End the month after the last; Begin equals Operate where nothing is built.
	Begin, Operate, End int
	// Failed is the month in which the tenant failed; -1: never.
	Failed int
}

// New returns flows of nothing.
func New(months int) *Flows {
	f := &Flows{Months: months}
	all := make([]float64, (int(Lines)+2)*months)
	for l := range f.Line {
		f.Line[l], all = all[:months:months], all[months:]
	}
	f.MWh, f.MW = all[:months:months], all[months:]
	f.Failed = -1
	return f
}

// Clear makes them flows of nothing again, for another path.
func (f *Flows) Clear() {
	for l := range f.Line {
		clear(f.Line[l])
	}
	clear(f.MWh)
	clear(f.MW)
	f.Begin, f.Operate, f.End, f.Failed = 0, 0, 0, -1
}

// Add adds other's lines, and leaves the marks in time as they are.
func (f *Flows) Add(other *Flows) {
	for l := range f.Line {
		add(f.Line[l], other.Line[l])
	}
	add(f.MWh, other.MWh)
	add(f.MW, other.MW)
}

func add(to, what []float64) {
	for t, v := range what {
		to[t] += v
	}
}

// EBITDA of a month: revenue less costs of operation.
func (f *Flows) EBITDA(t int) float64 {
	sum := 0.0
	for l := range Fixed + 1 {
		sum += f.Line[l][t]
	}
	return sum
}

// Net is all money of a month before financing and tax.
func (f *Flows) Net(t int) float64 {
	sum := 0.0
	for l := range Lines {
		sum += f.Line[l][t]
	}
	return sum
}
