package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"switchyard/notify"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

// noticeOut is one notice of a site file and what came of it.
type noticeOut struct {
	Name  string `json:"name"`
	Level string `json:"level"`
	URL   string `json:"url"` // the reference, never the address
	OK    bool   `json:"ok"`
	Text  string `json:"text,omitempty"` // what is wrong
	Sent  bool   `json:"sent"`
}

func (c *cli) notifyCmd() *cobra.Command {
	var test bool
	cmd := &cobra.Command{
		Use:   "notify FILE [NAME...]",
		Short: "Check who is told of alerts, or send a test message",
		Long: `Check the notices of a site file: whether the secret behind each can be read, and whether it
is an address. With --test each is sent a message, or those that are named. No controller need
run; the secrets are read here and now, so run it as the controller does: on its machine, as its
user, with its environment. The exit code is 1 where one of them does not work.`,
		Example: "  switchyard notify site.yaml\n  switchyard notify site.yaml night-shift --test",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.notify(cmd.Context(), args[0], args[1:], test)
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "send a message to each")
	return cmd
}

func (c *cli) notify(ctx context.Context, path string, only []string, test bool) error {
	f, err := loadSite(path)
	if err != nil {
		return err
	}
	names := make([]string, len(f.Notices))
	for i, n := range f.Notices {
		names[i] = n.Name
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return withCode(exitNotFound, "there is no notice %q in %s; %s", name, path, strictyaml.Suggest(name, names))
		}
	}
	send := notify.New(notify.Options{Site: f.Site.Name, Notices: f.Notices, Secret: f.Secret})
	out, ok := []noticeOut{}, true
	for _, n := range f.Notices {
		if len(only) > 0 && !slices.Contains(only, n.Name) {
			continue
		}
		v := tryNotice(ctx, f, n, send, test)
		ok = ok && v.OK
		out = append(out, v)
	}
	if c.json() {
		if err := c.printJSON(out); err != nil {
			return err
		}
	} else {
		c.printNotices(out)
	}
	if !ok {
		return told(exitError)
	}
	return nil
}

func tryNotice(ctx context.Context, f *sitefile.File, n sitefile.Notice, send *notify.Notifier, test bool) noticeOut {
	v := noticeOut{Name: n.Name, Level: n.Level, URL: n.URL}
	if v.Level == "" {
		v.Level = "warning"
	}
	err := notify.CheckAddress(f.Secret, n.URL)
	if err == nil && test {
		err = send.Test(ctx, n.Name)
		v.Sent = err == nil
	}
	if v.OK = err == nil; err != nil {
		v.Text = err.Error()
	}
	return v
}

func (c *cli) printNotices(list []noticeOut) {
	if len(list) == 0 {
		c.say("The site file has no notices: nobody is told of alerts.")
		return
	}
	g := newGrid("notice", "from level", "address", "")
	for _, v := range list {
		text := v.Text
		switch {
		case v.Sent:
			text = "a test message was taken"
		case v.OK:
			text = "ok; --test sends a message"
		}
		g.add(v.Name, v.Level, v.URL, text)
	}
	g.print(c.out, 0)
}
