package input

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"switchyard/strictyaml"
	"switchyard/study/figure"
)

// source is a provenance that figures below inherit.
type source struct {
	from figure.Origin
	text string
}

// gather lists every figure that the file gives, with its provenance; a figure that says
// nothing itself takes what the mapping about it says, or else counts as an assumption.
func (l *loader) gather() {
	var bare []string
	l.walk("", reflect.ValueOf(l.f).Elem(), source{}, &bare)
	slices.SortStableFunc(l.f.Given, func(a, b Provenance) int { return cmp.Compare(a.Line, b.Line) })
	if len(bare) == 0 {
		return
	}
	const right = "write from: and source: beside it, or once in the mapping about it"
	if len(bare) == 1 {
		l.warn(bare[0], right, "a figure says not where it comes from and counts as an assumption: %s", bare[0])
		return
	}
	shown := strings.Join(bare[:min(len(bare), 5)], ", ")
	if more := len(bare) - 5; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	l.warn("", right, "%d figures say not where they come from and count as assumptions: %s", len(bare), shown)
}

// decision says of a key that its figures are no facts but what is to be tried, or the study's own size.
func decision(path string) bool {
	return slices.Contains([]string{"options", "scenarios", "years", "paths", "seed", "start"}, path)
}

func (l *loader) walk(path string, v reflect.Value, from source, bare *[]string) {
	from = from.of(v)
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		child := strictyaml.Join(path, key)
		if key == "" || key == "-" || decision(child) || !l.doc.Has(child) {
			continue
		}
		field := v.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				continue
			}
			field = field.Elem()
		}
		switch {
		case isFigure(field):
			l.give(child, field, from, bare)
		case field.Kind() == reflect.Struct:
			l.walk(child, field, from, bare)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				l.walk(fmt.Sprintf("%s[%d]", child, j), field.Index(j), from, bare)
			}
		case isQuantity(field.Type()) || field.Kind() == reflect.Slice && isQuantity(field.Type().Elem()):
			l.list(child, printed(field.Interface()), from, bare)
		}
	}
}

// of is the provenance that holds inside v.
func (s source) of(v reflect.Value) source {
	for i := range v.NumField() {
		switch t := v.Type().Field(i); {
		case t.Tag.Get("yaml") == "from" && t.Type == reflect.TypeFor[figure.Origin]() && v.Field(i).String() != "":
			s.from = figure.Origin(v.Field(i).String())
		case t.Tag.Get("yaml") == "source" && v.Field(i).String() != "":
			s.text = v.Field(i).String()
		}
	}
	return s
}

func isFigure(v reflect.Value) bool {
	return v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[figure.Origin]().PkgPath()
}

// isQuantity says that a plain value is a figure: all numbers are.
func isQuantity(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

// give lists a figure, and writes into it what it inherits.
func (l *loader) give(path string, v reflect.Value, inherited source, bare *[]string) {
	main := "p50"
	if v.FieldByName("Is").IsValid() {
		main = "is"
	}
	if (l.doc.Has(path+".from") || l.doc.Has(path+".source") || l.empty(path)) && !l.doc.Has(path+"."+main) {
		l.fault(path, fmt.Sprintf("write the figure as %s: beside its from: and source:", main), "there is no figure")
		return
	}
	s := source{}.of(v)
	if s.from == "" && s.text == "" {
		s = inherited
	}
	if s.from == "" {
		s.from = figure.Assumption
	}
	v.FieldByName("From").SetString(string(s.from))
	v.FieldByName("Source").SetString(s.text)
	l.list(path, valueOf(v), s, bare)
}

// empty says that a mapping without keys stands at path, which decodes to a zero.
func (l *loader) empty(path string) bool {
	line, column := l.doc.At(path)
	lines := strings.SplitN(string(l.data), "\n", line+1)
	if line > len(lines) {
		return false
	}
	text := lines[line-1]
	_, rest, found := strings.Cut(text[min(len(text), max(0, column-1)):], ":")
	rest = strings.TrimSpace(rest)
	return found && strings.HasPrefix(rest, "{") && strings.HasPrefix(strings.TrimSpace(rest[1:]), "}")
}

// valueOf prints a Figure or a Spread.
func valueOf(v reflect.Value) string {
	if is := v.FieldByName("Is"); is.IsValid() {
		return printed(is.Interface())
	}
	text := printed(v.FieldByName("P50").Interface())
	for _, end := range []string{"P10", "P90"} {
		if p := v.FieldByName(end); !p.IsNil() {
			text += fmt.Sprintf(", %s %s", end, printed(p.Elem().Interface()))
		}
	}
	return text
}

func (l *loader) list(path, value string, s source, bare *[]string) {
	line, _ := l.doc.At(path)
	if s.from == "" {
		s.from = figure.Assumption
	}
	if s.text == "" {
		*bare = append(*bare, path)
		s.text = "the file names no source"
	}
	l.f.Given = append(l.f.Given, Provenance{Path: path, Value: value, From: s.from, Source: s.text, Line: line})
}
