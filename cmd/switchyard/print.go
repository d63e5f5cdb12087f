package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"switchyard/cmd/switchyard/progress"
	"switchyard/cmd/switchyard/table"
	"switchyard/unit"
)

// printJSON writes v to standard output.
func (c *cli) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// say writes a line to standard output.
func (c *cli) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// note writes a line to standard error.
func (c *cli) note(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// grid is a table for people.
type grid struct{ *table.Table }

func newGrid(head ...string) *grid { return &grid{table.New(head...)} }

func (g *grid) add(cells ...string) { g.Add(cells...) }

// print writes the table with indent blanks before each line; an empty table writes nothing.
func (g *grid) print(w io.Writer, indent int) { g.Print(w, indent) }

// power prints watts for people; nil is unknown.
func power(w *float64) string {
	if w == nil {
		return "?"
	}
	return unit.Watts(*w).Short()
}

// money prints a figure in dollars; nil is unknown.
func figure(v *float64, suffix string) string {
	if v == nil {
		return "unknown"
	}
	return strconv.FormatFloat(*v, 'f', 2, 64) + suffix
}

// progress tells on standard error how far something is.
func (c *cli) progress() *progress.Line { return progress.New(c.err, c.terminal) }
