package story

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/unit"
)

// flex are the story's jobs that may be held back.
var flex = []string{"a", "b", "c"}

// step is a limit that the operator sets and what the site must come to.
type step struct {
	name  string
	limit unit.Power // zero: none
	// miners, capped and off are whether miners may hash, some nodes' GPUs are capped and some
	// nodes have no power; paused bounds how many of the flexible jobs are held.
	miners, capped, off bool
	paused              [2]int
	stage               string // as the journal calls it; empty: the cluster changes nothing
}

// steps are the story: from mining and AI to firm work only, and back. What firm work alone
// needs depends on whether nodes without work lose their power.
func steps(last unit.Power, off bool) []step {
	return []step{
		{name: "AI only", limit: 35 * unit.Kilowatt},
		{name: "capped", limit: 29 * unit.Kilowatt, capped: true, stage: "capped"},
		{name: "paused", limit: 20 * unit.Kilowatt, capped: true, paused: [2]int{1, 2}, stage: "paused"},
		{name: "firm only", limit: last, off: off, paused: [2]int{3, 3}, stage: "firm only"},
		{name: "everything again", miners: true},
	}
}

// scene is what the site does, for a failure.
func (r *rig) scene() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s enter the site, %d miners hash, capped %v, off %v\n", r.truth(), r.awake(), r.capped(), r.off())
	jobs, err := r.eng.jobs()
	fmt.Fprintf(&b, "jobs %+v %v\n", jobs, err)
	var cs []api.ClusterView
	if err := r.call("GET", "/api/v1/clusters", nil, &cs); err == nil && len(cs) == 1 {
		fmt.Fprintf(&b, "%s %v\n", cs[0].Headline, cs[0].Notes)
		for _, e := range cs[0].Effects {
			fmt.Fprintf(&b, "  effect %s %s %s\n", e.Text, e.State, e.Next)
		}
	}
	ds, err := r.decisions(time.Time{})
	for _, d := range ds[max(0, len(ds)-40):] {
		fmt.Fprintf(&b, "  %s %s %s: %s\n", d.At.Format(time.TimeOnly), d.Kind, d.Subject, d.Text)
	}
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	if e, ok := r.eng.(interface{ words() string }); ok {
		b.WriteString(e.words())
	}
	return b.String()
}

// capped are the nodes whose GPUs are held below their full power.
func (r *rig) capped() (out []string) {
	for _, n := range r.gpus.Nodes() {
		if all, err := n.GPUs(); err == nil && all[0].Limit < all[0].Default {
			out = append(out, n.Name())
		}
	}
	return out
}

// off are the nodes without power.
func (r *rig) off() (out []string) {
	for _, n := range r.gpus.Nodes() {
		if _, err := n.GPUs(); err != nil {
			out = append(out, n.Name())
		}
	}
	return out
}

// missing says what is not yet as a step wants it; empty: nothing.
func (r *rig) missing(s step) string {
	jobs, err := r.eng.jobs()
	if err != nil {
		return err.Error()
	}
	if f := jobs["firm"]; !f.running {
		return "the firm job runs"
	}
	held := 0
	for _, name := range flex {
		switch j := jobs[name]; {
		case j.paused:
			held++
		case !j.running:
			return "job " + name + " runs or is held"
		}
	}
	capped, off, awake := r.capped(), r.off(), r.awake()
	switch {
	case held < s.paused[0] || held > s.paused[1]:
		return fmt.Sprintf("from %d to %d jobs are held, not %d", s.paused[0], s.paused[1], held)
	case s.miners && awake < miners || !s.miners && awake > 0:
		return fmt.Sprintf("%d miners hash", awake)
	case !s.capped && len(capped) > 0 && s.paused[0] < len(flex):
		return fmt.Sprintf("caps on %v are lifted", capped)
	case s.capped && len(capped) == 0:
		return "caps"
	case slices.Contains(capped, jobs["firm"].node):
		return "the firm job's node uncapped"
	case s.off != (len(off) > 0):
		return fmt.Sprintf("power off at some nodes: %v; it is at %v", s.off, off)
	case s.limit > 0 && r.truth() > s.limit:
		return fmt.Sprintf("%s come below %s", r.truth(), s.limit)
	case s.limit == 0:
		return r.eng.left()
	}
	return ""
}

// steady is for how long a step must stand before it counts as taken: longer than the waves of the
// GPUs' work, in one of which a node may come below a limit for a moment.
const steady = 4 * time.Second

// steadily is missing, but for what is as wanted only for a moment.
func (r *rig) steadily(s step) func() string {
	var since time.Time
	return func() string {
		what := r.missing(s)
		switch {
		case what != "":
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
			fallthrough
		case time.Since(since) < steady:
			what = "that it lasts"
		}
		return what
	}
}

// take makes a step; die kills the controller as soon as the journal holds the step's first command.
func (r *rig) take(s step, die bool) {
	r.t.Helper()
	begun := time.Now()
	if s.limit == 0 {
		r.unwatched(s)
	}
	r.watch(0)
	r.setLimit(s.limit)
	if die {
		r.kill9(s, begun)
	}
	took := r.await(s.name, r.steadily(s))
	if s.limit > 0 {
		r.watch(s.limit)
	}
	r.explained(s, begun, die)
	r.firmRuns(s)
	jobs, err := r.eng.jobs()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range append([]string{"firm"}, flex...) {
		if j := jobs[name]; j.running {
			r.works(s, name)
		}
	}
	r.t.Logf("%-18s limit %-8s there after %5.1f s, %s drawn; held %d, capped %v, off %v, %d miners hash", s.name, s.limit.Short(), (took - steady).Seconds(), r.truth().Short(), r.held(jobs), r.capped(), r.off(), r.awake())
	r.unwatched(s)
}

func (r *rig) held(jobs map[string]job) (n int) {
	for _, j := range jobs {
		if j.paused {
			n++
		}
	}
	return n
}

// unwatched ends the watch over the limit, and fails where it was passed.
func (r *rig) unwatched(s step) {
	r.t.Helper()
	if was := r.watch(0); was != "" {
		r.t.Errorf("%s: above the limit of %s after it was kept: %s\n%s", s.name, s.limit, was, r.scene())
	}
}

// kill9 kills the controller in the middle of a step, and starts another.
func (r *rig) kill9(s step, begun time.Time) {
	r.t.Helper()
	var first api.Decision
	r.await("the first command of "+s.name, func() string {
		ds, err := r.decisions(begun)
		if err != nil {
			return err.Error()
		}
		for _, d := range ds {
			if d.Kind == "command" {
				first = d
				return ""
			}
		}
		return "no command in the journal"
	})
	r.kill()
	r.t.Logf("%-18s killed after %q", s.name, first.Text)
	r.launch()
}

// works waits until a job has made steps more: it runs, whatever became of the others.
func (r *rig) works(s step, name string) {
	r.t.Helper()
	before := r.eng.work(name).Done
	r.await(s.name+": steps of job "+name, func() string {
		if now := r.eng.work(name).Done; now < before+5 {
			return fmt.Sprintf("%d steps, %d before", now, before)
		}
		return ""
	})
}

// firmRuns checks that the firm job was never touched.
func (r *rig) firmRuns(s step) {
	r.t.Helper()
	jobs, err := r.eng.jobs()
	if err != nil {
		r.t.Fatal(err)
	}
	if f := jobs["firm"]; f.started != r.firm.started || f.restarts != 0 || f.node != r.firm.node || !f.running {
		r.t.Errorf("%s: the firm job was %+v and is %+v", s.name, r.firm, f)
	}
	if w := r.eng.work("firm"); w.Runs != 1 || w.Lost != 0 {
		r.t.Errorf("%s: the firm job's own record says %+v", s.name, w)
	}
}

// explained checks that the journal tells why the site is as a step left it: the cluster's stage,
// and for a node and a job what was awarded, commanded, acknowledged and confirmed.
func (r *rig) explained(s step, begun time.Time, died bool) {
	r.t.Helper()
	if s.stage != "" {
		r.await(s.name+": the journal tells the stage", func() string {
			ds, err := r.decisions(begun)
			if err != nil {
				return err.Error()
			}
			for _, d := range ds {
				if d.Kind == "award" && strings.Contains(d.Text, "is now "+s.stage) && d.Code == "limit" {
					return ""
				}
			}
			return "no award says that it is now " + s.stage
		})
	}
	var about []question
	jobs, err := r.eng.jobs()
	if err != nil {
		r.t.Fatal(err)
	}
	ask := func(target, says string) {
		about = append(about, func() (string, string) { return clusterID + "/" + target, says })
	}
	// Which nodes are off or held may change from one moment to the next, as the award does.
	askFirst := func(all func() []string, says string) {
		about = append(about, func() (string, string) {
			if now := all(); len(now) > 0 {
				return clusterID + "/" + now[0], fmt.Sprintf(says, now[0])
			}
			return "", ""
		})
	}
	for _, name := range flex {
		if j := jobs[name]; j.paused {
			ask(j.id, "pause "+j.id)
			break
		}
	}
	if c := r.capped(); s.capped && len(c) > 0 {
		askFirst(r.capped, "cap %s to ")
	}
	if o := r.off(); s.off && len(o) > 0 {
		askFirst(r.off, "off %s")
	}
	chain := []string{"award", "command", "ack", "confirm"}
	switch {
	case s.limit == 0: // it is told, too, that it was given back
		ask(jobs["a"].id, "is taken back: there is room again")
		chain = []string{"command", "confirm"}
	case s.stage == "":
		about = append(about, func() (string, string) { return "miners-001", "miners-001: sleep" })
	}
	if died {
		chain = slices.DeleteFunc(chain, func(k string) bool { return k == "ack" }) // it may have died with the controller
	}
	for _, q := range about {
		r.chain(s, q, chain)
	}
}

// question names something that is as the step wants it now, and what the journal is to say of it;
// empty: nothing is.
type question func() (device, says string)

// chain awaits that the journal says why something is as it is, with every link of the chain.
func (r *rig) chain(s step, about question, kinds []string) {
	r.t.Helper()
	var v api.WhyView
	device, _ := about()
	r.await(fmt.Sprintf("%s: the journal explains %s", s.name, device), func() string {
		now, says := about()
		if now == "" {
			return "nothing is so just now"
		}
		device = now
		var err error
		if v, err = r.why(device); err != nil {
			return err.Error()
		}
		if !strings.Contains(v.Answer, says) {
			return fmt.Sprintf("%q in %q", says, v.Answer)
		}
		for _, kind := range kinds {
			if !slices.ContainsFunc(v.Steps, func(w api.WhyStep) bool { return w.Kind == kind && w.At != nil }) {
				return fmt.Sprintf("no %s in %+v", kind, v)
			}
		}
		return ""
	})
	r.t.Logf("%-18s why %s: %s", s.name, device, v.Answer)
}

// losses checks that each job lost at most what it did since its checkpoint, and went on from there.
func (r *rig) losses() {
	r.t.Helper()
	for _, name := range flex {
		w := r.eng.work(name)
		if w.Runs < 2 || w.Saved == 0 {
			r.t.Errorf("job %s was never stopped: %+v", name, w)
		}
		if w.Lost > (w.Runs-1)*w.After || w.Done-w.Step != w.Lost {
			r.t.Errorf("job %s lost %d steps in %d stops, at most %d of them after a checkpoint: %+v", name, w.Lost, w.Runs-1, w.After, w)
		}
		// A step takes a tenth of a second: what it was asked to save is what it goes on from.
		if most := 80 * (w.Runs - 1); w.Lost > most {
			r.t.Errorf("job %s lost %d steps: more than its grace", name, w.Lost)
		}
		r.t.Logf("job %-4s %3d steps done, %d lost in %d stops, at most %d after a checkpoint, longest gap %.1f s", name, w.Done, w.Lost, w.Runs-1, w.After, w.Gap.Seconds())
	}
	if r.t.Failed() {
		r.t.Log(r.scene())
	}
	w := r.eng.work("firm")
	r.t.Logf("job firm %3d steps done, longest gap %.1f s", w.Done, w.Gap.Seconds())
}

// tell plays the story: once with a controller that lives, once with one that is killed in each step.
func (r *rig) tell(all []step) {
	r.t.Helper()
	r.launch()
	r.await("all run", func() string {
		jobs, err := r.eng.jobs()
		if err != nil {
			return err.Error()
		}
		for name, j := range jobs {
			if !j.running {
				return name + " does not run"
			}
		}
		r.firm = jobs["firm"]
		if len(jobs) != len(flex)+1 {
			return fmt.Sprintf("%d jobs", len(jobs))
		}
		return ""
	})
	r.await("mining and AI", func() string {
		if least := 65 * unit.Kilowatt; r.truth() < least {
			return fmt.Sprintf("%s of at least %s", r.truth(), least)
		}
		return r.missing(step{miners: true})
	})
	r.t.Logf("mining and AI: %s drawn", r.truth().Short())
	for _, die := range []bool{false, true} {
		for _, s := range all {
			r.take(s, die)
		}
	}
	r.losses()
}
