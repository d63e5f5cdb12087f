package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Question asks why a device is, or was, as it is.
type Question struct {
	Device site.DeviceID
	// Load is the device's group; empty takes it from the device's own command.
	Load site.LoadID
	At   time.Time // site time; zero means now
}

// Step is one link of an answer's chain.
type Step struct {
	At   time.Time // site time; zero: it did not happen (yet)
	Kind string    // award, reason, plan, command, ack, confirm, fail, quarantine, hold, ...
	Text string
}

// Answer is the chain from an award to the reading that confirmed the device's obedience.
type Answer struct {
	Device site.DeviceID
	At     time.Time
	Text   string // one sentence
	Steps  []Step // in time's order; what did not happen stands last
}

// Why answers the question from the newest command that the device was given up to then.
func (j *Journal) Why(ctx context.Context, q Question) (Answer, error) {
	a := Answer{Device: q.Device, At: q.At}
	until := nanos(q.At)
	if q.At.IsZero() {
		a.At, until = time.Now(), int64(1)<<62
	}
	told, err := j.lookup(ctx, "device = ? AND at <= ? AND kind IN ('command', 'ack', 'confirm', 'fail', 'quarantine', 'release', 'hold')", 64,
		func(e Entry) bool { return e.Device == q.Device && ofDevice(e.Kind) && nanos(e.At) <= until }, string(q.Device), until)
	if err != nil {
		return a, fmt.Errorf("why %s: %w", q.Device, err)
	}
	cmd := -1
	for i, e := range told {
		if e.Kind == KindCommand {
			cmd = i
		}
	}
	load, plan := string(q.Load), int64(1)<<62
	if cmd >= 0 {
		plan = int64(told[cmd].Plan)
		if told[cmd].Subject != "" {
			load = told[cmd].Subject
		}
	}
	var award *Entry
	if load != "" {
		awards, err := j.lookup(ctx, "subject = ? AND kind = 'award' AND plan <= ? AND at <= ?", 1,
			func(e Entry) bool {
				return e.Subject == load && e.Kind == KindAward && int64(e.Plan) <= plan && nanos(e.At) <= until
			}, load, plan, until)
		if err != nil {
			return a, fmt.Errorf("why %s: %w", q.Device, err)
		}
		if n := len(awards); n > 0 {
			award = &awards[n-1]
		}
	}
	note, err := j.lately(ctx, q.Device, a.At)
	if err != nil {
		return a, fmt.Errorf("why %s: %w", q.Device, err)
	}
	a.answer(award, told, cmd)
	for _, e := range note {
		a.insert(e.At, string(e.Kind), e.Text)
	}
	return a, nil
}

// lately returns the newest note about a device of the day before at, if there is one: it was
// found elsewhere, another one answers in its place, a person repaired it. Notes with a code are
// of its commands.
func (j *Journal) lately(ctx context.Context, id site.DeviceID, at time.Time) ([]Entry, error) {
	from, until := nanos(at.Add(-24*time.Hour)), nanos(at)
	notes, err := j.lookup(ctx, "device = ? AND kind = 'note' AND code = '' AND at > ? AND at <= ?", 1,
		func(e Entry) bool {
			return e.Device == id && e.Kind == KindNote && e.Code == "" && nanos(e.At) > from && nanos(e.At) <= until
		}, string(id), from, until)
	return notes[max(len(notes)-1, 0):], err
}

func ofDevice(k Kind) bool {
	switch k {
	case KindCommand, KindAck, KindConfirm, KindFail, KindQuarantine, KindRelease, KindHold:
		return true
	}
	return false
}

// answer builds the chain. told is oldest first; cmd is the index of the newest command, or -1.
func (a *Answer) answer(award *Entry, told []Entry, cmd int) {
	if award != nil {
		a.step(award.At, "award", award.Text)
	}
	if cmd < 0 {
		for _, e := range told {
			a.step(e.At, string(e.Kind), e.Text)
		}
		a.Text = fmt.Sprintf("%s has been told nothing: the journal holds no command to it up to then", a.Device)
		if award != nil {
			a.Text += "; its load: " + award.Text
		}
		return
	}
	c := told[cmd]
	a.step(c.At, "reason", reason(c))
	a.step(c.At, "plan", fmt.Sprintf("plan %d", c.Plan))
	a.step(c.At, "command", c.Text)
	seen := map[Kind]*Entry{}
	for i := range told {
		e := &told[i]
		// A hold or a quarantine from before the command still explains it.
		if i > cmd || e.Kind == KindHold || e.Kind == KindQuarantine || e.Kind == KindRelease {
			a.step(e.At, string(e.Kind), e.Text)
		}
		if i > cmd {
			seen[e.Kind] = e
		}
	}
	sort.SliceStable(a.Steps, func(i, k int) bool { return a.Steps[i].At.Before(a.Steps[k].At) })
	if seen[KindAck] == nil && seen[KindFail] == nil && seen[KindConfirm] == nil {
		a.step(time.Time{}, string(KindAck), "no acknowledgement yet")
	}
	if seen[KindConfirm] == nil && seen[KindFail] == nil && seen[KindQuarantine] == nil {
		a.step(time.Time{}, string(KindConfirm), "no reading has confirmed it yet")
	}
	a.Text = sentence(c, seen)
}

func sentence(c Entry, seen map[Kind]*Entry) string {
	s := c.Text
	if c.Code != "" {
		s += " (" + string(c.Code) + ")"
	}
	switch {
	case seen[KindQuarantine] != nil && seen[KindRelease] == nil:
		return s + "; it did not obey and is in quarantine: " + seen[KindQuarantine].Text
	case seen[KindConfirm] != nil:
		return s + "; confirmed by a reading at " + seen[KindConfirm].At.UTC().Format(time.DateTime)
	case seen[KindFail] != nil:
		return s + "; it failed: " + seen[KindFail].Text
	case seen[KindAck] != nil:
		return s + "; acknowledged, not yet confirmed by a reading"
	}
	return s + "; not acknowledged yet"
}

func (a *Answer) step(at time.Time, kind, text string) {
	a.Steps = append(a.Steps, Step{At: at, Kind: kind, Text: text})
}

// insert puts a step among those of its time; what did not happen stays last.
func (a *Answer) insert(at time.Time, kind, text string) {
	i := 0
	for i < len(a.Steps) && !a.Steps[i].At.IsZero() && !a.Steps[i].At.After(at) {
		i++
	}
	a.Steps = slices.Insert(a.Steps, i, Step{At: at, Kind: kind, Text: text})
}

// lookup returns the newest entries that match, oldest first, at most limit from the disk.
func (j *Journal) lookup(ctx context.Context, where string, limit int, match func(Entry) bool, args ...any) ([]Entry, error) {
	queued := j.queued(match)
	stored, err := j.query(ctx, "SELECT "+columns+" FROM journal_entry WHERE "+where+" ORDER BY seq DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	return merge(stored, queued), nil
}

// reason is the command's own account of why: its detail's "reason" sentence if it has one,
// else its code.
func reason(c Entry) string {
	var d struct {
		Reason site.Reason `json:"reason"`
	}
	if len(c.Detail) > 0 && json.Unmarshal(c.Detail, &d) == nil && d.Reason.Text != "" {
		return d.Reason.Text
	}
	if c.Code != "" {
		return string(c.Code)
	}
	return "no reason was given"
}

// CommandEntry makes the entry of a command, with its reason in full in the detail.
func CommandEntry(c site.Command, load site.LoadID) Entry {
	detail, err := json.Marshal(struct {
		Reason site.Reason `json:"reason"`
		Mode   string      `json:"mode"`
		PowerW *float64    `json:"power_w,omitempty"`
	}{c.Reason, c.Setpoint.Mode.String(), watts(c.Setpoint.Power)})
	if err != nil { // a NaN cannot be among these fields
		detail = nil
	}
	return Entry{
		At: c.At, Plan: c.Plan, Subject: string(load), Device: c.Device, Kind: KindCommand, Code: c.Reason.Code,
		Text: fmt.Sprintf("%s: %s, because %s", c.Device, c.Setpoint, c.Reason.Text), Detail: detail,
	}
}

func watts(p site.Opt[unit.Power]) *float64 {
	if !p.OK {
		return nil
	}
	w := p.V.Watts()
	return &w
}

// CommandOf reads a command back from the entry that CommandEntry made; false where it is
// none of this program's.
func CommandOf(e Entry) (site.Command, bool) {
	var d struct {
		Reason site.Reason `json:"reason"`
		Mode   string      `json:"mode"`
		PowerW *float64    `json:"power_w"`
	}
	if json.Unmarshal(e.Detail, &d) != nil {
		return site.Command{}, false
	}
	cmd := site.Command{Device: e.Device, Reason: d.Reason, Plan: e.Plan, At: e.At}
	if cmd.Setpoint.Mode.UnmarshalText([]byte(d.Mode)) != nil {
		return site.Command{}, false // not ours: what was told is not known
	}
	if d.PowerW != nil {
		cmd.Setpoint.Power = site.Some(unit.Watts(*d.PowerW))
	}
	return cmd, true
}
