package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/api"
	"switchyard/app/inbox"
	"switchyard/app/plant"
	"switchyard/driver"
	"switchyard/fleet"
	"switchyard/journal"
	"switchyard/limiter"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/unit"
)

func TestAMinerThatDoesNotTellItsPower(t *testing.T) {
	m := plant.Miner{Nameplate: 3500 * unit.Watt, Standby: 50 * unit.Watt, Hashrate: 200 * unit.TeraHash}
	hash := func(th float64) site.Opt[unit.Hashrate] { return site.Some(unit.Hashrate(th) * unit.TeraHash) }
	for name, c := range map[string]struct {
		s    site.Sample
		want site.Opt[unit.Power]
	}{
		"asleep":                   {site.Sample{State: site.StateSleeping}, site.Some(50 * unit.Watt)},
		"asleep with an old rate":  {site.Sample{State: site.StateSleeping, Hashrate: hash(200)}, site.Some(50 * unit.Watt)},
		"at full work":             {site.Sample{State: site.StateHashing, Hashrate: hash(200)}, site.Some(3500 * unit.Watt)},
		"at half work":             {site.Sample{State: site.StateHashing, Hashrate: hash(100)}, site.Some(1775 * unit.Watt)},
		"a rate beyond belief":     {site.Sample{State: site.StateHashing, Hashrate: hash(1e9)}, site.Some(unit.Power(4017500))},
		"in fault, and still some": {site.Sample{State: site.StateFault, Hashrate: hash(20)}, site.Some(395 * unit.Watt)},
		"hashing, rate not told":   {site.Sample{State: site.StateHashing}, site.Some(3500 * unit.Watt)},
		"starting":                 {site.Sample{State: site.StateStarting}, site.Some(3500 * unit.Watt)},
		"nothing told":             {site.Sample{}, site.Opt[unit.Power]{}},
		"in fault":                 {site.Sample{State: site.StateFault}, site.Opt[unit.Power]{}},
	} {
		got, ok := m.Assumed(c.s)
		if diff := cmp.Diff(c.want, site.Opt[unit.Power]{V: got, OK: ok}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheInboxKeepsWhatIsNotAnswered(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	b := a.inbox
	cmd := site.Command{Device: "s21-001", Plan: 1}
	b.Sent("s21-001")
	if !b.Waiting(time.Minute) {
		t.Error("a wish on its way is not waited for")
	}
	b.Acked(fleet.Ack{Command: cmd, Replaced: true})
	if !b.Waiting(time.Minute) || len(b.Take()) != 0 {
		t.Error("a replaced wish ended its successor's wait")
	}
	b.Acked(fleet.Ack{Command: cmd, Err: driver.ErrRefused})
	if b.Waiting(time.Minute) {
		t.Error("an answered wish is waited for")
	}
	if got := b.Take(); len(got) != 1 || got[0].Kind != reconcile.AckRefused || len(b.Take()) != 0 {
		t.Errorf("taken: %v", got)
	}
}

func TestAckKinds(t *testing.T) {
	for err, want := range map[error]reconcile.AckKind{
		nil: reconcile.AckOK, driver.ErrRefused: reconcile.AckRefused, driver.ErrUnauthorized: reconcile.AckUnauthorized,
		driver.ErrUnsupported: reconcile.AckUnsupported, driver.ErrUnreachable: reconcile.AckUnreachable, io.EOF: reconcile.AckUnreachable,
	} {
		wrapped := err
		if err != nil {
			wrapped = fmt.Errorf("tell s21-001: %w", err)
		}
		if got := inbox.AckKind(wrapped); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

// A command that was journalled before a crash is known afterwards as it was told.
func TestCommandsComeBackFromTheJournal(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := site.Command{
			Device: "s21-001", Plan: site.PlanID(rapid.Int64Range(0, 1e12).Draw(r, "plan")), At: summer,
			Setpoint: site.Setpoint{Mode: site.Mode(rapid.IntRange(0, 1).Draw(r, "mode"))},
			Reason:   site.Reasonf(site.ReasonLimit, site.NodeID(rapid.String().Draw(r, "node")), "%s", rapid.String().Draw(r, "text")),
		}
		if rapid.Bool().Draw(r, "capped") {
			want.Setpoint.Power = site.Some(unit.Power(rapid.Int64Range(0, 1e12).Draw(r, "mW")))
		}
		got, ok := journal.CommandOf(journal.CommandEntry(want, "s21"))
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			r.Fatalf("ok %v (-want +got):\n%s", ok, diff)
		}
	})
	for _, detail := range []string{"", "{", "null", "{}", `{"mode":"pause"}`, `{"mode":1}`} {
		if got, ok := journal.CommandOf(journal.Entry{Device: "s21-001", Detail: []byte(detail)}); ok {
			t.Errorf("%q was read as %+v: what was told is not known", detail, got.Setpoint)
		}
	}
}

func TestNews(t *testing.T) {
	award := func(power, full float64, code site.Code) site.Award {
		return site.Award{Power: unit.Watts(power * 1e3), Full: unit.Watts(full * 1e3), Reason: site.Reason{Code: code}}
	}
	for name, c := range map[string]struct {
		old, now site.Award
		want     bool
	}{
		"the same":                         {award(50, 100, site.ReasonLimit), award(50, 100, site.ReasonLimit), false},
		"another reason at the same power": {award(50, 100, site.ReasonLimit), award(50, 100, site.ReasonPrice), false},
		"two per cent":                     {award(50, 100, site.ReasonLimit), award(52, 100, site.ReasonLimit), false},
		"more than two":                    {award(50, 100, site.ReasonLimit), award(52.1, 100, site.ReasonLimit), true},
		"less by more than two":            {award(50, 100, site.ReasonLimit), award(47.9, 100, site.ReasonLimit), true},
		"to all":                           {award(99.5, 100, site.ReasonLimit), award(100, 100, site.ReasonValue), true},
		"to nothing":                       {award(0.5, 100, site.ReasonPrice), award(0, 100, site.ReasonPrice), true},
		"from nothing":                     {award(0, 100, site.ReasonPrice), award(0.5, 100, site.ReasonPrice), true},
		"the price is lost":                {award(50, 100, site.ReasonLimit), award(50, 100, site.ReasonLost), true},
		"all, of a little more":            {award(100, 100, site.ReasonValue), award(101, 101, site.ReasonValue), false},
		"all, of much more":                {award(100, 100, site.ReasonValue), award(110, 110, site.ReasonValue), true},
	} {
		if got := news(c.old, c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAnAlarmLives(t *testing.T) {
	a, clk := still(t, parse(t, siteDoc), summer)
	c := a.ctl
	c.alarm("x", "", "", "") // ends nothing
	c.alarm("x", "warning", "s21", "one of four")
	clk.set(summer.Add(time.Minute))
	c.alarm("x", "critical", "s21", "four of four")
	c.alarm("y", "warning", "price", "stale")
	c.alarm("store", "critical", "store", "full")
	want := []api.Alert{
		{Since: summer, Severity: "critical", Subject: "s21", Text: "four of four"},
		{Since: summer.Add(time.Minute), Severity: "critical", Subject: "store", Text: "full"},
		{Since: summer.Add(time.Minute), Severity: "warning", Subject: "price", Text: "stale"},
	}
	if diff := cmp.Diff(want, c.alertViews()); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	for _, key := range []string{"x", "y", "store", "y"} {
		c.alarm(key, "", "", "")
	}
	if got := c.alertViews(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	// Its beginning and its end are in the record, the store's own are not.
	feed, err := a.Decisions(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range feed {
		if d.Kind == "lost" || d.Kind == "restore" {
			got = append(got, d.Kind+" "+d.Subject+": "+d.Text)
		}
	}
	wantFeed := []string{"restore price: over: stale", "restore s21: over: four of four", "lost price: stale", "lost s21: one of four"}
	if diff := cmp.Diff(wantFeed, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	for i := range maxAlerts + 10 {
		c.alarm(fmt.Sprint(i), "warning", "s21", "many")
	}
	if got := len(c.alertViews()); got != maxAlerts {
		t.Errorf("%d alarms are shown", got)
	}
}

func TestReliefIsWhatCurvesBearUntilMiningHasYielded(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	c := a.ctl
	ai, _ := a.plant.Tree.Index("ai-hall")
	hallB, _ := a.plant.Tree.Index("hall-b")
	if got := c.relief(ai, 30*time.Second); got != 5*kw { // half of ten per cent of 100 kW; nothing yields below ai-hall
		t.Errorf("relief %s", got)
	}
	if got := c.relief(ai, 61*time.Second); got != 0 {
		t.Errorf("a curve of a minute bears 61 s: %s", got)
	}
	if got := c.relief(hallB, 15*time.Second); got != 4*kw { // its own 20 % of 40 kW is less than the connection's
		t.Errorf("relief in hall-b %s", got)
	}
	if got := c.relief(hallB, 30*time.Second); got != 0 {
		t.Errorf("the shorter curve decides: %s", got)
	}
	c.over = []limiter.NodeOver{{Node: 0}}
	if got := c.relief(ai, 30*time.Second); got != 0 {
		t.Errorf("a curve in use bears nothing more: %s", got)
	}
}

func TestTheScreenBeforeTheFirstStep(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	if v := a.Live(); v.Mode != "static" || !v.At.Equal(summer) || v.Headline == "" {
		t.Errorf("%+v", v)
	}
	m, err := a.Map("s21")
	if err != nil || len(m.Cells) != 4 || m.Cells[2].Device != "s21-003" || m.Cells[2].State != "unknown" || m.Cells[2].PowerW != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := a.Map("s99"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := a.Why(t.Context(), "s99-001", summer); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := a.Report(t.Context(), "yesterday"); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("%v", err)
	}
	s := a.Site()
	if len(s.Nodes) != 4 || s.Nodes[0].Parent != "" || s.Nodes[1].Parent != "connection" || len(s.Groups) != 2 || s.Groups[0].NameplateW != 14000 || s.Tenants[0].FirmW != 50e3 {
		t.Errorf("%+v", s)
	}
}

// A person's word is the answer, also where the last command is older and has another reason.
func TestWhyNamesTheHold(t *testing.T) {
	a, clk := still(t, parse(t, siteDoc), summer)
	a.ctl.send(t.Context(), []site.Command{{
		Device: "s21-001", Setpoint: site.Setpoint{Mode: site.ModeSleep}, Plan: 7, At: summer, Reason: site.Reasonf(site.ReasonLimit, "hall-a", "hall-a is full"),
	}})
	clk.set(summer.Add(time.Hour))
	if _, err := a.Hold(t.Context(), "eva", api.HoldRequest{Devices: []string{"s21"}, Mode: "sleep", Note: "fan"}); err != nil {
		t.Fatal(err)
	}
	a.publish(&screen{holds: a.ctl.holds})
	for at, want := range map[time.Duration]string{
		30 * time.Minute: "s21-001: sleep, because hall-a is full (limit); not acknowledged yet",
		2 * time.Hour:    "s21-001 is held in mode sleep by eva: fan; s21-001: sleep, because hall-a is full (limit); not acknowledged yet",
	} {
		if v, err := a.Why(t.Context(), "s21-001", summer.Add(at)); err != nil || v.Answer != want {
			t.Errorf("after %s: %q, %v", at, v.Answer, err)
		}
	}
}

// Nobody is reached: nothing may be told for money, and no reading is a zero.
func TestASiteThatIsNotReached(t *testing.T) {
	a, clk := still(t, parse(t, siteDoc), summer)
	a.log = slog.New(slog.DiscardHandler)
	for _, s := range a.plant.Specs {
		for range 3 {
			a.inbox.Fail(s.Target.Device, summer, fmt.Errorf("read %s: %w", s.Target.Device, driver.ErrUnreachable))
		}
	}
	for i := range 20 {
		at := summer.Add(time.Duration(i) * 5 * time.Second)
		clk.set(at)
		a.ctl.step(t.Context(), at)
	}
	v := a.Live()
	if v.Nodes[0].PowerW != nil || v.Nodes[0].Quality != "missing" || v.Tenants[0].PowerW != nil || v.Tenants[0].ShedW != 0 {
		t.Errorf("the connection: %+v, the tenant: %+v", v.Nodes[0], v.Tenants[0])
	}
	if v.Groups[0].States["stale"] != 4 || v.Groups[0].Hashrate != 0 {
		t.Errorf("the group: %+v", v.Groups[0])
	}
	if n := len(v.Alerts); n != 4 { // two meters, two groups
		t.Errorf("%d alarms: %+v", n, v.Alerts)
	}
}

func TestWorkIsLearnedAtFullPowerOnly(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	c, d := a.ctl, &a.ctl.devices[0]
	at := summer
	see := func(h unit.Hashrate, target site.Opt[unit.Power], state site.State) {
		at = at.Add(time.Minute)
		d.Last = site.Some(site.Sample{Device: d.ID, Asked: at, At: at, State: state, Hashrate: site.Some(h), Target: target})
		c.learnWork(at)
	}
	whole := d.Hashrate
	see(whole*0.96, site.Opt[unit.Power]{}, site.StateHashing)
	if got := c.work[0]; got != whole*0.96 {
		t.Fatalf("after the first reading: %v", got)
	}
	see(whole*0.7, site.Some(d.Nameplate/2), site.StateHashing) // held at half
	see(whole*0.3, site.Opt[unit.Power]{}, site.StateHashing)   // warming up
	see(whole, site.Opt[unit.Power]{}, site.StateSleeping)
	if got := c.work[0]; got != whole*0.96 {
		t.Errorf("learned from what was not full work: %v", got)
	}
	see(whole*0.8, site.Some(d.Nameplate), site.StateHashing)
	if got := c.work[0]; got >= whole*0.96 || got < whole*0.94 {
		t.Errorf("a full reading moves it slowly: %v", got)
	}
}

// TestSmallStepsAddUpToNews: an award that creeps is told once it has gone far, though no
// single step is news.
func TestSmallStepsAddUpToNews(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	c, full := a.ctl, 100*unit.Kilowatt
	told := 0
	for i := range 50 {
		p := full/2 + unit.Power(i)*full/100 // one per cent a step
		c.result.Awards = []site.Award{{Load: "s21", Power: p, Full: full, Reason: site.Reasonf(site.ReasonLimit, "hall-a", "test")}}
		before := c.plan
		c.newPlan(summer.Add(time.Duration(i)*time.Second), hour{})
		if c.plan != before {
			told++
		}
		if c.awards["s21"].Power != p {
			t.Fatalf("step %d: the award in force is %v, want %v", i, c.awards["s21"].Power, p)
		}
	}
	if told < 12 || told > 20 { // the first, then every third step
		t.Errorf("told %d times over 49 steps of one per cent", told)
	}
}
