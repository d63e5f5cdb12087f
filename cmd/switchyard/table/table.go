// Package table owns how the command line prints tables for people.
//
// It never decides what stands in one, and never reads anything.
//
// Concurrency: a Table belongs to one goroutine.
package table

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a table for people. Columns named with a leading ">" are set to the right.
type Table struct {
	head []string
	rows [][]string
}

// New makes a table with the names of its columns.
func New(head ...string) *Table { return &Table{head: head} }

// Add adds a row.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Print writes the table with indent blanks before each line; an empty table writes nothing.
func (t *Table) Print(w io.Writer, indent int) {
	if len(t.rows) == 0 {
		return
	}
	right := make([]bool, len(t.head))
	width := make([]int, len(t.head))
	head := make([]string, len(t.head))
	for i, h := range t.head {
		head[i], right[i] = strings.CutPrefix(h, ">")
	}
	all := append([][]string{head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		line := strings.Repeat(" ", indent)
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line += "  "
			}
			if right[i] {
				line += pad + cell
			} else {
				line += cell + pad
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
