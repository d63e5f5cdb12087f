package contract

import (
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// Kind is what a contract sells.
type Kind string

// The kinds.
const (
	Colocation Kind = "colocation" // power and space for the tenant's own machines, by the kW-month
	GPUCloud   Kind = "gpu-cloud"  // our machines, by the GPU-hour
)

// Contract is one tenant's contract with all its versions.
type Contract struct {
	Tenant   string    `yaml:"tenant"`   // the tenant's id in the site file
	Number   string    `yaml:"contract"` // as the parties call it: "MSA-2026-014"
	Customer Party     `yaml:"customer"`
	Seller   Party     `yaml:"seller"`
	Currency string    `yaml:"currency"` // only USD
	Timezone string    `yaml:"timezone"` // months begin here; default the site's
	Versions []Version `yaml:"versions"` // by From, ascending, without overlap

	// Warnings are what a person should look at and that is no fault; Parse fills them in.
	Warnings strictyaml.Faults `yaml:"-"`
}

// Party is who signs and pays.
type Party struct {
	Name    string   `yaml:"name"`
	Address []string `yaml:"address"`
	TaxID   string   `yaml:"tax_id"`
	Email   string   `yaml:"email"`
	// Pay tells where to pay: bank, account, reference; of the seller.
	Pay []string `yaml:"pay"`
}

// Version is what holds from a day on. Days begin at midnight in the contract's time zone.
type Version struct {
	From Date `yaml:"from" json:"from,omitzero"`
	// To is the first day on which it no longer holds; zero: until the next version or for ever.
	To   Date `yaml:"to" json:"to,omitzero"`
	Kind Kind `yaml:"kind" json:"kind,omitzero"`
	// Start is when the escalator's first year begins; default the first version's From.
	Start      Date        `yaml:"start" json:"start,omitzero"`
	Colocation *Space      `yaml:"colocation" json:"colocation,omitzero"`
	Cloud      *Cloud      `yaml:"gpu_cloud" json:"gpu_cloud,omitzero"`
	SLA        *SLA        `yaml:"sla" json:"sla,omitzero"`
	Curtail    *Curtail    `yaml:"curtailment" json:"curtailment,omitzero"`
	Prepayment *Prepayment `yaml:"prepayment" json:"prepayment,omitzero"`
	// PaymentDays is how many days after its date an invoice is due; default 30. TaxRate is added to all.
	PaymentDays int        `yaml:"payment_days" json:"payment_days,omitzero"`
	TaxRate     unit.Ratio `yaml:"tax" json:"tax,omitzero"`
	TaxName     string     `yaml:"tax_name" json:"tax_name,omitzero"`
}

// Date is a day, "2026-03-01", without a time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Space is colocation: critical load owed whether used or not.
type Space struct {
	// Critical is the contracted critical load, Gross the utility power that it takes with
	// cooling; Gross is told for the reader and the planner, rent is on Critical.
	Critical unit.Power        `yaml:"critical" json:"critical,omitzero"`
	Gross    unit.Power        `yaml:"gross" json:"gross,omitzero"`
	Rate     unit.CapacityRate `yaml:"rate" json:"rate,omitzero"` // $/kW-month of critical load
	// Escalator raises Rate at each anniversary of Start: 3 % makes the second year's rate 1.03 x.
	Escalator unit.Ratio `yaml:"escalator" json:"escalator,omitzero"`
	// Steps bring the load into service by and by; empty: all of it from the beginning.
	Steps []RampStep `yaml:"ramp" json:"ramp,omitzero"`
	// Lease says who bears operating costs: "gross" (rent holds power and upkeep), "modified"
	// (power is passed through, upkeep is the landlord's), "net" (power, upkeep, tax and
	// insurance are passed through: Upkeep).
	Lease string `yaml:"lease" json:"lease,omitzero"`
	Power *Pass  `yaml:"power" json:"power,omitzero"` // nil with a gross lease
	// Upkeep is the tenant's share of operating costs under a net lease, per kW-month of critical load.
	Upkeep unit.CapacityRate `yaml:"upkeep" json:"upkeep,omitzero"`
	// Overage is owed per kW-month of the highest 15-minute mean above Critical.
	Overage unit.CapacityRate `yaml:"overage" json:"overage,omitzero"`
}

// RampStep is critical load in service from a day on.
type RampStep struct {
	From     Date       `yaml:"from" json:"from,omitzero"`
	Critical unit.Power `yaml:"critical" json:"critical,omitzero"`
}

// Pass is how power is passed through.
type Pass struct {
	// Losses says that the site's measured losses up to the revenue meter are the tenant's in
	// proportion to its energy. Adder is added to each MWh passed through; PUECap bounds the
	// ratio of billed to critical energy, zero: no bound.
	Losses bool       `yaml:"losses" json:"losses,omitzero"`
	Adder  unit.Price `yaml:"adder" json:"adder,omitzero"`
	PUECap float64    `yaml:"pue_cap" json:"pue_cap,omitzero"`
	// Demand and Coincident say that the tenant bears its share of the month's demand charge
	// (by its power at the site's peak) and of the coincident-peak charge (by its power then).
	Demand     bool `yaml:"demand_share" json:"demand_share,omitzero"`
	Coincident bool `yaml:"coincident_share" json:"coincident_share,omitzero"`
}

// Cloud is GPU time of ours.
type Cloud struct {
	// Reserved GPUs are owed whether used or not (take or pay), at Rate per GPU-hour.
	Reserved []Reserved `yaml:"reserved" json:"reserved,omitzero"`
	// OnDemand and Interruptible are rates per GPU-hour used beyond what is reserved, by model.
	OnDemand      map[string]unit.Money `yaml:"on_demand" json:"on_demand,omitzero"`
	Interruptible map[string]unit.Money `yaml:"interruptible" json:"interruptible,omitzero"`
	// Storage is owed per TB and month, for so many TB.
	Storage *Storage `yaml:"storage" json:"storage,omitzero"`
}

// Reserved is a number of GPUs of a model, paid for every hour.
type Reserved struct {
	Model string     `yaml:"model" json:"model,omitzero"`
	GPUs  int        `yaml:"gpus" json:"gpus,omitzero"`
	Rate  unit.Money `yaml:"rate" json:"rate,omitzero"` // per GPU-hour
}

// Storage is space on our disks.
type Storage struct {
	TB   float64    `yaml:"tb" json:"tb,omitzero"`
	Rate unit.Money `yaml:"rate" json:"rate,omitzero"` // per TB and month
}

// SLA is what is promised of delivery, and what breaking it costs.
type SLA struct {
	// Availability is the promised share of the month's minutes with power delivered, without
	// those excluded. Credits are by what was reached, worst last.
	Availability unit.Ratio `yaml:"availability" json:"availability,omitzero"`
	Credits      []Credit   `yaml:"credits" json:"credits,omitzero"`
	// Delivered is the share of the power wanted below which an interval counts as a brown-out:
	// its minutes count as not available. Default 95 %.
	Delivered unit.Ratio `yaml:"delivered" json:"delivered,omitzero"`
	// Cap bounds a month's credits, as a share of the month's rent. Default 100 %.
	Cap unit.Ratio `yaml:"cap" json:"cap,omitzero"`
	// Excluded causes do not count: "consented-curtailment" and "maintenance" (announced
	// Notice before), which are the default.
	Excluded []string      `yaml:"excluded" json:"excluded"`
	Notice   time.Duration `yaml:"maintenance_notice" json:"maintenance_notice,omitzero"`
	// Maintenance is how much announced maintenance a month excludes at the most; zero: no bound.
	Maintenance time.Duration `yaml:"maintenance_hours" json:"maintenance_hours,omitzero"`
}

// Credit is owed when availability is below Below: a share of the month's rent.
type Credit struct {
	Below unit.Ratio `yaml:"below" json:"below,omitzero"`
	Share unit.Ratio `yaml:"credit" json:"credit,omitzero"`
}

// Curtail is the right to take power back for a payment.
type Curtail struct {
	Power  unit.Power    `yaml:"power" json:"power,omitzero"`
	Hours  time.Duration `yaml:"hours" json:"hours,omitzero"` // a calendar year
	Notice time.Duration `yaml:"notice" json:"notice,omitzero"`
	Price  unit.Price    `yaml:"price" json:"price,omitzero"` // paid to the tenant per MWh not drawn
}

// Prepayment is money paid ahead and credited against invoices.
type Prepayment struct {
	Amount unit.Money `yaml:"amount" json:"amount,omitzero"`
	Paid   Date       `yaml:"paid" json:"paid,omitzero"`
	// Share caps what one invoice may take, as a share of its rent: 50 % credits up to half of each month's.
	Share unit.Ratio `yaml:"share" json:"share,omitzero"`
}
