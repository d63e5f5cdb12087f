package shed

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/compute"
)

// mostSaid bounds the notes on what single jobs say of themselves.
const mostSaid = 10

// claim is a queue's class and what a job of it says of itself.
type claim struct {
	queue  *compute.Terms // nil: no class has the queue
	claims compute.Claims
}

// answer is what becomes of a claim.
type answer struct {
	terms *compute.Terms
	why   string // it does not count, or not all of it; empty: it does
}

// unknownWork is a job of which nobody said what it bears: it is left alone.
var unknownWork = compute.Terms{Name: "unknown", Class: compute.Firm}

// answer returns what may be asked of a job: what may be of its queue's work, and more where it
// says so itself. Work of which nobody said what it bears is firm.
func (s *Survey) answer(j *compute.Job) answer {
	q := s.byQueue[j.Queue]
	if j.Claims == nil {
		if q == nil {
			q = &unknownWork
		}
		return answer{terms: q}
	}
	k := claim{q, *j.Claims}
	if a, ok := s.claims[k]; ok {
		return a
	}
	return s.weigh(k) // a job that came since
}

// weighAll works out every claim once: afterwards the survey is only read.
func (s *Survey) weighAll() {
	if s.in.View == nil {
		return
	}
	for i := range s.in.View.Jobs {
		j := &s.in.View.Jobs[i]
		if j.Claims == nil {
			continue
		}
		k := claim{s.byQueue[j.Queue], *j.Claims}
		if _, ok := s.claims[k]; !ok {
			s.claims[k] = s.weigh(k)
		}
	}
}

func (s *Survey) terms(j *compute.Job) *compute.Terms { return s.answer(j).terms }

// weigh works out what becomes of a claim.
func (s *Survey) weigh(k claim) answer {
	said := k.claims.Class
	named, known := s.named(k.claims)
	if k.queue == nil {
		switch {
		case !known:
			return answer{&unknownWork, fmt.Sprintf("it calls itself %q, which is no class of work, and no class has its queue: it counts as firm", said)}
		case named.Queues == nil: // a kind alone
			return answer{terms: &named}
		}
		t, refused := named.Loosen(named, k.claims)
		return answer{&t, refusal(refused, &named)}
	}
	if !known {
		named = *k.queue
	}
	t, refused := k.queue.Loosen(named, k.claims)
	var why []string
	switch i := slices.Index(refused, "class"); {
	case !known && said != "":
		why = append(why, fmt.Sprintf("it calls itself %q, which is no class of work: it counts as %s, as its queue does", said, k.queue.Name))
	case i >= 0:
		refused = slices.Delete(refused, i, i+1)
		why = append(why, fmt.Sprintf("it calls itself %s, and its queue is of %s, which holds: a job may only bear more than its queue", said, k.queue.Name))
	}
	if r := refusal(refused, k.queue); r != "" {
		why = append(why, r)
	}
	return answer{&t, strings.Join(why, "; ")}
}

// refusal tells of figures that do not count.
func refusal(refused []string, t *compute.Terms) string {
	if len(refused) == 0 {
		return ""
	}
	return fmt.Sprintf("what it says of %s would ask less of it than %s does, and does not count", strings.Join(refused, ", "), t.Name)
}

// named finds the class that a job names: one of the site file's by its name, or the first of a
// kind, else the kind with the job's own figures.
func (s *Survey) named(c compute.Claims) (t compute.Terms, known bool) {
	for _, name := range []func(t *compute.Terms) string{
		func(t *compute.Terms) string { return t.Name },
		func(t *compute.Terms) string { return t.Class.String() },
	} {
		for i := range s.c.Terms {
			if name(&s.c.Terms[i]) == c.Class {
				t = s.c.Terms[i]
				if t.Queues == nil {
					t.Queues = []string{} // it is the site file's, whoever queues for it
				}
				return t, true
			}
		}
	}
	var kind compute.Class
	if kind.UnmarshalText([]byte(c.Class)) != nil {
		return t, false
	}
	return c.Named(kind), true
}

// Said returns what a job says of itself and does not count, and why, as a sentence without its
// stop; empty where there is nothing of the kind.
func (s *Survey) Said(j *compute.Job) string { return s.answer(j).why }

// Notes tells of jobs that say of themselves what does not count: of those that have not ended,
// the first few in the engine's order.
func (s *Survey) Notes() (out []string) {
	if s.in.View == nil {
		return nil
	}
	more := 0
	for i := range s.in.View.Jobs {
		j := &s.in.View.Jobs[i]
		if j.Claims == nil || j.State == compute.JobDone || j.State == compute.JobFailed {
			continue
		}
		if why := s.Said(j); why != "" {
			if len(out) < mostSaid {
				out = append(out, fmt.Sprintf("job %s: %s", j.ID, why))
			} else {
				more++
			}
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%d more jobs say of themselves what does not count", more))
	}
	return out
}
