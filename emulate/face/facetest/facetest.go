// Package facetest owns the comparison of an emulated device's replies with replies that
// real devices gave.
//
// It never compares values: two devices differ in them. It is for tests only.
//
// Concurrency: plain functions, safe for concurrent use.
package facetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// Fixture reads a captured reply, such as "antminer-v2020/stats.json"; it skips the test
// where the folder is missing. The caller's folder is two below the root of the module.
func Fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "fixtures", "miners", filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared/fixtures/miners is missing")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Compare fails the test when got has not the keys and kinds of values of the fixture.
// extra names keys ("SUMMARY[].Power") that got may have and the fixture has not.
func Compare(t testing.TB, fixture string, got []byte, extra ...string) {
	t.Helper()
	var want, have any
	if err := json.Unmarshal(Fixture(t, fixture), &want); err != nil {
		t.Fatalf("%s: %v", fixture, err)
	}
	if err := json.Unmarshal(got, &have); err != nil {
		t.Fatalf("reply to compare with %s is not JSON: %v\n%s", fixture, err, got)
	}
	for _, d := range Differences(want, have, extra...) {
		t.Errorf("%s: %s", fixture, d)
	}
}

// Differences lists where the shape of have is not that of want. A null on either side
// fits everything; of lists all members of have are compared with the first of want that
// is of the same make.
func Differences(want, have any, extra ...string) []string {
	d := differ{extra: extra}
	d.compare("", want, have)
	return d.found
}

type differ struct {
	extra, found []string
}

func (d *differ) add(path, format string, args ...any) {
	d.found = append(d.found, strings.TrimPrefix(path, ".")+": "+fmt.Sprintf(format, args...))
}

func (d *differ) compare(path string, want, have any) {
	if want == nil || have == nil {
		return
	}
	if kind(want) != kind(have) {
		d.add(path, "is %s, on the device %s", kind(have), kind(want))
		return
	}
	switch w := want.(type) {
	case map[string]any:
		d.object(path, w, have.(map[string]any))
	case []any:
		h := have.([]any)
		if len(w) > 0 && len(h) == 0 {
			d.add(path, "is empty")
		}
		for i, one := range h {
			if len(w) > 0 {
				d.compare(path+"[]", w[min(i, len(w)-1)], one)
			}
		}
	}
}

func (d *differ) object(path string, want, have map[string]any) {
	for _, k := range keys(want) {
		if v, ok := have[k]; ok {
			d.compare(path+"."+k, want[k], v)
		} else {
			d.add(path+"."+k, "is missing")
		}
	}
	for _, k := range keys(have) {
		full := strings.TrimPrefix(path+"."+k, ".")
		if _, ok := want[k]; !ok && !slices.Contains(d.extra, full) {
			d.add(path+"."+k, "is not on the device")
		}
	}
}

func keys(m map[string]any) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	sort.Strings(all)
	return all
}

func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	}
	return "null"
}
