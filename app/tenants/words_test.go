package tenants

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/store"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// others are the answers that nobody asks for.
type others interface{ api.Clusters }

// jobsOf is a cluster of which only the jobs are asked.
type jobsOf struct {
	others
	jobs []api.ClusterJob
}

func (c jobsOf) ClusterJobs(string) ([]api.ClusterJob, error) { return c.jobs, nil }

func watched(t *testing.T, live api.LiveView, jobs ...api.ClusterJob) *Tenants {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1}, {ID: "hall", Parent: 0}})
	if err != nil {
		t.Fatal(err)
	}
	f := &sitefile.File{Tenants: []sitefile.Tenant{{ID: "ai", Node: "hall"}}, Clusters: []cluster.Cluster{{ID: "gpu", Node: "hall"}}}
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	record, err := usage.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Plant: &plant.Plant{File: f, Tree: tree, Zone: time.UTC, Tenants: []plant.Tenant{{Tenant: sitefile.Tenant{ID: "ai", Firm: 60 * unit.Megawatt}, Node: 1}}},
		Live:  func() api.LiveView { return live }, Clusters: jobsOf{jobs: jobs}, Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	}
	return &Tenants{opt: o, record: record, all: []tenant{{id: "ai", hosted: 0}}, open: map[string]usage.Event{}, told: map[string]string{}}
}

// An event says what was done and the cause in a tenant's words, begins when it was decided, and
// ends when it is seen no more.
func TestAnEventTellsATenantItsCauseAndNothingOfOthers(t *testing.T) {
	const inside = "GPU hall's limit of 84.2 kW binds: 13.2 kW of 56.4 kW given (worth 4910 $/MWh, the least of what runs)"
	started := noon.Add(-time.Minute)
	job := func(id, state, cause string) api.ClusterJob {
		return api.ClusterJob{
			ID: "lab/" + id, Name: id, Tenant: "lab", State: state, Ours: state == "paused", GPUs: 8, Why: inside, Cause: cause, Place: "hall",
			Since: noon.Add(-5 * time.Minute), SavesW: 5600,
		}
	}
	slowed := job("b", "running", "price")
	slowed.Slowed, slowed.Started = 0.25, &started
	free := job("c", "running", "")
	free.Why, free.Since = "", time.Time{}
	owners := job("d", "paused", "")
	owners.Ours = false
	live := api.LiveView{
		Limits:  []api.LimitView{{Node: "hall", PowerW: 1e5, By: "signal:utility", Active: true}, {Node: "hall", PowerW: 1, By: "ops", Manual: true}},
		Tenants: []api.TenantLive{{ID: "ai", ShedW: 2e5, Reason: inside}},
	}
	w := watched(t, live, job("a", "paused", "limit"), slowed, free, owners)
	w.watch(t.Context(), noon)
	want := map[string]usage.Event{
		"lab/paused/gpu/lab/a": {
			Tenant: "lab", Kind: usage.Paused, From: noon.Add(-5 * time.Minute), Power: unit.Watts(5600), Ref: "gpu/lab/a",
			Why: "a with 8 GPUs is paused: the grid asks the site to draw less. It goes on by itself.",
		},
		"lab/capped/gpu/lab/b": {
			Tenant: "lab", Kind: usage.Capped, From: started, Power: unit.Watts(5600), Ref: "gpu/lab/b",
			Why: "The GPUs of b are held to less power, which costs it about 25 % of its work: the price of power is high.",
		},
		"ai/outage/feeder": {
			Tenant: "ai", Kind: usage.Outage, From: noon, Power: unit.Watts(2e5), Ref: "feeder",
			Why: "Its feeder has no power: the grid asks the site to draw less.",
		},
	}
	if diff := cmp.Diff(want, w.open); diff != "" {
		t.Error(diff)
	}
	w.all = []tenant{{id: "lab", hosted: -1, cluster: &w.opt.Plant.File.Clusters[0]}}
	jobs, err := w.TenantJobs("lab")
	if err != nil || len(jobs) != 4 {
		t.Fatal(jobs, err)
	}
	for _, j := range jobs {
		if strings.Contains(j.Why, "$") || strings.Contains(j.Why, "kW") {
			t.Errorf("%q tells of the site's own figures", j.Why)
		}
	}
	w.opt.Clusters = jobsOf{}
	w.watch(t.Context(), noon.Add(time.Hour))
	var over int
	for _, e := range w.queue {
		if e.To.Equal(noon.Add(time.Hour)) && e.Tenant == "lab" {
			over++
		}
	}
	if over != 2 || len(w.open) != 1 {
		t.Errorf("%d are over: %+v", over, w.queue)
	}
}

func TestCausesOfALimit(t *testing.T) {
	limit := api.LimitView{Node: "hall", PowerW: 1e5, Active: true}
	by := func(who string, manual bool) []api.LimitView {
		l := limit
		l.By, l.Manual = who, manual
		return []api.LimitView{l}
	}
	alarm := []api.Alert{{Subject: "signal:utility", Text: "emergency by utility: reserves are short"}}
	for _, tt := range []struct {
		live api.LiveView
		want string
	}{
		{api.LiveView{}, "the power of its hall is used to its limit"},
		{api.LiveView{Limits: by("ops", true)}, "the site's operator limits the power of its hall for a time"},
		{api.LiveView{Limits: by("signal:utility", false)}, "the grid asks the site to draw less"},
		{api.LiveView{Limits: by("signal:utility", false), Alerts: alarm}, "the grid declared an emergency, and asks the site to draw less"},
		{api.LiveView{Limits: by("signal:other", false), Alerts: alarm}, "the grid asks the site to draw less"},
	} {
		w := watched(t, tt.live)
		if got := w.cause(tt.live, &api.ClusterJob{Cause: "limit", Place: "hall"}); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
