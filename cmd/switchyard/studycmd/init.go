package studycmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/study/draft"
	"switchyard/study/figure"
)

type initFlags struct {
	site, format string
	days         int
	force        bool
}

func (c *console) initCmd() *cobra.Command {
	in := initFlags{format: "text"}
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a study file from the site as it is",
		Long: `Write a commented study file to FILE, by default study.yaml. With --site it is made from the site
file and what its store has measured; where a controller was named (--url, $SWITCHYARD_URL or a
token), from what that one says. Each figure tells where it comes from; those that nobody told are
marked assumptions. With neither it is an example. An existing file stays as it is, unless --force.`,
		Example: "  switchyard study init --site site.yaml\n  switchyard study init study.yaml --url http://127.0.0.1:8418 --token-file token",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "study.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			return c.init(cmd.Context(), path, in)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.site, "site", "", "the site file to begin with")
	f.IntVar(&in.days, "days", 30, "how many days of the record to look at")
	f.BoolVar(&in.force, "force", false, "replace an existing file")
	f.VarP(c.Choice(&in.format, "text", "json"), "output", "o", "what is printed: text or json")
	return cmd
}

// told is what init says once it is done.
type told struct {
	File     string   `json:"file"`
	Sources  []string `json:"sources"`
	Measured int      `json:"measured"`
	Contract int      `json:"contract"`
	Assumed  int      `json:"assumptions"`
}

func (c *console) init(ctx context.Context, path string, in initFlags) error {
	if in.days < 1 || in.days > 366 {
		return c.BadInput("--days: %d is not from 1 to 366", in.days)
	}
	out := told{File: path, Sources: []string{}}
	data := c.Engine.Example()
	if in.site != "" || c.Named() {
		s, sources, err := c.gather(ctx, path, in)
		if err != nil {
			return err
		}
		if data, err = draft.Write(s); err != nil {
			return err
		}
		out.Sources = sources
	}
	if err := c.WriteNew(path, data, in.force); err != nil {
		return err
	}
	text := string(data)
	out.Measured = strings.Count(text, "from: "+string(figure.Measured))
	out.Contract = strings.Count(text, "from: "+string(figure.Contract))
	out.Assumed = strings.Count(text, "from: "+string(figure.Assumption))
	if in.format == "json" {
		return writeJSON(c.Out, out)
	}
	if len(out.Sources) == 0 {
		fmt.Fprintf(c.Out, "%s is written, an example: nobody named a site. With --site site.yaml it is made from yours.\n", path)
	} else {
		fmt.Fprintf(c.Out, "%s is written from %s: %s measured, %d by contract, %s left to replace.\n", path, strings.Join(out.Sources, " and "),
			count(out.Measured, "figure"), out.Contract, count(out.Assumed, "assumption"))
	}
	fmt.Fprintf(c.Out, "Look at it, then: switchyard study check %s\n", quoted(path))
	return nil
}

// gather makes a draft from the site file with its record, the controller, or both: what the
// controller measured comes before the file's own figures.
func (c *console) gather(ctx context.Context, path string, in initFlags) (draft.Site, []string, error) {
	var p *plant
	var sources []string
	if in.site != "" {
		f, err := c.Load(in.site)
		if err != nil {
			return draft.Site{}, nil, err
		}
		now := time.Now()
		if c.Now != nil {
			now = c.Now(f)
		}
		p = fromFile(f, filepath.Base(in.site), now)
		if err := p.contracts(f); err != nil {
			return draft.Site{}, nil, err
		}
		p.market(f, filepath.Dir(path))
		sources = append(sources, filepath.Base(in.site))
		if err := c.stored(ctx, p, f, in.days); err != nil {
			p.notes = append(p.notes, "Nothing is measured in it: "+oneLine(err)+".")
		} else if p.record != nil {
			sources = append(sources, p.record.source)
		}
	}
	if c.Named() {
		live, err := c.asked(ctx, in.days)
		switch {
		case err != nil && p == nil:
			return draft.Site{}, nil, err
		case err != nil:
			fmt.Fprintf(c.Err, "The controller was not asked: %s\n", oneLine(err))
		case p == nil:
			p, sources = live, []string{"the running site"}
		default:
			if p.takeUp(live) {
				sources = append(sources, "the running site")
			}
		}
	}
	s, err := p.draft()
	if errors.Is(err, errNoMiners) {
		return s, nil, c.BadInput("%w; without --site an example is written", err)
	}
	return s, sources, err
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
