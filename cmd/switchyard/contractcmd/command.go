// Package contractcmd owns the commands that check contract files, write an example of one, and
// show what one says on a day.
//
// It never bills and never talks to a controller: billing/contract reads, checks and reckons.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done.
package contractcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"switchyard/billing/contract"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

// Console is what the commands need of the command line.
type Console struct {
	Out io.Writer
	// JSON says whether the answer is to be printed as JSON.
	JSON func() bool
	// Load reads and checks a site file; its errors carry their exit code.
	Load func(path string) (*sitefile.File, error)
	// WriteNew writes a file that must not exist yet, unless force.
	WriteNew func(path string, data []byte, force bool) error
	// BadInput makes the error of bad flags or values, NotFound that of a day without a version.
	BadInput, NotFound func(format string, args ...any) error
	// Faulty is the end of a command that has told all faults on standard output.
	Faulty func() error
}

type console struct{ Console }

// Command makes the command with those below it.
func Command(k Console, onlyCommands func(*cobra.Command, []string) error) *cobra.Command {
	c := &console{k}
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Check contract files, begin one, and see what one says on a day",
		Args:  cobra.ArbitraryArgs, RunE: onlyCommands,
	}
	cmd.AddCommand(c.checkCmd(), c.initCmd(), c.showCmd())
	return cmd
}

func (c *console) checkCmd() *cobra.Command {
	var site string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check contract files and name every fault",
		Long: "Check contract files: every fault at once, each with its line, its key and what would be right.\n" +
			"With --site the tenant and the GPU models must be the site's. The exit code is 2 where there are\n" +
			"faults, 0 where there are none or only warnings.",
		Example: "  switchyard contract check acme.yaml\n  switchyard contract check contracts/*.yaml --site site.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.check(args, site) },
	}
	cmd.Flags().StringVar(&site, "site", "", "the site file whose tenants and GPU models the contracts may name")
	return cmd
}

func (c *console) initCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "init [FILE]",
		Short:   "Write a commented example of a contract file",
		Long:    "Write a commented contract file to FILE, by default contract.yaml. An existing file stays as it is,\nunless --force.",
		Example: "  switchyard contract init acme.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "contract.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			if err := c.WriteNew(path, contract.Example(), force); err != nil {
				return err
			}
			if c.JSON() {
				return c.print(map[string]string{"file": path})
			}
			fmt.Fprintf(c.Out, "%s is written. Make it your contract, then: switchyard contract check %s\n", path, path)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing file")
	return cmd
}

func (c *console) showCmd() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "show FILE --at DATE",
		Short: "What a contract says on a day, and what that day's month makes owed",
		Long: "Show the version in force on a day with its critical load and rate, what the month of that day makes\n" +
			"owed whether used or not, piece by piece, and what the contract comes to by its end.",
		Example: "  switchyard contract show acme.yaml --at 2027-03-01",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.show(args[0], at) },
	}
	cmd.Flags().StringVar(&at, "at", "", "a day like 2027-03-01 (default: the contract's first)")
	return cmd
}

// checked is what check says of one file.
type checked struct {
	File     string  `json:"file"`
	OK       bool    `json:"ok"`
	Faults   []fault `json:"faults"`
	Warnings []fault `json:"warnings"`
	Tenant   string  `json:"tenant,omitempty"`
	Contract string  `json:"contract,omitempty"`
	Versions int     `json:"versions,omitempty"`
}

type fault struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Key        string `json:"key"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
}

func (c *console) check(paths []string, site string) error {
	var known contract.Known
	if site != "" {
		f, err := c.Load(site)
		if err != nil {
			return err
		}
		known = knownOf(f)
	}
	var all []checked
	ok := true
	for _, path := range paths {
		k, err := contract.LoadKnowing(path, known)
		var faults strictyaml.Faults
		if err != nil && !errors.As(err, &faults) {
			return c.unreadable(path, err)
		}
		one := checked{File: path, OK: err == nil, Faults: out(faults), Warnings: []fault{}}
		if ok = ok && one.OK; one.OK {
			one.Warnings, one.Tenant, one.Contract, one.Versions = out(k.Warnings), k.Tenant, k.Number, len(k.Versions)
		}
		all = append(all, one)
		if !c.JSON() {
			c.tell(path, k, faults)
		}
	}
	if c.JSON() {
		if err := c.print(all); err != nil {
			return err
		}
	}
	if !ok {
		return c.Faulty()
	}
	return nil
}

// knownOf returns what the site's contracts may name.
func knownOf(f *sitefile.File) contract.Known {
	k := contract.Known{Tenants: []string{}, Models: []string{}}
	for _, t := range f.Tenants {
		k.Tenants = append(k.Tenants, t.ID)
	}
	for _, cl := range f.Clusters {
		for _, t := range cl.Tenants {
			k.Tenants = append(k.Tenants, t.ID)
		}
		for _, g := range cl.GPUs {
			k.Models = append(k.Models, g.Model)
		}
	}
	for _, l := range []*[]string{&k.Tenants, &k.Models} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	return k
}

func (c *console) unreadable(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return c.BadInput("%w; `switchyard contract init %s` writes an example", err, path)
	}
	return c.BadInput("%w", err)
}

func (c *console) tell(path string, k *contract.Contract, faults strictyaml.Faults) {
	if k == nil {
		for _, f := range faults {
			fmt.Fprintln(c.Out, f.Error())
		}
		fmt.Fprintln(c.Out, count(len(faults), "fault"))
		return
	}
	for _, w := range k.Warnings {
		fmt.Fprintf(c.Out, "warning: %s\n", w.Error())
	}
	fmt.Fprintf(c.Out, "%s: ok, %s\n  %s with %s, %s\n", path, count(len(k.Warnings), "warning"), k.Number, k.Tenant, count(len(k.Versions), "version"))
}

// count prints "no faults", "1 fault", "5 faults".
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func out(fs strictyaml.Faults) []fault {
	all := make([]fault, 0, len(fs))
	for _, f := range fs {
		all = append(all, fault{File: f.File, Line: f.Line, Column: f.Column, Key: f.Path, Message: f.Message, Suggestion: f.Suggestion})
	}
	return all
}

func (c *console) print(v any) error {
	e := json.NewEncoder(c.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// day reads --at; without it, it is the contract's first day.
func (c *console) day(k *contract.Contract, at string) (contract.Date, error) {
	if at == "" {
		return k.Versions[0].From, nil
	}
	d, err := contract.ParseDate(at)
	if err != nil {
		return contract.Date{}, c.BadInput("--at: %w", err)
	}
	return d, nil
}

// stamp prints a moment for machines.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
