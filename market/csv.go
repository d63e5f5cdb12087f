package market

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/market/lines"
	"switchyard/strictyaml"
)

// The bounds of what is read from a file. Beyond them the rest of the file is left out, and
// a problem says so.
const (
	maxFileBytes = 512 << 20 // after decompression
	maxLine      = 64 << 10
	maxRows      = 2_000_000 // 5-minute rows of 19 years
	maxProblems  = 50        // told one by one; the rest are counted
)

// problems gathers what is wrong in a file: the first ones in words, the rest as a number.
type problems struct {
	name  string
	told  []string
	count int
}

func (p *problems) add(line int, format string, args ...any) {
	if p.count++; p.count <= maxProblems {
		p.told = append(p.told, fmt.Sprintf("%s:%d: ", p.name, line)+fmt.Sprintf(format, args...))
	}
}

func (p *problems) list() []string {
	out := slices.Clone(p.told)
	if more := p.count - len(p.told); more > 0 {
		out = append(out, fmt.Sprintf("%s: and %d more bad lines", p.name, more))
	}
	return out
}

// openMaybeGzip opens a file, and unpacks it if it begins as gzip does.
func openMaybeGzip(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	plain, err := lines.Unpack(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("unpack %s: %w", path, err)
	}
	return readCloser{plain, f}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// errSkip ends the reading of a file early.
var errSkip = errors.New("enough")

// readCSV calls header with the columns of the first line, and then each with the fields of
// every other line and its number. An error of header ends it; what each finds wrong in a
// line becomes a problem, and the line is skipped. A file that breaks off keeps what was read.
func readCSV(in io.Reader, p *problems, header func([]string) error, each func(line int, fields []string) error) error {
	scan := bufio.NewScanner(io.LimitReader(in, maxFileBytes))
	scan.Buffer(make([]byte, 0, 4096), maxLine)
	n, headed := 0, false
	var fields []string
	for scan.Scan() {
		n++
		text := strings.TrimSuffix(scan.Text(), "\r")
		if n == 1 {
			text = strings.TrimPrefix(text, "\uFEFF")
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if !headed && strings.HasPrefix(strings.TrimSpace(text), "<") {
			return fmt.Errorf("%s:%d: it is a web page (HTML) and not a CSV", p.name, n)
		}
		var sound bool
		if fields, sound = lines.Split(text, fields[:0]); !sound {
			p.add(n, "the quotes do not match")
			continue
		}
		if !headed {
			if err := header(fields); err != nil {
				return fmt.Errorf("%s:%d: %w", p.name, n, err)
			}
			headed = true
			continue
		}
		err := each(n, fields)
		if errors.Is(err, errSkip) {
			p.add(n, "the rest is left out: more than %d rows", maxRows)
			return nil
		}
		if err != nil {
			p.add(n, "%v", err)
		}
	}
	if err := scan.Err(); err != nil {
		p.add(n+1, "the rest is left out: %v", err)
	}
	if !headed {
		return fmt.Errorf("%s: there is no header line", p.name)
	}
	return nil
}

// column finds a column by its name, or the first whose name holds one of the parts, the
// first part first.
func column(header []string, name string, parts ...string) (int, error) {
	if name != "" {
		for i, h := range header {
			if strings.EqualFold(h, name) {
				return i, nil
			}
		}
		return 0, fmt.Errorf("there is no column %q; %s", name, strictyaml.Suggest(name, header))
	}
	for _, part := range parts {
		for i, h := range header {
			if strings.Contains(strings.ToLower(h), part) {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("no column's name holds %q; the columns are %s", parts[len(parts)-1], strings.Join(header, ", "))
}

// field returns the i-th field; an error where the line is too short.
func field(fields []string, i int, what string) (string, error) {
	if i >= len(fields) {
		return "", fmt.Errorf("the line has %d fields and no %s", len(fields), what)
	}
	if fields[i] == "" {
		return "", fmt.Errorf("the %s is empty", what)
	}
	return fields[i], nil
}

func number(fields []string, i int, what string) (float64, error) {
	s, err := field(fields, i, what)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v > 1e300 || v < -1e300 {
		return 0, fmt.Errorf("the %s %.40q is not a number", what, s)
	}
	return v, nil
}

// seen remembers the line of every start, in Unix seconds, to tell of those that stand twice.
type seen map[int64]int

func (s seen) check(start int64, line int, p *problems) {
	if first, twice := s[start]; twice {
		p.add(line, "%s stands twice, first on line %d: this line counts", stamp(time.Unix(start, 0)), first)
	}
	s[start] = line
}

func base(path string) string { return filepath.Base(path) }
