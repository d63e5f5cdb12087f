package sector

// Estimate puts a site's consumption beside an estimate of somebody's, in TWh a year. Share is the
// site's year over Low, the most that it can be.
type Estimate struct {
	What    string
	Method  string
	Low     float64
	High    float64
	Share   float64
	SiteMWh float64
	Source  string
}

// What others published, and from what we compute.
const (
	eiaLow, eiaHigh = 0.006, 0.023 // shares of US consumption
	usTWh           = 4000.0       // US end use in 2023: retail sales of 3,861 TWh and direct use

	surveyHashrate = 268e6 / 0.48 // TH/s: the miners asked had 268 EH/s, 48 % of the network
	surveyJTH      = 28.2         // their mean efficiency
	surveyTWh      = 138.0

	bestJTH   = 5360.0 / 335 // Antminer S21 Hyd, 335 TH/s at 5,360 W
	hashprice = 53.76        // $/PH/day, mean of June 2024
	cheapest  = 50.0         // $/MWh that the index takes all miners to pay

	pueLow, pueBest, pueHigh = 1.01, 1.10, 1.20
)

// CambridgeTWh is what a network of so many TH/s consumes in a year of 8,766 hours at an efficiency in
// J/GH and a PUE, in TWh. J/GH times TH/s is kilowatts: (J/GH) x (1,000 GH/s) is 1,000 J/s.
func CambridgeTWh(joulesPerGH, terahashes, pue float64) float64 {
	return joulesPerGH * terahashes * pue * 8766 / 1e9
}

// Threshold is the efficiency in J/GH above which a machine costs more power than it earns, from a
// hashprice in $/PH/day and a power price in $/MWh. The index averages it over 14 days.
func Threshold(hashprice, price float64) float64 {
	perTHSecond := hashprice / 1000 / 86400 // $ of a TH/s each second
	perJoule := price / 3.6e9
	return perTHSecond / perJoule / 1000 // J/s per TH/s, and a thousandth of it per GH/s
}

// Bounds are the Cambridge index's lower, best-guess and upper estimates in TWh a year: all miners with the best
// machines, with those in use, and with the worst that still pay; PUE 1.01, 1.10 and 1.20. Efficiencies
// are J/GH, the network TH/s.
func Bounds(terahashes, best, inUse, worst float64) (low, guess, high float64) {
	return CambridgeTWh(best, terahashes, pueLow), CambridgeTWh(inUse, terahashes, pueBest), CambridgeTWh(worst, terahashes, pueHigh)
}

// Energy puts a site's consumption in MWh a year beside what is published of mining and data centres.
func Energy(siteMWhPerYear float64) []Estimate {
	low, _, high := Bounds(surveyHashrate, bestJTH/1000, surveyJTH/1000, Threshold(hashprice, cheapest))
	all := []Estimate{
		{
			What: "Bitcoin and other mining in the United States, 2023", Low: eiaLow * usTWh, High: eiaHigh * usTWh,
			Method: "0.6 to 2.3 % (from Cambridge's share of the world, and from facilities found and their power) of 4,000 TWh of end use in 2023",
			Source: "US Energy Information Administration, Tracking electricity consumption from US cryptocurrency mining operations, 2024-02-01; end use: EIA's retail sales (3,861 TWh) and direct use of 2023",
		},
		{
			What: "Bitcoin mining in the world, 2024", Low: surveyTWh, High: surveyTWh,
			Method: "survey of 49 firms with 48 % of the hashrate, mean efficiency 28.2 J/TH, scaled to the network",
			Source: "Cambridge Centre for Alternative Finance, Cambridge Digital Mining Industry Report, April 2025",
		},
		{
			What: "Bitcoin mining in the world, mid-2024, by bounds", Low: low, High: high,
			Method: "as the Cambridge Bitcoin Electricity Consumption Index: J/GH x TH/s x 8,766 h x PUE; low: all with 16.0 J/TH and PUE 1.01; high: all at the efficiency that still pays at 53.76 $/PH/day and 50 $/MWh (44.8 J/TH) and PUE 1.20; 558 EH/s",
			Source: "computed; method: Cambridge Centre for Alternative Finance, CBECI methodology; hashrate: its 2025 report (268 EH/s are 48 %); hashprice: subsidy, fees and price of June 2024 over the mean hashrate; 5 US cents a kWh: the index's own assumption, from memory",
		},
		{
			What: "Data centres, AI and cryptocurrencies in the world, 2022", Low: 460, High: 460,
			Method: "bottom-up by the agency, mining included",
			Source: "International Energy Agency, Electricity 2024, January 2024",
		},
		{
			What: "Data centres, AI and cryptocurrencies in the world, 2026", Low: 620, High: 1050,
			Method: "the agency's forecast, low and high case; base case just over 800 TWh. The high case is about what Japan uses",
			Source: "International Energy Agency, Electricity 2024, January 2024",
		},
	}
	for i := range all {
		all[i].SiteMWh = siteMWhPerYear
		all[i].Share = siteMWhPerYear / 1e6 / all[i].Low
	}
	return all
}
