package slurm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"switchyard/compute"
)

// original is what stood before an act.
type original struct {
	State   string `json:"state,omitempty"`   // of a partition; empty with Drain: a Close of ours had closed it
	Held    bool   `json:"held,omitempty"`    // a job that its owner held already
	Fenced  bool   `json:"fenced,omitempty"`  // a node that we had fenced already
	Powered bool   `json:"powered,omitempty"` // a node that had its power
}

var (
	jobForm  = regexp.MustCompile(`^\d{1,10}(_\d{1,10})?$`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)
)

// checkAct refuses what could name more, or other, than one target.
func checkAct(a compute.Act) error {
	ok := nameForm.MatchString(a.Target)
	switch a.Verb {
	case compute.Stop:
		ok = jobForm.MatchString(a.Target)
	case compute.Close, compute.Drain, compute.Fence, compute.Off:
	default:
		return fmt.Errorf("%s: Slurm caps no GPU, a Capper does: %w", a, compute.ErrUnsupported)
	}
	if !ok {
		return fmt.Errorf("%s: %q names nothing in Slurm: %w", a, a.Target, compute.ErrGone)
	}
	if a.Signal != "" && !validSignal(a.Signal) {
		return fmt.Errorf("%s: %q is no signal that asks for a checkpoint; write USR1, TERM, or B:USR1 for the batch script alone: %w", a, a.Signal, compute.ErrRefused)
	}
	return nil
}

// needCommands says why an act cannot be done, where commands are not allowed.
func (e *Engine) needCommands(ctx context.Context, a compute.Act, since string) error {
	if e.cmd != nil {
		return nil
	}
	v, _, err := e.rest.speak(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	return fmt.Errorf("%s: slurmrestd %s cannot do it (%s); set commands: true: %w", a, v, since, compute.ErrUnsupported)
}

// What each act would take of slurmrestd.
const (
	sincePartition   = "no version up to v0.0.44 changes a partition"
	sinceRequeue     = "no version up to v0.0.44 requeues a job"
	sinceReservation = "making reservations came with v0.0.43, Slurm 25.05"
	sinceNode        = "changing nodes came with v0.0.41, Slurm 24.05"
)

// Original reads what an act would change. It blocks on Slurm.
func (e *Engine) Original(ctx context.Context, a compute.Act) (compute.Original, error) {
	if err := checkAct(a); err != nil {
		return nil, err
	}
	var o original
	switch a.Verb {
	case compute.Close, compute.Drain:
		p, err := e.partition(ctx, a.Target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		o.State = p.State
		if a.Verb == compute.Drain && e.isClosed(compute.Act{Verb: compute.Close, Target: a.Target}) {
			o.State = "" // that act's Undo opens it
		}
	case compute.Stop:
		j, err := e.readJob(ctx, a.Target)
		if err == nil && j.over() {
			err = compute.ErrGone
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		o.Held = j.Held && !j.ours(readMarker(j.AdminComment))
	case compute.Fence, compute.Off:
		n, fenced, err := e.node(ctx, a.Target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		o.Fenced, o.Powered = fenced, n.powered()
	}
	return json.Marshal(o)
}

// Do does an act, and doing it again changes nothing. It blocks on Slurm. Stop and Drain return
// when the checkpoint is asked for; Run stops the job when its work is saved or the grace is over.
func (e *Engine) Do(ctx context.Context, a compute.Act) error {
	if err := checkAct(a); err != nil {
		return err
	}
	defer e.ring()
	var err error
	switch a.Verb {
	case compute.Close:
		err = e.close(ctx, a)
	case compute.Stop:
		if err = e.needCommands(ctx, a, sinceRequeue); err == nil {
			err = e.stop(ctx, a.Target, byStop, a)
		}
	case compute.Drain:
		if err = e.close(ctx, a); err == nil {
			err = e.drain(ctx, a)
		}
	case compute.Fence:
		err = e.fence(ctx, a)
	case compute.Off:
		err = e.off(ctx, a)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	return nil
}

// Undo sets what an act changed back, and undoing it again changes nothing. What is not there any
// more needs no undoing. It blocks on Slurm.
func (e *Engine) Undo(ctx context.Context, a compute.Act, raw compute.Original) error {
	if err := checkAct(a); err != nil {
		return err
	}
	var o original
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &o); err != nil {
			return fmt.Errorf("%s: what stood before it: %w", a, err)
		}
	}
	defer e.ring()
	var err error
	switch a.Verb {
	case compute.Close:
		err = e.reopen(ctx, a, o)
	case compute.Stop:
		if err = e.needCommands(ctx, a, sinceRequeue); err == nil {
			err = e.unstop(ctx, a.Target, byStop)
		}
	case compute.Drain:
		err = errors.Join(e.undrain(ctx, a), e.reopen(ctx, a, o))
	case compute.Fence:
		err = e.unfence(ctx, a)
	case compute.Off:
		if o.Powered || len(raw) == 0 {
			err = e.on(ctx, a)
		}
	}
	if err != nil && !errors.Is(err, compute.ErrGone) {
		return fmt.Errorf("undo %s: %w", a, err)
	}
	return nil
}

func (e *Engine) isClosed(a compute.Act) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed[a.Key()]
}

func (e *Engine) setClosed(a compute.Act, is bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if is {
		e.closed[a.Key()] = true
	} else {
		delete(e.closed, a.Key())
	}
}

// partition reads one partition.
func (e *Engine) partition(ctx context.Context, name string) (partition, error) {
	var ps []partition
	var err error
	if e.cmd != nil {
		var out string
		if out, err = e.cmd.run(ctx, "scontrol", "-a", "show", "partition", name); err == nil {
			ps, err = parsePartitions(out)
		}
	} else {
		_, err = e.rest.get(ctx, "partition/"+name, "partitions", collect(&ps, wirePartition.partition))
	}
	if err != nil {
		return partition{}, err
	}
	if i := slices.IndexFunc(ps, func(p partition) bool { return p.Name == name }); i >= 0 {
		return ps[i], nil
	}
	return partition{}, fmt.Errorf("no partition %s: %w", name, compute.ErrGone)
}

// close lets a partition start nothing. DOWN still takes submissions: they wait.
func (e *Engine) close(ctx context.Context, a compute.Act) error {
	if err := e.needCommands(ctx, a, sincePartition); err != nil {
		return err
	}
	defer e.alone("partition/" + a.Target)()
	p, err := e.partition(ctx, a.Target)
	if err != nil {
		return err
	}
	if p.State != "DOWN" && p.State != "INACTIVE" {
		if err := e.setPartition(ctx, a.Target, "DOWN"); err != nil {
			return err
		}
	}
	e.setClosed(a, true)
	return nil
}

func (e *Engine) setPartition(ctx context.Context, name, state string) error {
	_, err := e.cmd.run(ctx, "scontrol", "update", "partitionname="+name, "state="+state)
	return err
}

// reopen sets a partition back, unless a person changed it since.
func (e *Engine) reopen(ctx context.Context, a compute.Act, o original) error {
	if err := e.needCommands(ctx, a, sincePartition); err != nil {
		return err
	}
	defer e.alone("partition/" + a.Target)()
	want := o.State
	if want == "" && a.Verb == compute.Close {
		want = "UP"
	}
	if want != "" && want != "DOWN" && nameForm.MatchString(want) {
		p, err := e.partition(ctx, a.Target)
		if err != nil {
			return err
		}
		if p.State == "DOWN" {
			if err := e.setPartition(ctx, a.Target, want); err != nil {
				return err
			}
		}
	}
	e.setClosed(a, false)
	return nil
}

// node reads one node, and whether we fenced it.
func (e *Engine) node(ctx context.Context, name string) (node, bool, error) {
	var ns []node
	var rs []reservation
	var err error
	if e.cmd != nil {
		var out string
		if out, err = e.cmd.run(ctx, "scontrol", "-d", "show", "node", name); err == nil {
			ns, _, err = parseNodes(out)
		}
		if err == nil {
			if out, err = e.cmd.run(ctx, "scontrol", "show", "reservations"); err == nil {
				rs, err = parseReservations(out)
			}
		}
	} else {
		_, err = e.rest.get(ctx, "node/"+name, "nodes", collect(&ns, wireNode.node))
		if err == nil {
			rs, err = e.rest.reservations(ctx)
		}
	}
	if err != nil {
		return node{}, false, err
	}
	i := slices.IndexFunc(ns, func(n node) bool { return n.Name == name })
	if i < 0 {
		return node{}, false, fmt.Errorf("no node %s: %w", name, compute.ErrGone)
	}
	return ns[i], slices.ContainsFunc(rs, func(r reservation) bool { return r.Name == fencePrefix+name }), nil
}

// byREST says whether an act on nodes goes by slurmrestd: where it offers that. Elsewhere it goes
// by commands.
func (e *Engine) byREST(ctx context.Context, a compute.Act, offer, since string) (bool, error) {
	if e.rest != nil {
		ok, err := e.rest.offered(ctx, offer)
		if ok {
			return true, nil
		}
		if err != nil && e.cmd == nil {
			return false, err
		}
	}
	return false, e.needCommands(ctx, a, since)
}

// fence reserves a node for maintenance: what runs on it runs on, and nothing new is put there,
// not even once it has lost its power, when a queued job would wake it.
func (e *Engine) fence(ctx context.Context, a compute.Act) error {
	rest, err := e.byREST(ctx, a, offerReservation, sinceReservation)
	if err != nil {
		return err
	}
	defer e.alone("node/" + a.Target)()
	_, fenced, err := e.node(ctx, a.Target)
	if err != nil || fenced {
		return err
	}
	if rest {
		return e.rest.reserve(ctx, a.Target)
	}
	_, err = e.cmd.run(ctx, "scontrol", "create", "reservation", "reservationname="+fencePrefix+a.Target,
		"starttime=now", "duration=UNLIMITED", "users="+e.cfg.User, "nodes="+a.Target, "flags=maint,ignore_jobs")
	return err
}

// unfence deletes our reservation. Only we make one of that name, so it goes even where it stood
// already before the act: left by a process that never came to undo it.
func (e *Engine) unfence(ctx context.Context, a compute.Act) error {
	rest, err := e.byREST(ctx, a, offerUnreservation, sinceReservation)
	if err != nil {
		return err
	}
	defer e.alone("node/" + a.Target)()
	_, fenced, err := e.node(ctx, a.Target)
	if err != nil || !fenced {
		return err
	}
	if rest {
		return e.rest.unreserve(ctx, a.Target)
	}
	_, err = e.cmd.run(ctx, "scontrol", "delete", "reservationname="+fencePrefix+a.Target)
	return err
}

// off takes a fenced node's power by Slurm's own power saving. On a node without power Slurm would
// power it down once more, so the state decides.
func (e *Engine) off(ctx context.Context, a compute.Act) error {
	rest, err := e.byREST(ctx, a, offerNode, sinceNode)
	if err != nil {
		return err
	}
	defer e.alone("node/" + a.Target)()
	n, fenced, err := e.node(ctx, a.Target)
	if err != nil {
		return err
	}
	e.mu.Lock()
	delete(e.wakes, a.Target)
	e.mu.Unlock()
	if !n.powered() {
		return nil
	}
	if !fenced {
		return fmt.Errorf("the node is not fenced, so that a waiting job would wake it: %w", compute.ErrRefused)
	}
	if n.Used > 0 || n.has("ALLOCATED", "MIXED") {
		return fmt.Errorf("jobs run on it (%s), and Slurm would kill them: %w", e.runsOn(a.Target), compute.ErrRefused)
	}
	if rest {
		return e.rest.power(ctx, a.Target, false, reasonText(a))
	}
	_, err = e.cmd.run(ctx, "scontrol", "update", "nodename="+a.Target, "state=power_down_force", "reason="+reasonText(a))
	return err
}

func reasonText(a compute.Act) string {
	s := strings.Join(strings.Fields(a.Reason), " ")
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.TrimSpace("switchyard " + s)
}

// runsOn names the jobs that run on a node, as of the newest view.
func (e *Engine) runsOn(name string) string {
	var ids []string
	for _, j := range e.view.Load().Jobs {
		if j.State != compute.JobRunning && j.State != compute.JobFrozen {
			continue
		}
		if slices.ContainsFunc(j.Places, func(p compute.Place) bool { return p.Node == name }) {
			ids = append(ids, j.ID)
		}
	}
	return strings.Join(ids, ", ")
}

// on gives a node its power back. Slurm forgets the wish where the node is still on its way down,
// so Run repeats it then.
func (e *Engine) on(ctx context.Context, a compute.Act) error {
	rest, err := e.byREST(ctx, a, offerNode, sinceNode)
	if err != nil {
		return err
	}
	defer e.alone("node/" + a.Target)()
	n, _, err := e.node(ctx, a.Target)
	if err != nil || n.powered() {
		return err
	}
	e.mu.Lock()
	e.wakes[a.Target] = true
	e.mu.Unlock()
	if n.has("POWERING_DOWN", "POWER_DOWN") {
		return nil
	}
	return e.powerUp(ctx, a.Target, rest)
}

func (e *Engine) powerUp(ctx context.Context, node string, rest bool) error {
	if rest {
		return e.rest.power(ctx, node, true, "")
	}
	_, err := e.cmd.run(ctx, "scontrol", "update", "nodename="+node, "state=power_up")
	return err
}
