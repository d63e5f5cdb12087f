package usagecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"switchyard/billing/energyreport"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

type reportFlags struct {
	site, dir, month, carbon, contracts, facility, format, out string
}

func (c *console) reportCmd() *cobra.Command {
	in := reportFlags{format: "text"}
	cmd := &cobra.Command{
		Use:   "report --site FILE --month 2026-10",
		Short: "A month's energy by use, PUE, peak, carbon, and what surveys ask for",
		Long: `A month's energy: kWh of mining, each tenant, house, losses and the remainder, which sum to the
revenue meter; PUE, peak and load factor; carbon by the place's hourly factors and by contracts; and
the fields that the survey of miners (EIA-862) asked for. What an input is missing for is left out,
and the report says which.

--carbon is CSV: time, kg_per_mwh. --contracts is CSV: name, kind (rec, ppa, supplier or residual),
mwh, kg_per_mwh. --facility is YAML: company, contact, address, county, state, supplier, and
equipment, a list of {group, units, installed}.`,
		Example: "  switchyard energy report --site site.yaml --month 2026-10\n" +
			"  switchyard energy report --site site.yaml --month 2026-10 --carbon grid.csv --contracts recs.csv --facility facility.yaml -o json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.report(cmd.Context(), in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.site, "site", "", "the site file (needed)")
	f.StringVar(&in.dir, "store", "", "folder of the record, where it is not in the site file's store")
	f.StringVar(&in.month, "month", "", "the month, such as 2026-10, in the site's time zone (needed)")
	f.StringVar(&in.carbon, "carbon", "", "CSV of the grid's hourly factors: time, kg_per_mwh")
	f.StringVar(&in.contracts, "contracts", "", "CSV of contracts and certificates: name, kind, mwh, kg_per_mwh")
	f.StringVar(&in.facility, "facility", "", "YAML of what no meter tells: company, address, supplier, equipment")
	f.VarP(c.Choice(&in.format, "text", "json", "csv"), "output", "o", "what is written: text, json or csv")
	f.StringVar(&in.out, "out", "", "write there and not to standard output")
	return cmd
}

func (c *console) report(ctx context.Context, in reportFlags) (err error) {
	month, err := time.Parse("2006-01", in.month)
	if err != nil {
		return c.BadInput("--month: %q is no month; write it like 2026-10", in.month)
	}
	f, db, err := c.open(ctx, in.site, in.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var given energyreport.Input
	if err := c.inputs(&given, f, in); err != nil {
		return err
	}
	progress := c.Progress()
	all, err := energyreport.Gather(ctx, db, f, month, func(day time.Time) { progress.Tell("reading %s", day.Format(time.DateOnly)) })
	progress.Done()
	if err != nil {
		return err
	}
	if len(all.Balances) == 0 {
		return c.NotFound("there is no interval of %s in the record", in.month)
	}
	all.Factors, all.Contracts, all.Facility = given.Factors, given.Contracts, given.Facility
	r, err := energyreport.Build(all)
	if err != nil {
		return err
	}
	return c.to(in.out, func(w io.Writer) error { return print(w, r, in.format) })
}

func print(w io.Writer, r energyreport.Report, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
		return nil
	case "csv":
		return r.CSV(w)
	}
	if _, err := io.WriteString(w, r.Text()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// inputs reads the files that the figures beyond the meters need.
func (c *console) inputs(to *energyreport.Input, f *sitefile.File, in reportFlags) error {
	if in.carbon != "" {
		data, err := c.read("--carbon", in.carbon)
		if err != nil {
			return err
		}
		if to.Factors, err = energyreport.ParseFactors(in.carbon, data, f.Location()); err != nil {
			return c.BadInput("%w", err)
		}
	}
	if in.contracts != "" {
		data, err := c.read("--contracts", in.contracts)
		if err != nil {
			return err
		}
		if to.Contracts, err = energyreport.ParseContracts(in.contracts, data); err != nil {
			return c.BadInput("%w", err)
		}
		if to.Contracts == nil {
			to.Contracts = []energyreport.Contract{} // told, and none
		}
	}
	if in.facility == "" {
		return nil
	}
	data, err := c.read("--facility", in.facility)
	if err != nil {
		return err
	}
	groups := []string{}
	for _, g := range f.Groups {
		groups = append(groups, g.ID)
	}
	to.Facility, err = energyreport.ParseFacility(in.facility, data, groups)
	var faults strictyaml.Faults
	if err != nil && !errors.As(err, &faults) {
		return c.BadInput("%w", err)
	}
	return err
}

// maxFile bounds what is read of a file; the parsers say more exactly what they take.
const maxFile = 64 << 20

func (c *console) read(flag, path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, c.BadInput("%s: %w", flag, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxFile))
	if err != nil {
		return nil, c.BadInput("%s: read %s: %w", flag, path, err)
	}
	return data, nil
}
