// Package smi owns the GPUs of this machine as the program nvidia-smi shows them, for machines
// where NVML cannot be linked.
//
// It never knows a GPU's energy: nvidia-smi does not tell the counter, and power times time is
// for others to reckon. It never changes anything but power limits.
//
// Concurrency: a Driver's calls must not overlap; each blocks until nvidia-smi ended or its
// deadline ended it.
package smi

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Program is what is run where no other path is given.
const Program = "nvidia-smi"

const (
	maxOutput = 256 << 10 // bytes of one run
	maxGPUs   = 256
	// deadline of one run: it takes a second or more where persistence mode is off.
	deadline = 20 * time.Second
)

// fields are what is asked of each GPU, in the order of the columns.
const fields = "index,uuid,name,power.draw,power.limit,power.default_limit,power.min_limit,power.max_limit,utilization.gpu,temperature.gpu"

// The exit codes that say more than their text.
const (
	exitPermission = 4
	exitNoDriver   = 9
	exitNoLibrary  = 12
)

// Driver runs nvidia-smi.
type Driver struct {
	path    string
	timeout time.Duration
}

// Open finds nvidia-smi at path (empty: by the machine's PATH) and tries it once. Without it, or
// without a driver below it, the error wraps compute.ErrUnsupported and says what to do. It
// blocks on nvidia-smi.
func Open(ctx context.Context, path string) (*Driver, error) {
	if path == "" {
		path = Program
	}
	full, err := exec.LookPath(path)
	if err != nil {
		return nil, fmt.Errorf("no NVIDIA driver found: there is no program %s: install the driver's tools (nvidia-utils), or name the program with --nvidia-smi: %w", path, compute.ErrUnsupported)
	}
	d := &Driver{path: full, timeout: deadline}
	if _, err := d.GPUs(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Name is the driver's name.
func (d *Driver) Name() string { return "nvidia-smi" }

// Close does nothing.
func (d *Driver) Close() error { return nil }

// GPUs reads every GPU. When one that fell off the bus spoils the answer for all, each is asked
// alone. It blocks on nvidia-smi.
func (d *Driver) GPUs(ctx context.Context) ([]compute.GPU, error) {
	out, err := d.run(ctx, "--query-gpu="+fields, "--format=csv,noheader,nounits")
	if err == nil {
		return parse(out)
	}
	if errors.Is(err, compute.ErrUnsupported) || errors.Is(err, compute.ErrUnauthorized) || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	list, listErr := d.run(ctx, "-L")
	gpus := parseList(append(list, []byte(textOf(listErr))...))
	if len(gpus) == 0 {
		return nil, err
	}
	for i, g := range gpus {
		if len(g.Faults) > 0 {
			continue
		}
		out, err := d.run(ctx, "--id="+g.UUID, "--query-gpu="+fields, "--format=csv,noheader,nounits")
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		var one []compute.GPU
		if err == nil {
			one, err = parse(out)
		}
		switch {
		case err != nil:
			gpus[i].Faults = []string{"it does not answer: " + first(err.Error())}
		case len(one) == 1:
			gpus[i] = one[0]
		}
	}
	return gpus, nil
}

// SetLimit sets a GPU's power limit, in whole watts, rounded down. It blocks on nvidia-smi.
func (d *Driver) SetLimit(ctx context.Context, g compute.GPU, p unit.Power) error {
	id := g.UUID
	if id == "" {
		id = strconv.Itoa(g.Index)
	}
	if p < unit.Watt {
		return fmt.Errorf("a limit of %s cannot be: %w", p.Short(), compute.ErrRefused)
	}
	out, err := d.run(ctx, "--id="+id, "--power-limit="+strconv.FormatInt(int64(p/unit.Watt), 10))
	if err != nil {
		return err
	}
	// Some versions end well although they did nothing.
	if text := string(out); strings.Contains(text, "not supported") || strings.Contains(text, "not a valid") {
		return fmt.Errorf("nvidia-smi: %s: %w", first(text), compute.ErrRefused)
	}
	return nil
}

// bounded keeps the first bytes of an output and says when there were more.
type bounded struct {
	bytes.Buffer
	over bool
}

// Write takes p, and drops what is too much.
func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if room := maxOutput - b.Len(); n > room {
		p, b.over = p[:room], true
	}
	_, _ = b.Buffer.Write(p) // it never fails
	return n, nil
}

// failed is a run that ended badly, with what it wrote.
type failed struct {
	kind error
	text string
}

// Error prints what nvidia-smi said.
func (f *failed) Error() string { return fmt.Sprintf("nvidia-smi: %s: %v", first(f.text), f.kind) }

// Unwrap returns compute's error.
func (f *failed) Unwrap() error { return f.kind }

func textOf(err error) string {
	var f *failed
	if errors.As(err, &f) {
		return f.text
	}
	return ""
}

func (d *Driver) run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var out, bad bounded
	cmd := exec.CommandContext(ctx, d.path, args...)
	cmd.Stdout, cmd.Stderr = &out, &bad
	cmd.WaitDelay = time.Second // a child of its own may hold the pipes
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil && out.over:
		return nil, fmt.Errorf("nvidia-smi wrote more than %d bytes: %w", maxOutput, compute.ErrUnsupported)
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("nvidia-smi did not end within %s: the driver may hang, see `dmesg`: %w: %w", d.timeout, compute.ErrUnreachable, ctx.Err())
	case errors.As(err, &exit):
		return nil, ended(exit.ExitCode(), out.String()+bad.String())
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("run %s: it may not be run: %w", d.path, compute.ErrUnauthorized)
	}
	return nil, fmt.Errorf("run %s: %w: %w", d.path, err, compute.ErrUnreachable)
}

func ended(code int, text string) error {
	switch {
	case code == exitPermission, strings.Contains(text, "nsufficient permission"), strings.Contains(text, "does not have permission"):
		return &failed{compute.ErrUnauthorized, "run the agent as root: only root may set power limits: " + first(text)}
	case code == exitNoDriver, code == exitNoLibrary, strings.Contains(text, "couldn't communicate with the NVIDIA driver"):
		return &failed{compute.ErrUnsupported, "no NVIDIA driver found: install it or load its module (modprobe nvidia): " + first(text)}
	case strings.Contains(text, "No devices were found"):
		return &failed{compute.ErrUnsupported, "the NVIDIA driver sees no GPU: " + first(text)}
	}
	if strings.TrimSpace(text) == "" {
		text = fmt.Sprintf("it ended with code %d and said nothing", code)
	}
	return &failed{compute.ErrRefused, text}
}

func first(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if len(line) > 200 {
		line = line[:200] + "…"
	}
	return strings.ToValidUTF8(line, "")
}

// parse reads the CSV of --query-gpu. A figure that is not known is told as [N/A],
// [Not Supported], [Unknown Error] or ERR!; a GPU that tells [GPU is lost] has a fault.
func parse(out []byte) ([]compute.GPU, error) {
	if len(out) > maxOutput {
		return nil, fmt.Errorf("nvidia-smi wrote more than %d bytes: %w", maxOutput, compute.ErrUnsupported)
	}
	r := csv.NewReader(bytes.NewReader(out))
	r.TrimLeadingSpace, r.LazyQuotes = true, true
	r.FieldsPerRecord = strings.Count(fields, ",") + 1
	rows, err := r.ReadAll()
	switch {
	case err != nil:
		return nil, fmt.Errorf("nvidia-smi's answer is not the table that was asked for: %w: %w", err, compute.ErrUnsupported)
	case len(rows) == 0 || len(rows) > maxGPUs:
		return nil, fmt.Errorf("nvidia-smi tells of %d GPUs: %w", len(rows), compute.ErrUnsupported)
	}
	var all []compute.GPU
	seen := map[int]bool{}
	for i, row := range rows {
		g, err := parseRow(row)
		if err == nil && seen[g.Index] {
			err = fmt.Errorf("the index %d is there twice", g.Index)
		}
		if err != nil {
			return nil, fmt.Errorf("nvidia-smi's answer, line %d: %w: %w", i+1, err, compute.ErrUnsupported)
		}
		seen[g.Index] = true
		all = append(all, g)
	}
	return all, nil
}

func parseRow(row []string) (compute.GPU, error) {
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	index, err := strconv.Atoi(row[0])
	if err != nil || index < 0 || index >= maxGPUs {
		return compute.GPU{}, fmt.Errorf("%q is no index", row[0])
	}
	g := compute.GPU{Index: index, Model: known(row[2])}
	if g.UUID = known(row[1]); g.UUID != "" && !strings.HasPrefix(g.UUID, "GPU-") {
		return compute.GPU{}, fmt.Errorf("%q is no UUID", g.UUID)
	}
	for _, c := range row[1:] {
		if strings.Contains(c, "GPU is lost") {
			g.Faults = []string{"lost from the bus: it needs a reset or a reboot"}
			return g, nil
		}
	}
	var use site.Opt[float64]
	for i, into := range []*site.Opt[unit.Power]{&g.Power, &g.Limit, &g.Default, &g.Least, &g.Most} {
		v, err := figure(row[3+i], 0, 1e5)
		if err != nil {
			return compute.GPU{}, err
		}
		if v.OK {
			*into = site.Some(unit.Watts(v.V))
		}
	}
	if use, err = figure(row[8], 0, 100); err == nil {
		g.Temp, err = figure(row[9], -100, 300)
	}
	if use.OK {
		g.Use = site.Some(use.V / 100)
	}
	return g, err
}

// known drops what nvidia-smi writes where it does not know.
func known(s string) string {
	if s == "" || strings.HasPrefix(s, "[") || s == "N/A" || s == "ERR!" || strings.HasPrefix(s, "Unknown") {
		return ""
	}
	return s
}

func figure(s string, least, most float64) (site.Opt[float64], error) {
	if s = known(s); s == "" {
		return site.Opt[float64]{}, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= least && v <= most) {
		return site.Opt[float64]{}, fmt.Errorf("%q is no figure between %g and %g", s, least, most)
	}
	return site.Some(v), nil
}

// line is a GPU in the list of `nvidia-smi -L`; off is one that cannot be reached, which some
// versions tell without an index.
var (
	line = regexp.MustCompile(`^GPU (\d{1,3}): (.{1,100}?) \(UUID: (GPU-[0-9a-fA-F-]{1,64})\)`)
	off  = regexp.MustCompile(`^Unable to determine the device handle for (?i:gpu) ?(\d{0,3}):? ?([0-9A-Fa-f:.]*): (.{1,200})$`)
)

// parseList reads the list of GPUs. A GPU that is off the bus has a line without a UUID: it
// takes the first index that no other has.
func parseList(out []byte) []compute.GPU {
	var all []compute.GPU
	var faults []string
	seen := map[int]bool{}
	for s := range strings.Lines(string(out)) {
		if s = strings.TrimSpace(s); len(all) >= maxGPUs {
			break
		}
		if m := line.FindStringSubmatch(s); m != nil {
			index, _ := strconv.Atoi(m[1]) // the pattern has digits only
			if !seen[index] {
				seen[index] = true
				all = append(all, compute.GPU{Index: index, Model: m[2], UUID: m[3]})
			}
		} else if m := off.FindStringSubmatch(s); m != nil && len(faults) < maxGPUs {
			faults = append(faults, "it cannot be reached at "+m[2]+": "+m[3])
		}
	}
	for next := 0; len(faults) > 0 && len(all) > 0; next++ {
		if !seen[next] {
			all = append(all, compute.GPU{Index: next, Faults: faults[:1:1]})
			faults = faults[1:]
		}
	}
	return all
}
