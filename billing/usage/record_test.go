package usage

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB) (*Record, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return r, db
}

func list(t testing.TB, seq iter.Seq2[Row, error]) []Row {
	t.Helper()
	var out []Row
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestTheRecordGivesBackWhatWasPutAndAReplayChangesNothing(t *testing.T) {
	r, db := open(t)
	in := interval(newSite(t, plan(t)))
	in.Delivery = map[string]Delivery{"red": {Wanted: wh(100), Short: wh(3), Down: time.Minute, Reduced: 2 * time.Minute}}
	o := Attribute(in)
	for i, want := range []int{5, 0, 0} {
		if n, err := r.Put(t.Context(), o.Rows, o.Balance); err != nil || n != want {
			t.Fatalf("put %d changed %d, %v; want %d", i, n, err, want)
		}
	}
	q := Question{From: noon, To: noon.Add(time.Hour)}
	if diff := cmp.Diff(o.Rows, list(t, r.Rows(t.Context(), q))); diff != "" {
		t.Error(diff)
	}
	b, err := r.Balances(t.Context(), noon, noon.Add(time.Hour))
	if diff := cmp.Diff([]Balance{o.Balance}, b); diff != "" || err != nil {
		t.Error(diff, err)
	}
	mark, err := r.Mark(t.Context())
	if err != nil || mark != 1 {
		t.Fatalf("mark %d, %v", mark, err)
	}
	before, _, err := Digest(r.Rows(t.Context(), q))
	if err != nil {
		t.Fatal(err)
	}

	// Late data: the cluster's meter said more. Only what changed has a new revision.
	in.Meters[3].Energy = wh(211)
	late := Attribute(in)
	if n, err := r.Put(t.Context(), late.Rows, late.Balance); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	red := list(t, r.Rows(t.Context(), Question{Tenant: "red", From: q.From, To: q.To}))
	if len(red) != 1 || red[0].Revision != 1 || red[0].Critical <= wh(105) {
		t.Errorf("%+v", red)
	}
	if both := list(t, r.Rows(t.Context(), Question{Tenant: "red", From: q.From, To: q.To, Revisions: true})); len(both) != 2 || both[0].Critical != wh(105) {
		t.Errorf("%+v", both)
	}
	q.AsOf = mark
	if digest, n, err := Digest(r.Rows(t.Context(), q)); err != nil || n != 4 || digest != before {
		t.Errorf("as of the first mark %d rows, %s, %v; they were %s", n, digest, err, before)
	}
	// The old figures again are a third revision, not an edit.
	if _, err := r.Put(t.Context(), o.Rows, o.Balance); err != nil {
		t.Fatal(err)
	}
	if red = list(t, r.Rows(t.Context(), Question{Tenant: "red", From: noon, To: noon.Add(time.Hour)})); red[0].Revision != 2 {
		t.Errorf("%+v", red)
	}
	if names, err := r.Tenants(t.Context()); err != nil || len(names) != 4 {
		t.Error(names, err)
	}
	if months, err := r.Months(t.Context(), time.UTC); err != nil || len(months) != 1 || months[0] != "2026-10" {
		t.Error(months, err)
	}
	if rows := list(t, OpenReader(db).Rows(t.Context(), Question{From: noon, To: noon.Add(time.Hour)})); len(rows) != 4 {
		t.Error(rows)
	}
}

func TestEventsAreRevisedAndNeverEdited(t *testing.T) {
	r, _ := open(t)
	e := Event{Tenant: "red", Kind: Outage, From: noon, Power: unit.Megawatt, Why: "the feeder tripped", Ref: "plan 7"}
	other := Event{Tenant: "acme", Kind: Maintenance, From: noon.Add(-time.Hour), To: noon, Announced: noon.Add(-48 * time.Hour), Why: "switchgear", Ref: "m1"}
	ended := e
	ended.To = noon.Add(7 * time.Minute)
	for i, step := range []struct {
		events []Event
		want   int
	}{{[]Event{e, other}, 2}, {[]Event{e}, 0}, {[]Event{ended}, 1}, {[]Event{ended}, 0}} {
		if n, err := r.PutEvents(t.Context(), step.events); err != nil || n != step.want {
			t.Fatalf("step %d changed %d, %v", i, n, err)
		}
	}
	got, err := r.Events(t.Context(), "", noon.Add(-time.Minute), noon.Add(time.Minute))
	if diff := cmp.Diff([]Event{other, ended}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, _ = r.Events(t.Context(), "acme", noon, noon.Add(time.Minute)); len(got) != 0 {
		t.Errorf("an event that had ended: %v", got)
	}
}

func TestRowsThatDoNotAddUpAreRefused(t *testing.T) {
	r, _ := open(t)
	if _, err := r.Put(t.Context(), []Row{{Tenant: "red", Start: noon, Critical: 1}}, Balance{}); err == nil {
		t.Error("a row whose parts do not sum was taken")
	}
	if _, err := r.Put(t.Context(), nil, Balance{Start: noon, Meter: 1}); err == nil {
		t.Error("a balance whose parts do not sum was taken")
	}
}

func TestAStoreWithoutTheRecordReadsAsEmpty(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if rows := list(t, OpenReader(db).Rows(t.Context(), Question{From: noon, To: noon.Add(time.Hour)})); len(rows) != 0 {
		t.Error(rows)
	}
}

// month is a site of 200 tenants: 50 in colocation, 150 with jobs on 800 GPUs in 100 machines.
func month(t testing.TB) In {
	nodes := []site.Node{
		{ID: "connection", Parent: -1, Meter: "meter:connection", Loss: 0.01},
		{ID: "feeder-a", Parent: 0, Meter: "meter:feeder-a", Loss: 0.01},
		{ID: "feeder-b", Parent: 0, Meter: "meter:feeder-b", Loss: 0.01},
		{ID: "ai", Parent: 1, Meter: "meter:ai"},
		{ID: "mine", Parent: 2, Meter: "meter:mine"},
	}
	p := Plan{Groups: []Load{{ID: "s21", Node: "mine"}}}
	c := Cluster{ID: "c1", Node: "ai", Models: []compute.Model{{Name: "h100", Idle: 60 * unit.Watt, Full: 700 * unit.Watt}}}
	in := In{Start: noon, Price: site.Some(unit.DollarsPerMWh(50)), Clusters: []ClusterUse{{ID: "c1"}}}
	for i := range 50 {
		id := fmt.Sprintf("colo-%02d", i)
		nodes = append(nodes, site.Node{ID: site.NodeID(id), Parent: 2, Meter: site.DeviceID("meter:" + id)})
		p.Tenants = append(p.Tenants, Load{ID: id, Node: id, Firm: unit.Megawatt})
		in.Meters = append(in.Meters, meter("meter:"+id, wh(60_000)))
	}
	for i := range 150 {
		c.Tenants = append(c.Tenants, fmt.Sprintf("cloud-%03d", i))
		if i%10 == 0 {
			c.Reserved = append(c.Reserved, Reservation{c.Tenants[i], "h100", 4})
		}
	}
	for i := range 100 {
		name := fmt.Sprintf("gpu-%03d", i)
		c.Machines = append(c.Machines, compute.Machine{Name: name, Model: "h100", GPUs: 8})
		m := MachineUse{Name: name, Energy: Figure{Energy: wh(400)}}
		for g := range 8 {
			use := gpu(name, g, 40)
			if (i+g)%9 != 0 {
				use.Holds = []Hold{{Tenant: c.Tenants[(i*8+g)*7%150], Job: "slurm " + name, For: all}}
			}
			m.GPUs = append(m.GPUs, use)
		}
		in.Clusters[0].Machines = append(in.Clusters[0].Machines, m)
	}
	in.Meters = append(in.Meters, meter("meter:connection", wh(4_000_000)), meter("meter:feeder-a", wh(50_000)), meter("meter:feeder-b", wh(3_900_000)),
		meter("meter:ai", wh(48_000)), meter("meter:mine", wh(800_000)), meter("s21", wh(780_000)))
	tree, err := site.NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	p.Tree, p.Clusters = tree, []Cluster{c}
	in.Site = newSite(t, p)
	return in
}

const monthOf = 8640

// BenchmarkAttributeMonth attributes 8,640 intervals of 200 tenants, each with other figures. Beside
// it runs, over the same figures, the least that any attribution must do: sum them up.
func BenchmarkAttributeMonth(b *testing.B) {
	in := month(b)
	vary := func(n int) {
		in.Start = noon.Add(time.Duration(n) * telemetry.Length)
		for i := range in.Meters {
			in.Meters[i].Start = in.Start
		}
		machines := in.Clusters[0].Machines
		for i := range machines {
			machines[i].GPUs[n%8].Energy.Energy = wh(20 + float64((n+i)%35))
		}
	}
	var baseline, whole time.Duration
	var peak uint64
	var sum unit.Energy
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for n := range monthOf {
			vary(n)
			o := Attribute(in)
			if len(o.Rows) != 200 {
				b.Fatal(len(o.Rows))
			}
			if n%500 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
		whole += time.Since(began)
		b.StopTimer()
		began = time.Now()
		for n := range monthOf {
			vary(n)
			byTenant := make([]unit.Energy, len(in.Site.names))
			for _, m := range in.Clusters[0].Machines {
				for _, g := range m.GPUs {
					for _, h := range g.Holds {
						byTenant[in.Site.index[h.Tenant]] += g.Energy.Energy
					}
				}
			}
			sum += byTenant[n%200]
		}
		baseline += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(whole)/float64(baseline), "x-plain-sum")
	b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MiB")
	b.ReportMetric(float64(whole.Nanoseconds())/float64(b.N)/monthOf/200, "ns/row")
	if sum == 0 {
		b.Fatal("nothing was summed")
	}
}

// BenchmarkRecordDay puts a day of 200 tenants into the record, an interval a transaction, and
// reports the bytes on the disk for each row.
func BenchmarkRecordDay(b *testing.B) {
	in := month(b)
	for b.Loop() {
		b.StopTimer()
		r, db := open(b)
		b.StartTimer()
		for n := range 288 {
			in.Start = noon.Add(time.Duration(n) * telemetry.Length)
			for i := range in.Meters {
				in.Meters[i].Start, in.Meters[i].Energy = in.Start, in.Meters[i].Energy+1000
			}
			o := Attribute(in)
			if _, err := r.Put(b.Context(), o.Rows, o.Balance); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		began, n := time.Now(), 0
		for _, err := range r.Rows(b.Context(), Question{From: noon, To: noon.AddDate(0, 0, 1)}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), "ns/row-read")
		_ = db.Close()
		var bytes int64
		files, _ := filepath.Glob(filepath.Join(db.Dir(), "switchyard.db*"))
		for _, f := range files {
			if st, err := os.Stat(f); err == nil {
				bytes += st.Size()
			}
		}
		b.ReportMetric(float64(bytes)/float64(n), "bytes/row")
		b.StartTimer()
	}
}

func TestUnpricedAreTheNewestRevisionsWithoutACost(t *testing.T) {
	r, _ := open(t)
	put := func(i int, cost site.Opt[unit.Money]) {
		t.Helper()
		row := Row{Tenant: "acme", Start: noon.Add(time.Duration(i) * length), Critical: wh(1), Billed: wh(1), Cost: cost}
		if _, err := r.Put(t.Context(), []Row{row}, Balance{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		put(i, site.Opt[unit.Money]{})
	}
	put(1, site.Some(unit.Dollar))
	put(5, site.Some(unit.Dollar))
	got, err := r.Unpriced(t.Context(), noon, noon.Add(time.Hour), 2)
	if diff := cmp.Diff([]time.Time{noon, noon.Add(2 * length)}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
