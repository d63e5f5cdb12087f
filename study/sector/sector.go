package sector

// Deal is a lease or a GPU contract as a report shows it. Rate is $/kW-month of critical load over the
// initial term, escalators included: zero where too little was told. USD is nil where no total was told.
type Deal struct {
	Name   string
	Date   string
	MW     float64
	Years  float64
	USD    *float64
	Rate   float64
	Kind   string // "gross", "modified", "net", "gpu cloud", "not told"
	Note   string
	Source string
}

// Estimate puts a site's consumption beside an estimate of somebody's, in TWh a year. Share is the
// site's year over Low, so the most that it can be.
type Estimate struct {
	What    string
	Method  string
	Low     float64
	High    float64
	Share   float64
	SiteMWh float64
	Source  string
}
