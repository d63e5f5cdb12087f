package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"switchyard/notify"
	"switchyard/sitefile"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// checked is what check says of a site file.
type checked struct {
	File     string     `json:"file"`
	OK       bool       `json:"ok"`
	Faults   []faultOut `json:"faults"`
	Warnings []faultOut `json:"warnings"`
	Summary  *summary   `json:"summary,omitempty"`
}

type faultOut struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Key        string `json:"key"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
}

type summary struct {
	Site       string  `json:"site"`
	Nodes      int     `json:"nodes"`
	Meters     int     `json:"meters"`
	Groups     int     `json:"groups"`
	Miners     int     `json:"miners"`
	PDUs       int     `json:"pdus"`
	Outlets    int     `json:"outlets"` // of the PDUs, with a miner
	Tenants    int     `json:"tenants"`
	LimitW     float64 `json:"limit_w"` // of the connection
	NameplateW float64 `json:"nameplate_w"`
	FirmW      float64 `json:"firm_w"`
}

func (c *cli) checkCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a site file and name every fault",
		Long:    "Check a site file: every fault at once, each with its line, its key and what would be right.\nThe exit code is 2 where there are faults, 0 where there are none or only warnings. The addresses\nof notices are looked at as far as their secrets can be read here; a wrong one is a warning.",
		Example: "  switchyard check site.yaml",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.check(args[0]) },
	}
}

func (c *cli) check(path string) error {
	f, err := loadKnowing(path, sitefile.Known{Address: func(f *sitefile.File, ref string) error { return notify.CheckAddress(f.Secret, ref) }})
	var faults strictyaml.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	out := checked{File: path, OK: err == nil, Faults: faultsOut(faults), Warnings: []faultOut{}}
	if err == nil {
		out.Warnings = faultsOut(f.Warnings)
		out.Summary = summarise(f)
	}
	if c.json() {
		if err := c.printJSON(out); err != nil {
			return err
		}
	} else {
		c.printChecked(out, faults, f)
	}
	if !out.OK {
		return told(exitBadInput)
	}
	return nil
}

func (c *cli) printChecked(out checked, faults strictyaml.Faults, f *sitefile.File) {
	if !out.OK {
		for _, x := range faults {
			c.say("%s", x.Error())
		}
		c.say("%s", count(len(faults), "fault"))
		return
	}
	for _, w := range f.Warnings {
		c.say("warning: %s", w.Error())
	}
	s := out.Summary
	c.say("%s: ok, %s", out.File, count(len(f.Warnings), "warning"))
	c.say("  %s: %s with %s, limit %s at the connection", s.Site, count(s.Nodes, "node"), count(s.Meters, "meter"), unit.Watts(s.LimitW).Short())
	c.say("  %s with %s, %s nameplate", count(s.Groups, "group"), count(s.Miners, "miner"), unit.Watts(s.NameplateW).Short())
	if s.PDUs > 0 {
		c.say("  %s with %s that feed miners", count(s.PDUs, "PDU"), count(s.Outlets, "outlet"))
	}
	c.say("  %s, %s firm", count(s.Tenants, "tenant"), unit.Watts(s.FirmW).Short())
}

func faultsOut(fs strictyaml.Faults) []faultOut {
	out := make([]faultOut, 0, len(fs))
	for _, f := range fs {
		out = append(out, faultOut{File: f.File, Line: f.Line, Column: f.Column, Key: f.Path, Message: f.Message, Suggestion: f.Suggestion})
	}
	return out
}

func summarise(f *sitefile.File) *summary {
	s := &summary{
		Site: f.Site.Name, Nodes: 1 + len(f.Nodes), Groups: len(f.Groups), PDUs: len(f.PDUs), Tenants: len(f.Tenants), LimitW: f.Connection.Limit.Watts(),
	}
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		if n.Meter != nil {
			s.Meters++
		}
	}
	var nameplate, firm unit.Power
	for _, g := range f.Groups {
		n := len(g.Targets())
		s.Miners += n
		nameplate += unit.Power(n) * g.Nameplate
	}
	for _, u := range f.PDUs {
		s.Outlets += len(u.Outlets)
	}
	for _, t := range f.Tenants {
		firm += t.Firm
	}
	s.NameplateW, s.FirmW = nameplate.Watts(), firm.Watts()
	return s
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
