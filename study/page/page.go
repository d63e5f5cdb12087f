package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"switchyard/study"
)

//go:embed page.html
var pageText string

//go:embed compare.html
var compareText string

//go:embed style.html
var styleText string

//go:embed method.html
var methodText string

// Write writes the report as one HTML page, which holds all it needs and runs no script.
func Write(w io.Writer, r *study.Report) error {
	return write(w, pageText, viewOf(r))
}

// Compare writes two or more reports side by side as one HTML page, in the order given.
func Compare(w io.Writer, rs []*study.Report) error {
	if len(rs) < 2 {
		return fmt.Errorf("compare studies: there are %d; give two or more", len(rs))
	}
	return write(w, compareText, compareOf(rs))
}

func write(w io.Writer, text string, data any) error {
	t := template.New("page").Funcs(template.FuncMap{
		"money": money, "ratio": func(v *float64) string { return optional(v, ratio) }, "million": million, "group": group, "list": list, "join": strings.Join,
		"count": func(n int) string { return group(float64(n), 0) },
		"inc":   func(n int) int { return n + 1 },
	})
	for _, part := range []string{styleText, methodText, text} {
		if _, err := t.Parse(part); err != nil {
			return fmt.Errorf("read the page's template: %w", err)
		}
	}
	return t.Execute(w, data)
}
