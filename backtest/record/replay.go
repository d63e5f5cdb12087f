package record

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule/planner"
	cut "switchyard/market/lines"
	"switchyard/site"
	"switchyard/unit"
)

// Result is what a replay found.
type Result struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Rounds    int       `json:"rounds"`
	Awards    int       `json:"awards"`
	Differing int       `json:"rounds_that_differ"`
	// Schedules are those planned again; PlansDiffer those that came to another method, profit or
	// guidance for their first step.
	Schedules   int `json:"schedules"`
	PlansDiffer int `json:"schedules_that_differ"`
	// First says what differs first, in words; empty: nothing does.
	First string `json:"first_difference"`
	// Torn says that the record breaks off within a line, as one does whose writer was killed.
	Torn bool `json:"torn"`
}

// lines reads long lines one by one.
type lines struct {
	in  *bufio.Reader
	buf []byte
}

// next returns the next line; io.ErrUnexpectedEOF where the record breaks off within it.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			return l.buf, nil
		case len(l.buf) > maxLine:
			return nil, fmt.Errorf("a line is longer than %d MB", maxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l.buf) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// Replay decides every round of a record again, and plans every schedule, with the code that
// the live site runs, and compares. It blocks until the record ends or ctx does.
func Replay(ctx context.Context, in io.Reader) (r Result, err error) {
	plain, err := cut.Unpack(in)
	if err != nil {
		return r, fmt.Errorf("unpack the record: %w", err)
	}
	d := &lines{in: bufio.NewReaderSize(plain, 1<<16)}
	tree, err := begin(d)
	if err != nil {
		return r, err
	}
	p := player{tree: tree, planner: planner.New(), r: &r}
	defer p.planner.Close()
	var l line
	for n := 2; ctx.Err() == nil; n++ {
		raw, err := d.next()
		switch {
		case errors.Is(err, io.EOF):
			return r, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.Torn = true
			return r, nil
		case err == nil:
			err = l.parse(raw)
		}
		if err == nil {
			err = p.play(&l)
		}
		if err != nil {
			return r, fmt.Errorf("line %d of the record: %w", n, err)
		}
	}
	return r, ctx.Err()
}

// begin reads the first line.
func begin(d *lines) (*site.Tree, error) {
	raw, err := d.next()
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	var l line
	if err := l.parse(raw); err != nil {
		return nil, errors.Join(errForm, err)
	}
	if l.Version != version || len(l.Nodes) == 0 || len(l.Nodes) > maxNodes || len(l.Losses) != len(l.Nodes) {
		return nil, errForm
	}
	for i := range l.Nodes {
		l.Nodes[i].Loss = unit.Ratio(l.Losses[i])
	}
	tree, err := site.NewTree(l.Nodes)
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	return tree, nil
}

type player struct {
	tree    *site.Tree
	decider dispatch.Decider
	planner *planner.Planner
	r       *Result
}

func (p *player) play(l *line) error {
	switch {
	case l.Round != nil:
		return p.round(l.Round)
	case l.Schedule != nil:
		return p.schedule(l.Schedule)
	}
	return errors.New("it holds neither a round nor a schedule")
}

func (p *player) round(l *roundLine) error {
	round := l.round(p.tree)
	for _, n := range nodesOf(round) {
		if n < 0 || n >= p.tree.Len() {
			return fmt.Errorf("node %d is not in the record's tree", n)
		}
	}
	if p.r.Rounds == 0 {
		p.r.From = l.At
	}
	p.r.To = l.At
	p.r.Rounds++
	p.r.Awards += len(l.Awards)
	got := p.decider.Decide(round).Awards
	if slices.Equal(got, l.Awards) {
		return nil
	}
	p.r.Differing++
	p.tell(l.At, "%s", firstDifference(got, l.Awards))
	return nil
}

func nodesOf(r dispatch.Round) (out []int) {
	for _, o := range slices.Concat(r.Firm, r.House, r.Flexible) {
		out = append(out, o.Node)
	}
	for _, g := range r.Groups {
		out = append(out, g.Node)
	}
	return out
}

func (p *player) tell(at time.Time, format string, args ...any) {
	if p.r.First == "" {
		p.r.First = at.Format(time.RFC3339) + ": " + fmt.Sprintf(format, args...)
	}
}

func firstDifference(got, was []site.Award) string {
	for i := range min(len(got), len(was)) {
		if g, w := got[i], was[i]; g != w {
			return fmt.Sprintf("%s is awarded %v of %v (%s), and was awarded %v of %v (%s)", w.Load, g.Power, g.Full, g.Reason.Text, w.Power, w.Full, w.Reason.Text)
		}
	}
	return fmt.Sprintf("%d awards are made, and %d were", len(got), len(was))
}

func (p *player) schedule(l *scheduleLine) error {
	l.Problem.Tree = p.tree
	plan, err := p.planner.Plan(l.Problem)
	if err != nil {
		return err
	}
	p.r.Schedules++
	g := plan.Guidance(0)
	same := plan.Method == l.Method && int64(plan.Profit) == l.Profit && g.Adder == l.First.Adder && g.Peak == l.First.Peak &&
		slices.Equal(g.Keep, l.First.Keep) && slices.Equal(g.Take, l.First.Take) && slices.Equal(g.Run, l.First.Run)
	if !same {
		p.r.PlansDiffer++
		p.tell(l.At, "the schedule is made by %s and earns %v, and was made by %s and earned %s micro-dollars", plan.Method, plan.Profit, l.Method, fmt.Sprint(l.Profit))
	}
	return nil
}
