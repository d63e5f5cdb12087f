package fleetcmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
)

const (
	fleetPause = time.Second // between looks at a rollout
	mostShown  = 20          // devices that are listed one by one
)

// fleetFlags are what the actions of `fleet` take.
type fleetFlags struct {
	api.RolloutRequest
	pools        []string
	off          bool
	preview, yes bool
	leave        bool
}

func (c *console) fleetCmd() *cobra.Command {
	var o fleetFlags
	actions := []string{"reboot", "pools", "led", "password", "profile", "sleep", "wake"}
	cmd := &cobra.Command{
		Use:   "fleet ACTION --where QUERY | --devices DEVICE,...",
		Short: "Carry out one action on many devices, in waves",
		Long: `Carry out one action on many devices: reboot, pools, led, password, profile, sleep or wake.
First it is shown what would be done on how many devices, and what is skipped and why; then
it is asked for confirmation, on a terminal, or --yes is needed. The controller tells one
wave of devices at a time and goes on when readings have confirmed it; too many failures stop
it. It goes on without this command, and over a restart of the controller.

Passwords are named, never typed: env:NAME or file:PATH on the controller.`,
		Example: `  switchyard fleet reboot --where 'state=fault' --preview
  switchyard fleet pools --where 'group=s21' --pool 'stratum+tcp://pool.example:3333 acme.{device}'
  switchyard fleet profile --profile eco --where 'rack=A-*' --wave 20
  switchyard fleet led --devices s21-017,s21-018
  switchyard fleet sleep --where 'temp>95' --note "hot aisle" --yes`,
		Args: cobra.ArbitraryArgs, ValidArgs: actions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(actions, args[0]) {
				return c.BadInput("name one action: %s; see `switchyard fleet --help`", strings.Join(actions, ", "))
			}
			o.Action = args[0]
			if err := c.complete(&o); err != nil {
				return err
			}
			return c.fleet(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Query, "where", "", "the `QUERY` that chooses the devices; switchyard devices --help says how")
	f.StringSliceVar(&o.Devices, "devices", nil, "devices by name")
	f.StringArrayVar(&o.pools, "pool", nil, "for pools: \"URL WORKER [env:NAME]\", the first first; {device} and {ip} are filled in")
	f.StringVar(&o.PasswordRef, "password-ref", "", "for password: env:NAME or file:PATH on the controller")
	f.StringVar(&o.RolloutRequest.Profile, "profile", "", "for profile: its name")
	f.BoolVar(&o.off, "off", false, "for led: end it")
	f.IntVar(&o.Wave, "wave", 0, "devices told at a time (default 50)")
	f.IntVar(&o.StopAfter, "stop-after", 0, "failures that stop it (default: a tenth of a wave, at least 3)")
	f.StringVar(&o.Note, "note", "", "why, for whoever reads it later")
	f.BoolVar(&o.preview, "preview", false, "show what would be done, and do nothing")
	f.BoolVar(&o.yes, "yes", false, "do not ask for confirmation")
	f.BoolVar(&o.leave, "no-wait", false, "do not wait for the end")
	return cmd
}

// complete checks the flags and makes the request whole.
func (c *console) complete(o *fleetFlags) error {
	if o.Query == "" && len(o.Devices) == 0 {
		return c.BadInput("say which devices, with --where or --devices; --where 'device=*' is all of them")
	}
	if (o.Action == "pools") != (len(o.pools) > 0) {
		return c.BadInput("pools needs --pool \"URL WORKER\", and nothing else takes it")
	}
	if (o.Action == "password") != (o.PasswordRef != "") {
		return c.BadInput("password needs --password-ref env:NAME or file:PATH, and nothing else takes it")
	}
	if (o.Action == "profile") != (o.RolloutRequest.Profile != "") {
		return c.BadInput("profile needs --profile NAME, and nothing else takes it")
	}
	if o.off && o.Action != "led" {
		return c.BadInput("--off is for led")
	}
	if o.Wave < 0 || o.StopAfter < 0 {
		return c.BadInput("--wave and --stop-after cannot be negative")
	}
	o.On = o.Action == "led" && !o.off
	for _, p := range o.pools {
		parts := strings.Fields(p)
		if len(parts) < 2 || len(parts) > 3 {
			return c.BadInput("--pool is \"URL WORKER\" or \"URL WORKER env:NAME\", not %q", p)
		}
		q := api.PoolRequest{URL: parts[0], Worker: parts[1]}
		if len(parts) == 3 {
			if q.PasswordRef = parts[2]; !strings.HasPrefix(q.PasswordRef, "env:") && !strings.HasPrefix(q.PasswordRef, "file:") {
				return c.BadInput("a pool's password is named as env:NAME or file:PATH on the controller; a secret itself is not taken")
			}
		}
		o.Pools = append(o.Pools, q)
	}
	return nil
}

func (c *console) fleet(ctx context.Context, o fleetFlags) error {
	var p api.PreviewView
	if err := c.Ask(ctx, http.MethodPost, "/api/v1/rollouts/preview", o.RolloutRequest, &p); err != nil {
		return err
	}
	if o.preview && c.JSON() {
		return c.printJSON(p)
	}
	if !c.JSON() {
		c.printPreview(p, o.preview)
	}
	switch {
	case o.preview:
		return nil
	case p.Do == 0:
		return c.BadInput("none of the devices can be told%s", mainReason(p))
	case !o.yes:
		if err := c.confirm(ctx, p.Text); err != nil {
			return err
		}
	}
	var v api.RolloutView
	if err := c.Ask(ctx, http.MethodPost, "/api/v1/rollouts", o.RolloutRequest, &v); err != nil {
		return err
	}
	if o.leave {
		if c.JSON() {
			return c.printJSON(v)
		}
		c.say("rollout %d has begun; switchyard rollouts %d shows how far it is", v.ID, v.ID)
		return nil
	}
	return c.follow(ctx, v.ID)
}

func mainReason(p api.PreviewView) string {
	if len(p.Why) == 0 {
		return ""
	}
	return ": " + p.Why[0].Reason
}

func (c *console) printPreview(p api.PreviewView, devices bool) {
	c.say("%s.", p.Text)
	g := table.New(">skipped", "because")
	for _, w := range p.Why {
		g.Add(strconv.Itoa(w.Devices), w.Reason)
	}
	g.Print(c.Out, 2)
	if !devices {
		return
	}
	g = table.New(">wave", "device", "")
	for i, it := range p.Items {
		if i == mostShown && len(p.Items) > mostShown+1 {
			g.Add("", fmt.Sprintf("and %d more", len(p.Items)-mostShown), "-o json lists them all")
			break
		}
		wave := strconv.Itoa(it.Wave)
		if it.Wave == 0 {
			wave = "-"
		}
		g.Add(wave, it.Device, it.Reason)
	}
	g.Print(c.Out, 2)
}

// confirm asks a person on a terminal.
func (c *console) confirm(ctx context.Context, what string) error {
	if c.Person == nil {
		return c.BadInput("nothing was done: confirm it with --yes, or look at it with --preview")
	}
	fmt.Fprintf(c.Err, "%s. Go on? [y/N] ", what)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(c.Person, 100)).ReadString('\n') // none is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return c.BadInput("nothing was done")
	case <-ctx.Done():
		return fmt.Errorf("interrupted: nothing was done")
	}
}

// follow waits for a rollout's end and says what came of it. It ends with code 1 where a
// device failed or the rollout was stopped.
func (c *console) follow(ctx context.Context, id int64) error {
	p := c.Progress()
	for {
		v, err := c.rolloutSum(ctx, id)
		if ctx.Err() != nil {
			p.Done()
			return fmt.Errorf("interrupted: rollout %d goes on; stop it with: switchyard rollouts %d stop", id, id)
		}
		if err != nil {
			p.Done()
			return err
		}
		if v.Ended != nil {
			break
		}
		p.Tell("rollout %d %s: %s of %d", id, v.State, countsText(v.Counts), v.Total)
		timer := time.NewTimer(fleetPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	p.Done()
	var v api.RolloutView
	if err := c.get(ctx, "/api/v1/rollouts/"+strconv.FormatInt(id, 10), nil, &v); err != nil {
		return err
	}
	if c.JSON() {
		if err := c.printJSON(v); err != nil {
			return err
		}
	} else {
		c.printRollout(v)
	}
	if v.State == "stopped" || v.Counts["failed"] > 0 {
		return c.Failed()
	}
	return nil
}

// rolloutSum asks for a rollout without its devices where it is among the newest, else with them.
func (c *console) rolloutSum(ctx context.Context, id int64) (v api.RolloutView, err error) {
	var list []api.RolloutView
	if err := c.get(ctx, "/api/v1/rollouts", url.Values{"limit": {"20"}}, &list); err != nil {
		return v, err
	}
	if i := slices.IndexFunc(list, func(v api.RolloutView) bool { return v.ID == id }); i >= 0 {
		return list[i], nil
	}
	err = c.get(ctx, "/api/v1/rollouts/"+strconv.FormatInt(id, 10), nil, &v)
	return v, err
}

func countsText(counts map[string]int) string {
	var out []string
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if counts[s] > 0 {
			out = append(out, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return strings.Join(out, ", ")
}

func (c *console) printRollout(v api.RolloutView) {
	c.say("rollout %d by %s: %s", v.ID, v.By, v.Text)
	state := v.State
	if v.Reason != "" {
		state += ": " + v.Reason
	}
	c.say("%s; %s", state, countsText(v.Counts))
	g := table.New("device", "state", "")
	more := 0
	for _, it := range v.Items {
		if it.State == "confirmed" || it.State == "pending" {
			continue
		}
		if g.Len() >= mostShown {
			more++
			continue
		}
		g.Add(it.Device, it.State, it.Reason)
	}
	g.Print(c.Out, 2)
	if more > 0 {
		c.say("  and %d more; -o json lists them all", more)
	}
}

func (c *console) rolloutsCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "rollouts [ID [pause|resume|stop]]",
		Short:   "List, show and steer fleet operations",
		Long:    "List the newest fleet operations, show one with what came of its devices, or pause, resume or\nstop it. A pause tells nobody else; who was told is watched all the same. A stop is for good.",
		Example: "  switchyard rollouts\n  switchyard rollouts 7\n  switchyard rollouts 7 pause",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.listRollouts(cmd.Context())
			}
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id < 1 {
				return c.BadInput("%q is not a rollout's id; `switchyard rollouts` lists them", args[0])
			}
			if len(args) == 2 {
				return c.steer(cmd.Context(), id, args[1])
			}
			var v api.RolloutView
			if err := c.get(cmd.Context(), "/api/v1/rollouts/"+args[0], nil, &v); err != nil {
				return err
			}
			if c.JSON() {
				return c.printJSON(v)
			}
			c.printRollout(v)
			return nil
		},
	}
}

func (c *console) steer(ctx context.Context, id int64, what string) error {
	done, ok := map[string]string{"pause": "paused", "resume": "running", "stop": "stopped"}[what]
	if !ok {
		return c.BadInput("a rollout is steered by pause, resume or stop, not %q", what)
	}
	if err := c.Ask(ctx, http.MethodPost, fmt.Sprintf("/api/v1/rollouts/%d/steer", id), map[string]string{"what": what}, nil); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(map[string]any{"id": id, "state": done})
	}
	c.say("rollout %d is %s", id, done)
	return nil
}

func (c *console) listRollouts(ctx context.Context) error {
	var list []api.RolloutView
	if err := c.get(ctx, "/api/v1/rollouts", nil, &list); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(append([]api.RolloutView{}, list...))
	}
	s, err := c.siteView(ctx)
	if err != nil {
		return err
	}
	zone := zone(s.Timezone)
	g := table.New(">id", "begun", "state", "by", "what", "devices")
	for _, v := range list {
		g.Add(strconv.FormatInt(v.ID, 10), v.Begun.In(zone).Format("01-02 15:04"), v.State, v.By, v.Text, countsText(v.Counts))
	}
	g.Print(c.Out, 0)
	if len(list) == 0 {
		c.say("No fleet operations yet.")
	}
	return nil
}
