package shed

import (
	"cmp"
	"slices"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// held is for how long a job that is paused is expected to stay so: what its restart costs is
// spread over it.
const held = time.Hour

// jobs turns each job into firm power or a block.
func (s *Survey) jobs() {
	guaranteed := s.guaranteed()
	room := s.room()
	for i := range s.in.View.Jobs {
		j := &s.in.View.Jobs[i]
		t := s.terms(j)
		switch j.State {
		case compute.JobRunning, compute.JobFrozen, compute.JobStopping:
			if s.told(compute.Stop, j.ID) { // on its way out: what it still draws is falling
				s.paused(j, t)
			} else if j.State != compute.JobStopping {
				s.running(j, t, guaranteed[j.ID])
			}
		case compute.JobPaused:
			if j.Ours {
				s.paused(j, t)
			}
		case compute.JobPending:
			if t.Class != compute.Firm && j.GPUs <= room {
				room -= j.GPUs
				s.blocks = append(s.blocks, block{kind: kindStart, power: s.typical(j), value: s.rate(j, t, s.typical(j)), job: j})
			}
		default: // ended: it has none
		}
	}
	s.Firm += s.Base
}

// guaranteed names the jobs that make up the firm minimum of each semi class: those that would
// be the dearest to pause, which are those that run longest.
func (s *Survey) guaranteed() map[string]bool {
	out := map[string]bool{}
	for i := range s.c.Terms {
		t := &s.c.Terms[i]
		if t.Class != compute.Semi || t.Minimum <= 0 {
			continue
		}
		var all []*compute.Job
		for k := range s.in.View.Jobs {
			if j := &s.in.View.Jobs[k]; j.State == compute.JobRunning && s.promised(j, t) {
				all = append(all, j)
			}
		}
		slices.SortStableFunc(all, func(a, b *compute.Job) int {
			return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
		})
		left := t.Minimum
		for _, j := range all {
			if left <= 0 {
				break
			}
			out[j.ID] = true
			left -= j.GPUs
		}
	}
	return out
}

// promised says that a job is of those among which a semi class's minimum is: one of another
// class's queue that calls itself semi takes nobody's place there.
func (s *Survey) promised(j *compute.Job, t *compute.Terms) bool {
	q, is := s.byQueue[j.Queue], s.terms(j)
	return (q == t || q == nil) && is.Name == t.Name && is.Class == t.Class
}

// room is how many GPUs could start work: free ones of nodes that take it, or that we put off.
func (s *Survey) room() (n int) {
	for _, w := range s.nodes {
		if w.state == compute.NodeUp || w.ours {
			n += w.GPUs - w.used
		}
	}
	return n
}

// rate is what a MWh of a job's power earns while it runs.
func (s *Survey) rate(j *compute.Job, t *compute.Terms, p unit.Power) unit.Price {
	if p <= 0 {
		return 0
	}
	return unit.DollarsPerMWh(t.Value.Dollars() * float64(j.GPUs) / p.Megawatts())
}

func (s *Survey) running(j *compute.Job, t *compute.Terms, guaranteed bool) {
	full, capped := s.power(j)
	if t.Class == compute.Firm || guaranteed {
		s.Firm += full
		return
	}
	b := block{kind: kindKept, power: capped, value: s.c.Penalty() / 2, job: j}
	if s.pausable(j, t) && capped > 0 {
		b.kind = kindPause
		b.act = compute.Act{Verb: compute.Stop, Target: j.ID, Signal: t.Checkpoint.Signal, Grace: t.Grace()}
		b.value = s.rate(j, t, capped) + unit.DollarsPerMWh(s.loss(j, t).Dollars()/(capped.Megawatts()*held.Hours()))
	}
	s.blocks = append(s.blocks, b)
}

// pausable says whether a running job may be paused now.
func (s *Survey) pausable(j *compute.Job, t *compute.Terms) bool {
	if !t.Pauses() || s.failing(compute.Stop, j.ID) {
		return false
	}
	for _, p := range j.Places {
		if _, held := s.in.Held[p.Node]; held {
			return false
		}
	}
	if t.Class == compute.Spot && t.Pause == 0 {
		return true
	}
	used, back := s.budget(j, t)
	began := j.Started
	if back.After(began) {
		began = back
	}
	return used < t.Pause && s.in.At.Sub(began) >= t.MinRun
}

func (s *Survey) budget(j *compute.Job, t *compute.Terms) (used time.Duration, back time.Time) {
	if s.in.Paused == nil {
		return 0, time.Time{}
	}
	return s.in.Paused(j.ID, t.Per)
}

// loss is what stopping a job throws away: its work since the checkpoint that it will go back to,
// the time until it works again, and the restart's own cost.
func (s *Survey) loss(j *compute.Job, t *compute.Terms) unit.Money {
	hour := t.Value.Dollars() * float64(j.GPUs)
	return unit.Dollars(hour*(s.undone(j, t)+t.Restart).Hours()) + t.RestartCost
}

// undone is how much of a job's work is not saved when it is stopped.
func (s *Survey) undone(j *compute.Job, t *compute.Terms) time.Duration {
	if t.Checkpoint.Signal != "" {
		return t.Checkpoint.Takes // it saves when asked, and does nothing else meanwhile
	}
	since := s.in.At.Sub(j.Started)
	switch every := t.Checkpoint.Every; {
	case j.Saved.OK: // by its own word: it cannot have lost more than it did, nor than its class loses
		since = min(since, s.in.At.Sub(j.Saved.V))
		if every > 0 {
			since = min(since, every)
		}
	case every > 0:
		since = min(since, every/2) // on the mean
	}
	return max(since, 0)
}

// paused is a job that would run if it had the power. Its restart is no reason to keep it down:
// it was paid when it was paused. One whose pause is used up goes before all other flexible work.
func (s *Survey) paused(j *compute.Job, t *compute.Terms) {
	p := s.typical(j)
	b := block{
		kind: kindPause, power: p, value: s.rate(j, t, p), job: j, back: true,
		act: compute.Act{Verb: compute.Stop, Target: j.ID, Signal: t.Checkpoint.Signal, Grace: t.Grace()},
	}
	if used, _ := s.budget(j, t); t.Pause > 0 && used >= t.Pause {
		b.kind, b.value = kindKept, s.c.Penalty()/2
	}
	s.blocks = append(s.blocks, b)
}

// settle adds up, and tells what falls.
func (s *Survey) settle() {
	for i := range s.blocks {
		b := &s.blocks[i]
		s.Flexible += b.power
		if !b.back && b.kind != kindStart {
			s.Expected += b.power
		}
	}
	s.Expected += s.Firm
	if s.in.Draw.OK {
		s.Falling = max(s.in.Draw.V-s.Expected, 0)
	}
}

// byValue returns the blocks with the best first.
func (s *Survey) byValue() []block {
	out := slices.Clone(s.blocks)
	slices.SortStableFunc(out, func(a, b block) int { return cmp.Compare(b.value, a.value) })
	return out
}

// mostBlocks is how many blocks an offer has at the most.
const mostBlocks = 16

// Offers makes the cluster's two offers: what is firm, at its penalty, and what can bend. What
// is still falling is drawn whatever is awarded.
func (s *Survey) Offers(firm, flexible site.LoadID, node int) (site.Offer, site.Offer) {
	a := site.Offer{Load: firm, Node: node, Class: site.Firm, Blocks: []site.Block{{Power: s.Firm, Value: s.c.Penalty()}}}
	b := site.Offer{Load: flexible, Node: node, Class: site.Flexible, Fixed: s.Falling}
	per := s.Flexible/mostBlocks + 1
	var power unit.Power
	var worth float64
	flush := func() {
		if power > 0 {
			b.Blocks = append(b.Blocks, site.Block{Power: power, Value: unit.Price(worth / float64(power))})
		}
		power, worth = 0, 0
	}
	for _, k := range s.byValue() {
		if power >= per {
			flush()
		}
		power += k.power
		worth += float64(k.power) * float64(k.value)
	}
	flush()
	return a, b
}

// Part is a block as it is shown.
type Part struct {
	What  string // "pause tenant-a/train-7", "cap gpu-1 to 328 W a GPU", "start tenant-a/train-8"
	Power unit.Power
	Value unit.Price
	Given bool // it is drawn, or may be
}

// Parts lists the flexible blocks, best value first.
func (s *Survey) Parts() []Part {
	byValue := s.byValue()
	out := make([]Part, 0, len(byValue))
	for i := range byValue {
		b := &byValue[i]
		p := Part{Power: b.power, Value: b.value, Given: !b.back && b.kind != kindStart}
		switch b.kind {
		case kindStart:
			p.What = "start " + b.job.ID
		case kindKept:
			p.What = "go on with " + b.job.ID
		default:
			p.What = b.act.String()
		}
		out = append(out, p)
	}
	return out
}

// OfJob is what a job draws of its nodes' power, as counted, and the share of its work that the
// caps in force cost it.
func (s *Survey) OfJob(j *compute.Job) (p unit.Power, slowed unit.Ratio) {
	for _, pl := range j.Places {
		n := s.nodes[pl.Node]
		if n == nil {
			continue
		}
		p += n.rest().Scale(float64(pl.GPUs)/float64(max(n.GPUs, 1))) + unit.Power(pl.GPUs)*s.gpu(n, n.cap) + n.host(pl.GPUs)
		if n.cap > 0 {
			slowed = max(slowed, 1-n.model.Throughput(n.cap))
		}
	}
	return p, slowed
}

// TermsOf returns what may be asked of a job.
func (s *Survey) TermsOf(j *compute.Job) compute.Terms { return *s.terms(j) }

// Room makes the offer that keeps power free for the cluster's own rise, at a node whose miners
// would have to yield to it. It is worth less than any work that it could be taken from: where
// the cluster alone is left to yield, it keeps nothing back from itself.
func (s *Survey) Room(load site.LoadID, node int, margin unit.Power) site.Offer {
	least := s.c.Penalty()
	for i := range s.blocks {
		if k := s.blocks[i].kind; k == kindCap || k == kindPause || k == kindKept {
			least = min(least, s.blocks[i].value)
		}
	}
	return site.Offer{Load: load, Node: node, Class: site.Flexible, Blocks: []site.Block{{Power: min(margin, s.Rise()), Value: least - unit.DollarPerMWh}}}
}
