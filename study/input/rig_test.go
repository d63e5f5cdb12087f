package input

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchyard/strictyaml"
)

// shared returns the path of a file of public market data beside the project.
func shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs shared/data/%s beside the project", name)
	}
	return path
}

// hourly is a file of n hours from 2026, each at the price.
func hourly(n int, price float64) string {
	var b strings.Builder
	b.WriteString("interval_start,price\n")
	for i := range n {
		fmt.Fprintf(&b, "%s,%g\n", time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339), price)
	}
	return b.String()
}

// pointers calls each for every figure of a study, by the path of its key.
func pointers(path string, v any, each func(path string, isNil bool)) {
	walkPointers(path, reflect.ValueOf(v).Elem(), each)
}

func walkPointers(path string, v reflect.Value, each func(path string, isNil bool)) {
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		child, field := strictyaml.Join(path, key), v.Field(i)
		switch {
		case field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct:
			if _, is := field.Type().Elem().FieldByName("From"); is && field.Type().Elem().PkgPath() == "switchyard/study/figure" {
				each(child, field.IsNil())
			} else if !field.IsNil() {
				walkPointers(child, field.Elem(), each)
			}
		case field.Kind() == reflect.Struct:
			walkPointers(child, field, each)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				walkPointers(fmt.Sprintf("%s[%d]", child, j), field.Index(j), each)
			}
		}
	}
}
