package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/agentcmd"
)

// cli is one run of the command line.
type cli struct {
	out, err io.Writer
	env      func(string) string
	terminal bool      // err is a terminal
	in       io.Reader // a person at a terminal who can be asked; nil: nobody

	format    string // of the output: text or json
	url       string
	tokenFile string
	started   bool // the command's own work has begun: errors before are of the flags
}

// The groups of commands in the help.
const (
	groupStart   = "start"
	groupOperate = "operate"
	groupFleet   = "fleet"
	groupTools   = "tools"
)

// run carries out the arguments and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !c.started {
		err = badInput("%w; see `%s --help`", err, cmd.CommandPath())
	}
	if text := message(err); text != "" {
		fmt.Fprintf(c.err, "switchyard: %s\n", text)
	}
	return exitCode(err)
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "switchyard",
		Short: "Run a compute site: miners, AI tenants and the grid on one connection",
		Long: "Switchyard gives each megawatt of a site to the use that pays best, inside every limit\n" +
			"and every contract, makes the devices obey, proves that they did, and bills whoever used it.\n\n" +
			"Begin with `switchyard demo`, or with `switchyard init` for a site of your own.",
		SilenceUsage: true, SilenceErrors: true, Version: version,
		Args: cobra.ArbitraryArgs, RunE: onlyCommands,
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetVersionTemplate("switchyard {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.VarP(&choice{&c.format, []string{"text", "json"}}, "output", "o", "what is printed on standard output: text or json")
	flags.StringVar(&c.url, "url", "", "the controller's address (default $SWITCHYARD_URL, else "+defaultURL+")")
	flags.StringVar(&c.tokenFile, "token-file", "", "file that holds the token (default: $SWITCHYARD_TOKEN)")
	c.format = "text"
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "A site:"},
		&cobra.Group{ID: groupOperate, Title: "A running controller:"},
		&cobra.Group{ID: groupFleet, Title: "Its devices:"},
		&cobra.Group{ID: groupTools, Title: "Tools:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, k := range cmds {
			k.GroupID = group
			root.AddCommand(k)
		}
	}
	add(groupStart, c.demoCmd(), c.initCmd(), c.checkCmd(), c.runCmd(), c.notifyCmd(), c.emulateCmd())
	add(groupOperate, c.statusCmd(), c.whyCmd(), c.signalsCmd(), c.limitCmd(), c.limitsCmd(), c.curtailCmd(), c.holdCmd(), c.releaseCmd(), c.reportCmd(), c.invoiceCmd())
	add(groupOperate, c.usageCommands()...)
	add(groupFleet, c.deviceCommands()...)
	add(groupTools, c.scanCmd(), c.clearCmd(), c.scheduleCmd(), c.backtestCmd(), c.studyCmd(), c.contractCmd(), c.tokenCmd(), c.versionCmd(),
		agentcmd.Command(agentcmd.Console{Err: c.err, BadInput: badInput}))
	root.AddCommand(exitCodesTopic())
	c.watchStart(root)
	return root
}

// watchStart notes when a command's own work begins.
func (c *cli) watchStart(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil && !cmd.HasSubCommands() {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			c.started = true
			return run(cmd, args)
		}
	}
	for _, k := range cmd.Commands() {
		c.watchStart(k)
	}
}

// onlyCommands is the work of a command that has only commands below it.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("unknown command %q", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "switchyard "))
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return badInput("%s", text)
}

// json says whether the answer is to be printed as JSON.
func (c *cli) json() bool { return c.format == "json" }

// choice is a flag that takes one of a few words.
type choice struct {
	value   *string
	allowed []string
}

// String returns the value.
func (f *choice) String() string {
	if f.value == nil {
		return ""
	}
	return *f.value
}

// Set takes a word.
func (f *choice) Set(s string) error {
	if !slices.Contains(f.allowed, s) {
		return fmt.Errorf("choose %s", strings.Join(f.allowed, " or "))
	}
	*f.value = s
	return nil
}

// Type names the flag's kind for the help.
func (f *choice) Type() string { return strings.Join(f.allowed, "|") }
