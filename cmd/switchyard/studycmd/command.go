// Package studycmd owns the commands of investment studies: to run one, to compare several, to
// check a file, and to write the first draft of one from a site as it is.
//
// It never works a figure out: study does, and the site's own record is read as it stands.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package studycmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/wholefile"
	"switchyard/sitefile"
	"switchyard/strictyaml"
	"switchyard/study"
	"switchyard/study/input"
)

// Engine is what makes studies and their pages; what is nil is not built in.
type Engine struct {
	Load    func(path string) (*input.File, error)
	Run     func(ctx context.Context, f *input.File, o Wish) (*study.Report, error)
	HTML    func(w io.Writer, r *study.Report) error
	Compare func(w io.Writer, rs []*study.Report) error
	Sheet   func(w io.Writer, f *input.File, r *study.Report) error
	Example func() []byte
}

// Wish is how a study is to be run; what is nil or zero is as the file says.
type Wish struct {
	Version, Command string
	Paths            *int
	Seed             *uint64
	Workers          int
	// Progress is told how far the work is; it is called from many goroutines.
	Progress func(what string, done, total int)
}

// Progress tells on standard error how far something is.
type Progress interface {
	Tell(format string, args ...any)
	Done()
}

// Ask asks a running controller by GET.
type Ask func(ctx context.Context, path string, query url.Values, into any) error

// Console is what the commands need of the command line.
type Console struct {
	Out, Err io.Writer
	Version  string
	Engine   Engine
	// Load reads and checks a site file; its errors carry their exit code.
	Load func(path string) (*sitefile.File, error)
	// Now is site time by the site file's clock; of nil the machine's.
	Now func(f *sitefile.File) time.Time
	// Controller returns how the running controller is asked, or why it cannot be; Named says
	// that somebody said which one, by flag or environment.
	Controller func() (Ask, error)
	Named      func() bool
	// WriteNew writes a file that must not exist yet, unless force.
	WriteNew func(path string, data []byte, force bool) error
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// BadInput makes the error of bad flags or values, Told that of a command that has said all
	// there is to say and found faults.
	BadInput func(format string, args ...any) error
	Told     func() error
	Progress func() Progress
}

type console struct{ Console }

type flags struct {
	format, out string
	paths       int
	seed        uint64
	workers     int
	set         func(flag string) bool
}

// Command makes the command "study".
func Command(k Console) *cobra.Command {
	c := &console{k}
	in := flags{format: "text"}
	cmd := &cobra.Command{
		Use:   "study FILE",
		Short: "Should each hall mine on, host AI, rent out GPUs or be sold, and with whose money",
		Long: `Run an investment study: each hall of a site under each option, month by month, after tax, before
and after financing, over thousands of worlds of Bitcoin, power, capex and delay. The same file and
seed give the same report on every machine.

` + "`switchyard study init` writes a file to begin with; `switchyard study check FILE` lists its faults\n" +
			"and assumptions; `switchyard study compare` puts several side by side. docs/study.md says what is\nreckoned and how.",
		Example: "  switchyard study study.yaml\n  switchyard study study.yaml -o html --out study.html\n  switchyard study study.yaml -o json --paths 0",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			in.set = cmd.Flags().Changed
			return c.study(cmd.Context(), args[0], in)
		},
	}
	c.outputs(cmd, &in, "text", "html", "xlsx", "json")
	in.runs(cmd)
	cmd.AddCommand(c.initCmd(), c.checkCmd(), c.compareCmd())
	return cmd
}

// outputs adds the flags that say what is written and where.
func (c *console) outputs(cmd *cobra.Command, in *flags, allowed ...string) {
	in.format = allowed[0]
	cmd.Flags().VarP(c.Choice(&in.format, allowed...), "output", "o", "what is written: "+strings.Join(allowed, ", "))
	cmd.Flags().StringVar(&in.out, "out", "", "write there and not to standard output")
}

// runs adds the flags that say how a study is run.
func (in *flags) runs(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&in.paths, "paths", 0, "worlds of the Monte Carlo; 0: the expected case alone (default: the file's)")
	f.Uint64Var(&in.seed, "seed", 0, "where the random numbers begin (default: the file's)")
	f.IntVar(&in.workers, "workers", 0, "paths that go side by side (default: the cores)")
}

func (c *console) study(ctx context.Context, path string, in flags) error {
	if in.format == "xlsx" && in.out == "" {
		return c.BadInput("a workbook is not text: say where it goes with --out %s.xlsx", strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	}
	f, r, err := c.run(ctx, path, in)
	if err != nil {
		return err
	}
	return c.to(in.out, func(w io.Writer) error {
		switch in.format {
		case "json":
			return writeJSON(w, r)
		case "html":
			return c.Engine.HTML(w, r)
		case "xlsx":
			if c.Engine.Sheet == nil {
				return c.BadInput("this build writes no workbooks: choose html or json")
			}
			return c.Engine.Sheet(w, f, r)
		}
		printReport(w, r)
		return nil
	})
}

// run reads a study file and runs it.
func (c *console) run(ctx context.Context, path string, in flags) (*input.File, *study.Report, error) {
	if in.set("paths") && (in.paths < 0 || in.paths > maxPaths) {
		return nil, nil, c.BadInput("--paths: %d is not from 0 to %d", in.paths, maxPaths)
	}
	f, err := c.load(path)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range f.Warnings {
		fmt.Fprintf(c.Err, "warning: %s\n", w.Error())
	}
	o := Wish{Version: c.Version, Command: in.command(path), Workers: in.workers}
	if in.set("paths") {
		o.Paths = &in.paths
	}
	if in.set("seed") {
		o.Seed = &in.seed
	}
	line := c.Progress()
	o.Progress = func(what string, done, total int) { line.Tell("%s: %d of %d", what, done, total) }
	r, err := c.Engine.Run(ctx, f, o)
	line.Done()
	if err != nil {
		return nil, nil, fmt.Errorf("study %s: %w", path, err)
	}
	return f, r, nil
}

// maxPaths bounds what a flag asks for, as the study file's own paths are bounded.
const maxPaths = 200_000

// load reads and checks a study file.
func (c *console) load(path string) (*input.File, error) {
	f, err := c.Engine.Load(path)
	var faults strictyaml.Faults
	switch {
	case errors.As(err, &faults):
		return nil, err
	case errors.Is(err, os.ErrNotExist):
		return nil, c.BadInput("%w; `switchyard study init %s` writes one to begin with", err, path)
	case err != nil:
		return nil, c.BadInput("%w", err)
	}
	return f, nil
}

// command is the command line that gives the same report.
func (in flags) command(path string) string {
	args := []string{"switchyard", "study", quoted(path)}
	if in.set("paths") {
		args = append(args, "--paths", strconv.Itoa(in.paths))
	}
	if in.set("seed") {
		args = append(args, "--seed", strconv.FormatUint(in.seed, 10))
	}
	return strings.Join(args, " ")
}

// quoted puts a word into quotation marks where a shell would take it apart.
func quoted(s string) string {
	if strings.ContainsAny(s, " \t\n\"'\\$&|;<>()*?[]#~`") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// to writes to a file that is whole or not there, or to standard output where path is empty.
func (c *console) to(path string, write func(io.Writer) error) error {
	if path == "" {
		var b bytes.Buffer // nothing is printed of what did not succeed
		if err := write(&b); err != nil {
			return err
		}
		if _, err := c.Out.Write(b.Bytes()); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		return nil
	}
	if err := wholefile.Write(path, write); err != nil {
		return err
	}
	fmt.Fprintf(c.Err, "The report is in %s.\n", path)
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}
