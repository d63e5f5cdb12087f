package input

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"switchyard/strictyaml"
)

// The bounds of what a study reads, in bytes as they lie on the disk.
const (
	MaxSize   = 1 << 20  // of the study file
	MaxBeside = 64 << 20 // of each file that it names
)

// Load reads and checks the study file at path and the files that it names, which are sought
// beside it. It blocks on the disk. Where they have faults the error is a strictyaml.Faults with all
// of them.
func Load(path string) (*File, error) {
	data, err := readBounded(path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("read study: %w", err)
	}
	f, faults := Parse(path, data, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return readBounded(name, MaxBeside)
	})
	return f, faults.Err()
}

// readBounded reads at most one byte more than max, so that the caller sees what is too large.
func readBounded(path string, most int64) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, most+1))
}

// Parse checks data, the content of the study file called name. What the file names it asks read for,
// by the name as written; with a nil read such a name is a fault. Without faults the File has a
// figure wherever a study needs one. Parse itself never touches the disk.
func Parse(name string, data []byte, read func(path string) ([]byte, error)) (*File, strictyaml.Faults) {
	if len(data) > MaxSize {
		return nil, strictyaml.Faults{{
			File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has more than the %d bytes allowed", MaxSize),
			Suggestion: "a study is a few pages, and its hourly prices a file of their own: is this the right file?",
		}}
	}
	f := &File{Name: filepath.Base(name)}
	doc, faults := strictyaml.Decode(name, data, f)
	if doc.Faulty("") && !doc.Has("study") && !doc.Has("site") {
		return nil, faults // no YAML, or no study: the checks would only add noise
	}
	l := &loader{doc: doc, f: f, read: read, sum: sha256.New(), data: data}
	l.hash(data)
	if l.bounded() {
		l.setDefaults()
		l.check()
		l.gather()
		for _, f := range l.after {
			f()
		}
	}
	if all := append(faults, l.faults...).Sorted(); len(all) > 0 {
		return nil, all
	}
	f.Warnings = l.warnings.Sorted()
	f.Hash = hex.EncodeToString(l.sum.Sum(nil))
	return f, nil
}

// loader holds what the reading of one study shares. It says nothing about a key that already
// has a fault, so that one slip gives one line.
type loader struct {
	doc              *strictyaml.Doc
	f                *File
	read             func(path string) ([]byte, error)
	sum              hash.Hash
	data             []byte
	faults, warnings strictyaml.Faults
	after            []func() // once every figure has its provenance
}

// hash adds a file; its length goes before it, so that no two sets of files look alike.
func (l *loader) hash(data []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(data)))
	l.sum.Write(n[:])
	l.sum.Write(data)
}

func (l *loader) fault(path, suggestion, format string, args ...any) {
	if !l.doc.Faulty(path) {
		l.faults = append(l.faults, l.doc.Fault(path, suggestion, format, args...))
	}
}

func (l *loader) warn(path, suggestion, format string, args ...any) {
	l.warnings = append(l.warnings, l.doc.Fault(path, suggestion, format, args...))
}

// beside reads the file that the key at path names; nil after a fault.
func (l *loader) beside(path, name string) []byte {
	if l.read == nil {
		l.fault(path, "leave the key out here", "%q cannot be read: files beside a study are not read here", name)
		return nil
	}
	data, err := l.read(name)
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.fault(path, "the path is taken from the study file's folder", "there is no file %q", name)
	case errors.As(err, &p):
		l.fault(path, "", "%q cannot be read: %v", name, p.Err)
	case err != nil:
		l.fault(path, "", "%q cannot be read: %v", name, err)
	case len(data) > MaxBeside:
		l.fault(path, "", "%q has more than the %d bytes allowed", name, MaxBeside)
	default:
		l.hash(data)
		return data
	}
	return nil
}
