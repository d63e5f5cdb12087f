package usagecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/billing/usage"
	"switchyard/billing/usage/cloudevents"
	"switchyard/sitefile"
)

type exportFlags struct {
	site, dir, from, to, tenant, out, format, post, token, energyCode, gpuCode string
	batch                                                                      int
}

func (c *console) exportCmd() *cobra.Command {
	in := exportFlags{format: string(cloudevents.Batch)}
	cmd := &cobra.Command{
		Use:   "export --site FILE --from TIME --to TIME",
		Short: "Usage as CloudEvents, for a file or a metering service",
		Long: `Usage of each tenant and interval as CloudEvents 1.0: switchyard.usage.energy and
switchyard.usage.gpu, the tenant as their subject. Ids are made of what an event says, so that
exporting again, or a time that overlaps, is harmless. A correction is an event of its own with
what it adds to the one before it.

Without --post events are written; with it they are posted in batches, tried again where the
receiver is busy, and the command ends with code 1 where one was refused: run it again. -o names a
file here and not a format: --format does.`,
		Example: "  switchyard usage export --site site.yaml --from 2026-10-01 --to 2026-11-01 -o october.json\n" +
			"  switchyard usage export --site site.yaml --from 2026-10-01 --to 2026-11-01 --format ndjson --tenant acme\n" +
			"  switchyard usage export --site site.yaml --from 2026-10-01 --to 2026-11-01 --post https://openmeter.example/api/v1/events --token-ref env:OPENMETER_TOKEN\n" +
			"  switchyard usage export --site site.yaml --from 2026-10-01 --to 2026-11-01 --format lago --post https://lago.example/api/v1/events/batch --token-ref file:lago.key",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.export(cmd.Context(), in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.site, "site", "", "the site file (needed)")
	f.StringVar(&in.dir, "store", "", "folder of the record, where it is not in the site file's store")
	f.StringVar(&in.from, "from", "", "the first interval, such as 2026-10-01 or \"2026-10-01 06:00\" in the site's time zone (needed)")
	f.StringVar(&in.to, "to", "", "up to, and without, the interval that starts then (needed)")
	f.StringVar(&in.tenant, "tenant", "", "only this tenant's")
	f.StringVarP(&in.out, "output", "o", "", "write to this file and not to standard output")
	f.Var(c.Choice(&in.format, formats()...), "format", "batch (a JSON array of CloudEvents), ndjson (one a line) or lago")
	f.StringVar(&in.post, "post", "", "post to this address instead of writing")
	f.StringVar(&in.token, "token-ref", "", "where the token for --post is: env:NAME or file:PATH")
	f.IntVar(&in.batch, "batch", 100, "events a request; Lago takes 100 at the most")
	f.StringVar(&in.energyCode, "lago-energy", "", "code of Lago's billable metric for energy (default switchyard_energy)")
	f.StringVar(&in.gpuCode, "lago-gpu", "", "code of Lago's billable metric for GPU time (default switchyard_gpu)")
	return cmd
}

func (c *console) export(ctx context.Context, in exportFlags) (err error) {
	switch {
	case in.post != "" && in.out != "":
		return c.BadInput("--post sends events and -o writes them: choose one")
	case in.post == "" && in.token != "":
		return c.BadInput("--token-ref is for --post, which is not given")
	case in.batch < 1 || in.batch > 10_000 || in.format == string(cloudevents.Lago) && in.batch > 100:
		return c.BadInput("--batch %d: a request has 1 to 10,000 events, and Lago takes 100 at the most", in.batch)
	}
	f, db, err := c.open(ctx, in.site, in.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	q := usage.Question{Tenant: in.tenant, Revisions: true}
	if q.From, q.To, err = c.span(f, in.from, in.to); err != nil {
		return err
	}
	record := usage.OpenReader(db)
	if in.tenant != "" {
		known, err := record.Tenants(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(known, in.tenant) && !slices.ContainsFunc(f.Tenants, func(t sitefile.Tenant) bool { return t.ID == in.tenant }) {
			return c.NotFound("there is no tenant %q in the record; there are %s", in.tenant, orNone(known))
		}
	}
	events := cloudevents.Events(source(f), record.Rows(ctx, q))
	if in.post != "" {
		return c.send(ctx, f, in, events)
	}
	progress := c.Progress()
	n := 0
	err = c.to(in.out, func(w io.Writer) error {
		n, err = cloudevents.Write(w, cloudevents.Format(in.format), codes(in), events, func(n int) { progress.Tell("%d events", n) })
		return err
	})
	progress.Done()
	if err != nil {
		return err
	}
	if in.out != "" {
		fmt.Fprintf(c.Err, "%d events written to %s\n", n, in.out)
	}
	return nil
}

func (c *console) send(ctx context.Context, f *sitefile.File, in exportFlags, events func(func(cloudevents.Event, error) bool)) error {
	token := ""
	if in.token != "" {
		var err error
		if token, err = f.Secret(in.token); err != nil {
			return c.BadInput("--token-ref: %w", err)
		}
	}
	progress := c.Progress()
	s := cloudevents.Sender{
		URL: in.post, Token: token, Format: cloudevents.Format(in.format), Codes: codes(in), Size: in.batch,
		Tell: func(n int) { progress.Tell("%d events sent", n) },
	}
	n, err := s.Send(ctx, events)
	progress.Done()
	if err != nil {
		return fmt.Errorf("%w; sending all of it again is harmless", err)
	}
	fmt.Fprintf(c.Err, "%d events sent\n", n)
	return nil
}

func codes(in exportFlags) cloudevents.Codes {
	return cloudevents.Codes{Energy: in.energyCode, GPU: in.gpuCode}
}

func formats() []string {
	var out []string
	for _, f := range cloudevents.Formats() {
		out = append(out, string(f))
	}
	return out
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none: nothing was recorded yet"
	}
	return strings.Join(names, ", ")
}

// source is the URI by which a site's events are known.
func source(f *sitefile.File) string { return "urn:switchyard:" + url.PathEscape(f.Site.Name) }

// span reads --from and --to; a day alone begins at its midnight.
func (c *console) span(f *sitefile.File, from, to string) (time.Time, time.Time, error) {
	if from == "" || to == "" {
		return time.Time{}, time.Time{}, c.BadInput("--from and --to are needed, such as --from 2026-10-01 --to 2026-11-01")
	}
	zone := f.Location()
	read := func(s string) (time.Time, error) {
		if t, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
			return t, nil
		}
		return c.When(s, c.Now(f), zone)
	}
	a, err := read(from)
	if err != nil {
		return a, a, err
	}
	b, err := read(to)
	if err != nil {
		return a, b, err
	}
	if !a.Before(b) {
		return a, b, c.BadInput("--from %s is not before --to %s", from, to)
	}
	return a, b, nil
}
