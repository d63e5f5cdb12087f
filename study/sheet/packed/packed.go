// Package packed owns the order in which a workbook's parts are packed.
//
// It never reads or changes what they say.
//
// Concurrency: Write is a pure function.
package packed

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// contentTypes is the part of a workbook that says what the others are; some readers want it first.
const contentTypes = "[Content_Types].xml"

var contentType = regexp.MustCompile(`<(?:Default|Override)[^>]*?(?:/>|></(?:Default|Override)>)`)

// Write writes a workbook with its parts in one order, whatever the order in which the library kept them:
// so the same study is the same bytes.
func Write(w io.Writer, book []byte) error {
	in, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		return fmt.Errorf("read what was packed: %w", err)
	}
	first := func(name string) int {
		if name == contentTypes {
			return 0
		}
		return 1
	}
	slices.SortFunc(in.File, func(a, b *zip.File) int {
		return cmp.Or(first(a.Name)-first(b.Name), strings.Compare(a.Name, b.Name))
	})
	out := zip.NewWriter(w)
	for _, f := range in.File {
		if f.Name == contentTypes {
			err = sortTypes(out, f)
		} else {
			err = out.Copy(f)
		}
		if err != nil {
			return fmt.Errorf("pack %s: %w", f.Name, err)
		}
	}
	return out.Close()
}

// sortTypes puts the part's lines in order.
func sortTypes(out *zip.Writer, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	types := contentType.FindAllString(string(data), -1)
	slices.Sort(types)
	i := 0
	sorted := contentType.ReplaceAllStringFunc(string(data), func(string) string {
		i++
		return types[i-1]
	})
	w, err := out.Create(f.Name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, sorted)
	return err
}
