package page

import (
	"io"

	"switchyard/study"
)

// Write writes the report as one HTML page, which holds all it needs and runs no script.
func Write(w io.Writer, r *study.Report) error { return nil }

// Compare writes two or more reports side by side as one HTML page, in the order given.
func Compare(w io.Writer, rs []*study.Report) error { return nil }
