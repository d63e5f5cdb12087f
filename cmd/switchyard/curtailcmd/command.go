// Package curtailcmd owns the commands that take power back from hosted tenants: what may be
// taken, what the schedule proposes, telling a tenant, and taking the word back.
//
// It never decides what a contract allows: the controller does, and the commands print its answer.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package curtailcmd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/unit"
)

// Console is what the commands need of the command line.
type Console struct {
	Out io.Writer
	// JSON says whether the answer is to be printed as JSON, and PrintJSON does it.
	JSON      func() bool
	PrintJSON func(any) error
	// Ask asks the controller once; body and into may be nil. Its errors carry their exit code.
	Ask func(ctx context.Context, method, path string, body, into any) error
	// BadInput makes the error of bad flags, arguments or values.
	BadInput func(format string, args ...any) error
	// When reads a time as people write it, of the site's day and zone.
	When func(s string, now time.Time, zone *time.Location) (time.Time, error)
}

type console struct{ Console }

const path = "/api/v1/curtailments"

// Command makes the command with those below it.
func Command(k Console) *cobra.Command {
	c := &console{k}
	cmd := &cobra.Command{
		Use:   "curtail",
		Short: "Take power back from hosted tenants, as their contracts allow",
		Long: `Take power back from hosted tenants, as their contracts allow. A tenant's machines are its own:
a call tells it to draw less, its meter shows what it gave, and no limit rests on its following.`,
	}
	cmd.AddCommand(c.listCmd(), c.callCmd(), c.withdrawCmd())
	return cmd
}

func (c *console) listCmd() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "The rights to take power back, what the schedule would use, and what was called",
		Long: `The rights that tenants' contracts give, what the schedule would use of them, and what was
called this year: told when, seen by the tenant or not, asked for and given by its meter.`,
		Example: "  switchyard curtail list\n  switchyard curtail list --tenant acme",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.list(cmd.Context(), tenant) },
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "of one tenant alone")
	return cmd
}

func (c *console) site(ctx context.Context) (zone *time.Location, err error) {
	var v api.SiteView
	if err := c.Ask(ctx, http.MethodGet, "/api/v1/site", nil, &v); err != nil {
		return nil, err
	}
	if zone, err = time.LoadLocation(v.Timezone); err != nil {
		zone = time.UTC
	}
	return zone, nil
}

func (c *console) list(ctx context.Context, tenant string) error {
	at := path
	if tenant != "" {
		at += "?tenant=" + url.QueryEscape(tenant)
	}
	var v api.CurtailmentsView
	if err := c.Ask(ctx, http.MethodGet, at, nil, &v); err != nil {
		return err
	}
	if c.JSON() {
		return c.PrintJSON(v)
	}
	zone, err := c.site(ctx)
	if err != nil {
		return err
	}
	Print(c.Out, v, zone)
	return nil
}

func (c *console) callCmd() *cobra.Command {
	var power, from, why, consent string
	var span time.Duration
	cmd := &cobra.Command{
		Use:   "call TENANT --for DURATION --why SENTENCE",
		Short: "Tell a hosted tenant to draw less",
		Long: `Tell a hosted tenant to draw less: as soon as its notice allows or from a time on, by all that
its right allows or by less. What the right does not allow is refused, unless --consent names
what the tenant agreed to beyond it. Needs the role operator.`,
		Example: "  switchyard curtail call acme --for 2h --why \"The grid is short.\"\n  switchyard curtail call acme --from 17:00 --for 90m --power 300kW --why \"Transformer 2 is hot.\" --consent \"mail of Ms Okafor, 14:05\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := api.CurtailRequest{Tenant: args[0], Why: why, Consent: consent}
			switch {
			case span <= 0:
				return c.BadInput("say how long with --for, such as --for 2h")
			case why == "":
				return c.BadInput("say why with --why, in a sentence that the tenant will read")
			}
			if power != "" {
				p, err := unit.ParsePower(power)
				if err != nil || p <= 0 {
					return c.BadInput("%q is no power to draw less; write it like 500kW", power)
				}
				r.PowerW = p.Watts()
			}
			return c.call(cmd.Context(), r, from, span)
		},
	}
	f := cmd.Flags()
	f.StringVar(&power, "power", "", "how much less (default: all that its right allows)")
	f.StringVar(&from, "from", "", "when it begins, site time (default: as soon as its notice allows)")
	f.DurationVar(&span, "for", 0, "how long, site time")
	f.StringVar(&why, "why", "", "a sentence for the tenant")
	f.StringVar(&consent, "consent", "", "what the tenant agreed to beyond its right: a letter, a name")
	return cmd
}

func (c *console) call(ctx context.Context, r api.CurtailRequest, from string, span time.Duration) error {
	zone, err := c.site(ctx)
	if err != nil {
		return err
	}
	var v api.CurtailmentsView
	if err := c.Ask(ctx, http.MethodGet, path+"?tenant="+url.QueryEscape(r.Tenant), nil, &v); err != nil {
		return err
	}
	begin := v.At
	if from != "" {
		if r.From, err = c.When(from, v.At, zone); err != nil {
			return err
		}
		begin = r.From
	} else if len(v.Rights) > 0 {
		begin = v.At.Add(seconds(v.Rights[0].NoticeS))
	}
	r.To = begin.Add(span)
	var told api.CurtailmentView
	if err := c.Ask(ctx, http.MethodPost, path, r, &told); err != nil {
		return err
	}
	return c.say(told, "Take it back with: switchyard curtail withdraw "+told.ID+" --why …")
}

func (c *console) withdrawCmd() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:     "withdraw ID --why SENTENCE",
		Short:   "Take a curtailment back before its end",
		Long:    "Take a curtailment back before its end; the tenant sees it at once. Needs the role operator.",
		Example: "  switchyard curtail withdraw acme-20261123T140000Z --why \"The grid is well again.\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if why == "" {
				return c.BadInput("say why with --why")
			}
			var v api.CurtailmentView
			if err := c.Ask(cmd.Context(), http.MethodPost, path+"/"+url.PathEscape(args[0])+"/withdraw", map[string]string{"why": why}, &v); err != nil {
				return err
			}
			return c.say(v, "")
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	return cmd
}

// say prints one curtailment, and what may be done next.
func (c *console) say(v api.CurtailmentView, next string) error {
	if c.JSON() {
		return c.PrintJSON(v)
	}
	fmt.Fprintln(c.Out, v.Text)
	if next != "" {
		fmt.Fprintln(c.Out, next)
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
