package invoice

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

func parsed(t testing.TB, text string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const parties = `
customer: {name: Acme AI Inc., address: [200 Example Street, "Austin, TX 78701"], tax_id: 12-3456789, email: payables@acme.example}
seller:
  name: North Creek Compute LLC
  address: [1 Substation Road, "Sweetwater, TX 79556"]
  tax_id: 98-7654321
  email: billing@north-creek.example
  pay: ["Example Bank, account 000123456, routing 011000015"]
`

// lease is 60 MW critical at 125 $/kW-month with 3 %, power passed through.
const lease = `
tenant: acme
contract: MSA-2026-014
timezone: America/Chicago` + parties + `
versions:
  - from: 2026-01-01
    kind: colocation
    payment_days: 30
    colocation:
      critical: 60 MW
      gross: 72.5 MW
      rate: 125 $/kW-month
      escalator: 3 %
      lease: modified
      power: {losses: true, adder: 2 $/MWh, pue_cap: 1.3, demand_share: true, coincident_share: true}
      overage: 150 $/kW-month
    curtailment: {power: 10 MW, hours: 100h, notice: 30m, price: 150 $/MWh}
`

const cloud = `
tenant: beta
contract: GPU-2026-003
timezone: UTC` + parties + `
versions:
  - from: 2026-01-01
    kind: gpu-cloud
    tax: 8.25 %
    tax_name: Texas sales tax
    gpu_cloud:
      reserved: [{model: H100, gpus: 256, rate: 2.10 $}]
      on_demand: {H100: 2.80 $}
      interruptible: {H100: 1.20 $}
      storage: {tb: 500, rate: 20 $}
    prepayment: {amount: 250000 $, paid: 2025-12-15, share: 50 %}
`

func period(t testing.TB, c *contract.Contract, month string) Period {
	t.Helper()
	p, err := PeriodOf(month, c.Location())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// month fills each interval of a period with the row that fill makes.
func month(p Period, tenant string, fill func(i int, r *usage.Row)) []usage.Row {
	var out []usage.Row
	for at := p.From; at.Before(p.To); at = at.Add(telemetry.Length) {
		r := usage.Row{Tenant: tenant, Start: at, Cost: site.Opt[unit.Money]{OK: true}}
		fill(len(out), &r)
		out = append(out, r)
	}
	return out
}

// steady draws 48 MW of critical load, 60 MW at the revenue meter, at 40 $/MWh.
func steady(_ int, r *usage.Row) {
	r.Critical, r.Billed = 4*unit.MegawattHour, 5*unit.MegawattHour
	r.Cost.V, r.Peak = 200*unit.Dollar, 48*unit.Megawatt
}

func lines(inv Invoice) map[LineKind][]string {
	out := map[LineKind][]string{}
	for _, l := range inv.Lines {
		out[l.Kind] = append(out[l.Kind], l.Billed().String())
	}
	return out
}

// The lease's October in its tenth year: rent 60,000 kW x 125 x 1.03^9 = 163.096648... $/kW,
// rounded to 163.096648, so 9,785,798.88. Energy: 744 h x 60 MW = 44,640 MWh at 40 $ is
// 1,785,600, the adder 89,280. The demand charge's share is 50 of 80 MW of $640,000, which is
// 400,000. One peak of 60.5 MW is 500 kW above: 75,000. Curtailed 20 MWh at 150: -3,000.
func TestColocationWithEscalator(t *testing.T) {
	c := parsed(t, lease)
	p := period(t, c, "2035-10")
	rows := month(p, "acme", steady)
	rows[100].Peak = 60_500 * unit.Kilowatt
	peak := p.From.Add(36 * time.Hour)
	inv, err := Build(In{
		Contract: c, Period: p, Rows: rows, Now: p.To.Add(48 * time.Hour),
		Charges:   []Charge{{Kind: DemandShare, Name: "demand charge", At: peak, Amount: 640_000 * unit.Dollar, Tenant: 50 * unit.Megawatt, Site: 80 * unit.Megawatt}},
		Curtailed: []Curtailed{{From: peak, To: peak.Add(2 * time.Hour), Energy: 20 * unit.MegawattHour, Why: "notice of 30 min", Ref: "plan 17"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[LineKind][]string{
		Rent: {"$9,785,798.88"}, Energy: {"$1,785,600.00", "$89,280.00"}, DemandShare: {"$400,000.00"}, Overage: {"$75,000.00"}, Curtailment: {"-$3,000.00"},
	}
	if diff := cmp.Diff(want, lines(inv)); diff != "" {
		t.Error(diff)
	}
	if inv.Total.String() != "$12,132,678.88" {
		t.Errorf("the total is %s", inv.Total)
	}
	if got := inv.Due.In(c.Location()).Format(time.DateOnly); got != "2035-12-03" {
		t.Errorf("due %s", got)
	}
	l := inv.Lines[0]
	if l.Evidence.Intervals != 8928 || l.Evidence.Missing != 0 || len(l.Evidence.SHA256) != 64 || !strings.Contains(l.Text, "contract year 10") {
		t.Errorf("%+v", l)
	}
	if l.Evidence.Link != "/api/v1/tenants/acme/usage?from=2035-10-01T05:00:00Z&to=2035-11-01T05:00:00Z&line=rent" {
		t.Error(l.Evidence.Link)
	}
}

// The bound on PUE: 4 MWh critical, 6 MWh at the meter, 1.3 x 4 = 5.2 MWh are billed, and of
// the cost of 240 $ an interval 208 $. November has 720 h and one more: 8,652 intervals.
func TestPUECapAndClockChange(t *testing.T) {
	c := parsed(t, lease)
	p := period(t, c, "2026-11")
	if got := p.To.Sub(p.From); got != 721*time.Hour {
		t.Fatalf("the month has %s", got)
	}
	rows := month(p, "acme", func(_ int, r *usage.Row) {
		r.Critical, r.Billed, r.Cost.V = 4*unit.MegawattHour, 6*unit.MegawattHour, 240*unit.Dollar
	})
	rows[7].Quality, rows[9].Quality = site.Estimated, site.Missing
	inv, err := Build(In{Contract: c, Period: p, Rows: rows[:len(rows)-2], Now: p.To})
	if err != nil {
		t.Fatal(err)
	}
	// 8,652 - 2 = 8,650 intervals: x 208 = 1,799,200; adder 8,650 x 5.2 MWh x 2 = 89,960.
	if diff := cmp.Diff([]string{"$1,799,200.00", "$89,960.00"}, lines(inv)[Energy]); diff != "" {
		t.Error(diff)
	}
	if e := inv.Lines[1].Evidence; e.Intervals != 8650 || e.Estimated != 1 || e.Missing != 3 {
		t.Errorf("%+v", e)
	}
	if text := strings.Join(inv.Notes, "\n"); !strings.Contains(text, "Estimated intervals: 1.") || !strings.Contains(text, "Intervals without a reading: 3.") {
		t.Error(text)
	}
}

// An October of 744 h: 256 x 744 = 190,464 GPU-h x 2.10 = 399,974.40 although idle. 16 GPUs for
// 100 h on demand and 8 for 125 h interruptible are within the reservation, but for 10 h in which
// reserved jobs take 264 GPUs: 8 + 16 on demand, 240 h x 2.80 = 672, and 80 h x 1.20 = 96. Storage
// 10,000. Sum 410,742.40; tax 8.25 % = 33,886.248, so 33,886.25. Prepayment: half of the rent of
// 409,974.40 = 204,987.20.
func TestCloudTakeOrPayTaxAndPrepayment(t *testing.T) {
	inv, err := Build(cloudIn(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[LineKind][]string{
		GPUReserved: {"$399,974.40"}, GPUOnDemand: {"$672.00"}, GPUInterrupt: {"$96.00"}, StorageLine: {"$10,000.00"},
		Tax: {"$33,886.25"}, PrepayCredit: {"-$204,987.20"},
	}
	if diff := cmp.Diff(want, lines(inv)); diff != "" {
		t.Error(diff)
	}
	if inv.Total.String() != "$239,641.45" {
		t.Errorf("the total is %s", inv.Total)
	}
}

func cloudIn(t testing.TB) In {
	c := parsed(t, cloud)
	p := period(t, c, "2026-10")
	rows := month(p, "beta", func(i int, r *usage.Row) {
		if i < 1200 {
			r.GPUs = append(r.GPUs, usage.GPUTime{Model: "H100", How: usage.OnDemand, Used: 16 * telemetry.Length})
		}
		if i < 120 {
			r.GPUs = append(r.GPUs, usage.GPUTime{Model: "H100", How: usage.Reserved, Used: 264 * telemetry.Length, Held: 256 * telemetry.Length})
		}
		if i < 1500 {
			r.GPUs = append(r.GPUs, usage.GPUTime{Model: "H100", How: usage.Interruptible, Used: 8 * telemetry.Length})
		}
	})
	return In{Contract: c, Period: p, Rows: rows, Now: p.To.Add(26 * time.Hour), Prepaid: 250_000 * unit.Dollar}
}

// The prepayment never takes more than is left, and never more than is owed.
func TestPrepaymentBounds(t *testing.T) {
	for left, want := range map[unit.Money][]string{
		0: nil, 100*unit.Dollar + 5_000: {"-$100.00"}, 1e6 * unit.Dollar: {"-$204,987.20"},
	} {
		in := cloudIn(t)
		in.Prepaid = left
		inv, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, lines(inv)[PrepayCredit]); diff != "" {
			t.Errorf("%s left: %s", left, diff)
		}
	}
	in := cloudIn(t)
	in.Service = &Service{Credit: 400_000 * unit.Dollar, Promised: 0.999, Reached: 0.5}
	inv, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	// 410,742.40 - 400,000 = 10,742.40; tax 886.25 (886.248); all of it is paid from what was paid ahead.
	if inv.Total != 0 || lines(inv)[PrepayCredit][0] != "-$11,628.65" {
		t.Errorf("total %s, %v", inv.Total, lines(inv))
	}
}

// An outage of 90 minutes of a month of 44,640: 99.798 %, 2 % of the rent of 7,500,000.
func TestSLACredit(t *testing.T) {
	c := parsed(t, lease)
	p := period(t, c, "2026-10")
	in := In{Contract: c, Period: p, Rows: month(p, "acme", steady), Now: p.To, Service: service(p)}
	inv, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	var l Line
	for _, x := range inv.Lines {
		if x.Kind == SLACredit {
			l = x
		}
	}
	if l.Billed().String() != "-$150,000.00" || l.Text != "Service credit: availability 99.798 %, promised 99.950 %; 2 % of the month's fees" {
		t.Errorf("%s %s", l.Billed(), l.Text)
	}
	if len(l.Evidence.Notes) != 2 || !strings.HasPrefix(l.Evidence.Notes[1], "excluded: ") {
		t.Errorf("%q", l.Evidence.Notes)
	}
}

func service(p Period) *Service {
	at := p.From.Add(9 * 24 * time.Hour)
	return &Service{
		Promised: 0.9995, Reached: unit.Ratio(1 - 90/44640.0), Counted: 44640 * time.Minute, Lost: 90 * time.Minute,
		Credit: 150_000 * unit.Dollar, Share: 0.02, Fees: 7_500_000 * unit.Dollar,
		Delivered: 35_640 * unit.MegawattHour, Wanted: 35_712 * unit.MegawattHour,
		Breaches: []string{"2026-10-10T05:00:00Z to 2026-10-10T06:30:00Z: outage of feeder ai-1, journal 8812"},
		Excluded: []Exclusion{{at, at.Add(2 * time.Hour), "consented curtailment, notice of 45 min", "journal 9001"}},
	}
}

func TestBuildRefuses(t *testing.T) {
	c := parsed(t, lease)
	p := period(t, c, "2026-10")
	rows := month(p, "acme", steady)
	if _, err := Build(In{Contract: c, Period: p, Rows: rows, Now: p.To.Add(-time.Second)}); !errors.Is(err, ErrNotOver) {
		t.Error(err)
	}
	before := period(t, c, "2025-10")
	if _, err := Build(In{Contract: c, Period: before, Now: p.To}); !errors.Is(err, ErrNoContract) || !strings.Contains(err.Error(), "it holds from 2026-01-01") {
		t.Error(err)
	}
	for i := range 3 {
		rows[50+i].Cost = site.Opt[unit.Money]{}
	}
	_, err := Build(In{Contract: c, Period: p, Rows: rows, Now: p.To})
	var wait *PendingError
	if !errors.As(err, &wait) || wait.N != 3 || !wait.First.Equal(rows[50].Start) {
		t.Error(err)
	}
	inv, err := Build(In{Contract: c, Period: p, Rows: rows, Now: p.To, Draft: true})
	if err != nil || !inv.Draft || !strings.Contains(strings.Join(inv.Notes, ""), "3 intervals wait for a price") {
		t.Error(inv.Notes, err)
	}
	in := cloudIn(t)
	in.Rows[3].GPUs = append(in.Rows[3].GPUs, usage.GPUTime{Model: "B200", How: usage.OnDemand, Used: time.Hour})
	if _, err := Build(in); !errors.Is(err, ErrNoRate) || !strings.Contains(err.Error(), `"B200"`) {
		t.Error(err)
	}
	rows[0], rows[1] = rows[1], rows[0]
	if _, err := Build(In{Contract: c, Period: p, Rows: rows, Now: p.To}); err == nil {
		t.Error("rows out of order were billed")
	}
}

func TestCents(t *testing.T) {
	for in, want := range map[unit.Money]unit.Money{
		5_000: 0, 15_000: 20_000, 25_000: 20_000, -5_000: 0, -15_000: -20_000, -25_000: -20_000, 4_999: 0, 5_001: 10_000, -5_001: -10_000, -4_999: 0, 0: 0,
		1_234_565_000: 1_234_560_000, 1_234_575_000: 1_234_580_000,
	} {
		if got := Cents(in); got != want {
			t.Errorf("%d is billed as %d and not %d", in, got, want)
		}
	}
	for in, want := range map[unit.Money]string{0: "0.00", -10_000: "-0.01", 1_234_560_000: "1234.56", 5: "0.00", -5: "0.00"} {
		if got := Decimal(in, 2); got != want {
			t.Errorf("%d prints %s and not %s", in, got, want)
		}
	}
}

// A month of 20,000 GPUs is more than a time.Duration holds.
func TestHours(t *testing.T) {
	var h hours
	for range 8928 {
		h = h.add(20_000 * telemetry.Length)
	}
	if h.float() != 14_880_000 || h.cost(2_100_000) != 31_248_000*unit.Dollar {
		t.Errorf("%v %s", h, h.cost(2_100_000))
	}
	if got := (hours{rest: 20 * time.Minute}).cost(1_000_000); got != 333_333 {
		t.Errorf("a third of an hour costs %d", got)
	}
}
