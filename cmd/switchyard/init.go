package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"switchyard/sitefile"
)

func (c *cli) initCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "init [FILE]",
		Short:   "Write a commented example of a site file",
		Long:    "Write a commented site file to FILE, by default site.yaml. An existing file stays as it is, unless --force.",
		Example: "  switchyard init north-creek.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "site.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			if err := writeNew(path, sitefile.Example(), force); err != nil {
				return err
			}
			if c.json() {
				return c.printJSON(map[string]string{"file": path})
			}
			c.say("%s is written. Make it your site's, then: switchyard check %s", path, path)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing file")
	return cmd
}

// writeNew writes a file that must not exist yet, unless force.
func writeNew(path string, data []byte, force bool) error {
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	out, err := os.OpenFile(path, mode, 0o644)
	if errors.Is(err, os.ErrExist) {
		return badInput("%s exists and stays as it is; name another file, or replace it with --force", path)
	}
	if err != nil {
		return fmt.Errorf("write the example: %w", err)
	}
	_, err = out.Write(data)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write the example: %w", err)
	}
	return nil
}
