package iso

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// budget is what may still be unpacked.
type budget struct {
	bytes   int64
	members int
	depth   int
}

// unpack hands over each plain document that data is or holds. What unpacks to more than the
// budget is refused, whatever its headers say of its size.
func unpack(name string, data []byte, left *budget, each func(name string, doc []byte) error) error {
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("PK\x05\x06")):
		return unzip(name, data, left, each)
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("%s: it begins as gzip does and cannot be unpacked: %w", name, err)
		}
		doc, err := left.read(z)
		if err != nil {
			return fmt.Errorf("%s: unpack: %w", name, err)
		}
		return each(strings.TrimSuffix(name, ".gz"), doc)
	}
	return each(name, bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")))
}

func unzip(name string, data []byte, left *budget, each func(name string, doc []byte) error) error {
	if left.depth >= 2 {
		return fmt.Errorf("%s: archives within archives go deeper than 2", name)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%s: it begins as a zip archive does and cannot be opened: %w", name, err)
	}
	left.depth++
	defer func() { left.depth-- }()
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if left.members--; left.members < 0 {
			return fmt.Errorf("%s: the archive has more than %d files", name, maxMembers)
		}
		in, err := f.Open()
		if err != nil {
			return fmt.Errorf("%s: unpack %.60q: %w", name, f.Name, err)
		}
		doc, err := left.read(in)
		in.Close()
		if err != nil {
			return fmt.Errorf("%s: unpack %.60q: %w", name, f.Name, err)
		}
		if err := unpack(path.Base(f.Name), doc, left, each); err != nil {
			return err
		}
	}
	return nil
}

var errBomb = errors.New("it unpacks to more than is allowed")

func (b *budget) read(in io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(in, b.bytes+1))
	if b.bytes -= int64(len(doc)); b.bytes < 0 {
		return nil, errBomb
	}
	return doc, err
}

// page says whether a document is a web page. XML reports are none.
func page(doc []byte) bool {
	head := bytes.ToLower(bytes.TrimSpace(doc[:min(len(doc), 1024)]))
	if !bytes.HasPrefix(head, []byte("<")) {
		return false
	}
	for bytes.HasPrefix(head, []byte("<!--")) {
		_, rest, _ := bytes.Cut(head, []byte("-->"))
		head = bytes.TrimSpace(rest)
	}
	return bytes.HasPrefix(head, []byte("<!doctype")) || bytes.HasPrefix(head, []byte("<html")) ||
		bytes.HasPrefix(head, []byte("<head")) || bytes.HasPrefix(head, []byte("<body")) || bytes.Contains(head, []byte("<html"))
}
