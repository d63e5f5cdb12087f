package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/compute/slurm/loose"
)

// commands runs Slurm's own commands. Nothing passes a shell.
type commands struct {
	bin, conf string
	timeout   time.Duration
}

// bounded keeps the first bytes of an output and counts on.
type bounded struct {
	bytes.Buffer
	most int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.Len(); len(p) > room {
		b.over = true
		b.Buffer.Write(p[:max(room, 0)])
	} else {
		b.Buffer.Write(p)
	}
	return len(p), nil
}

func (c *commands) prepare(ctx context.Context, name string, args []string) *exec.Cmd {
	path := name
	if c.bin != "" {
		path = filepath.Join(c.bin, name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "SLURM_TIME_FORMAT=%s", "LC_ALL=C")
	if c.conf != "" {
		cmd.Env = append(cmd.Env, "SLURM_CONF="+c.conf)
	}
	cmd.WaitDelay = time.Second
	return cmd
}

// run runs a command within the deadline and returns what it printed.
func (c *commands) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := c.prepare(ctx, name, args)
	out, errs := &bounded{most: 128 << 20}, &bounded{most: 16 << 10}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: no answer within %s: %w", name, c.timeout, compute.ErrUnreachable)
	}
	if out.over {
		return "", fmt.Errorf("%s: %w", name, loose.ErrTooLong)
	}
	if err != nil {
		return "", c.fault(name, strings.TrimSpace(errs.String()), strings.TrimSpace(out.String()), err)
	}
	return out.String(), nil
}

// stream runs a command and hands its output to read as it comes.
func (c *commands) stream(ctx context.Context, read func(io.Reader) error, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := c.prepare(ctx, name, args)
	errs := &bounded{most: 16 << 10}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return c.fault(name, "", "", err)
	}
	readErr := read(out)
	if readErr != nil {
		cancel() // it may have more to say than anybody reads
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil && readErr == nil, errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer within %s: %w", name, c.timeout, compute.ErrUnreachable)
	case err != nil && strings.TrimSpace(errs.String()) != "":
		return c.fault(name, strings.TrimSpace(errs.String()), "", err)
	case readErr != nil:
		return fmt.Errorf("%s: %w", name, readErr)
	case err != nil:
		return c.fault(name, "", "", err)
	}
	return nil
}

// fault turns what a command says of its failure into an error that tells the caller's next move.
func (c *commands) fault(name, errs, out string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not there; name its folder in bin: %w: %w", name, err, compute.ErrUnreachable)
	}
	text := errs
	if text == "" {
		text = out
	}
	if text == "" {
		text = err.Error()
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 400 {
		text = text[:400]
	}
	return fmt.Errorf("%s: %s: %w", name, text, meaning(text))
}

// meanings maps what Slurm says, by commands and by slurmrestd alike, to an error.
var meanings = []struct {
	says string
	is   error
}{
	{"Invalid job id", compute.ErrGone},
	{"Job/step already completing or completed", compute.ErrGone},
	{"Invalid partition name", compute.ErrGone},
	{"Invalid node name", compute.ErrGone},
	{"not found", compute.ErrGone},
	{"Unable to contact slurm controller", compute.ErrUnreachable},
	{"Unable to establish a configuration source", compute.ErrUnreachable},
	{"Connection refused", compute.ErrUnreachable},
	{"Connection timed out", compute.ErrUnreachable},
	{"Socket timed out", compute.ErrUnreachable},
	{"slurm_persist_conn_open", compute.ErrUnreachable},
	{"Slurm backup controller in standby", compute.ErrUnreachable},
	{"Access/permission denied", compute.ErrUnauthorized},
	{"Protocol authentication error", compute.ErrUnauthorized},
	{"authentication", compute.ErrUnauthorized},
	{"Unspecified error", compute.ErrUnreachable},
}

func meaning(text string) error {
	for _, m := range meanings {
		if strings.Contains(text, m.says) {
			return m.is
		}
	}
	return compute.ErrRefused
}

// token makes a JWT for the user.
func (c *commands) token(ctx context.Context, user string, lifespan time.Duration) (string, error) {
	out, err := c.run(ctx, "scontrol", "token", "username="+user, fmt.Sprintf("lifespan=%d", int(lifespan.Seconds())))
	if err != nil {
		return "", err
	}
	_, t, ok := strings.Cut(strings.TrimSpace(out), "SLURM_JWT=")
	if !ok || t == "" || strings.ContainsAny(t, " \n") {
		return "", fmt.Errorf("scontrol token: no SLURM_JWT in what it printed: %w", compute.ErrUnauthorized)
	}
	return t, nil
}

// picture reads the whole cluster by commands.
func (c *commands) picture(ctx context.Context) (*picture, error) {
	var p picture
	var err error
	if p.Jobs, err = c.jobs(ctx); err != nil {
		return nil, err
	}
	out, err := c.run(ctx, "scontrol", "-d", "show", "nodes")
	if err != nil {
		return nil, err
	}
	if p.Nodes, p.Version, err = parseNodes(out); err != nil {
		return nil, err
	}
	return &p, c.rules(ctx, &p)
}

// rules reads what governs the nodes, partitions and reservations, into a picture.
func (c *commands) rules(ctx context.Context, p *picture) error {
	out, err := c.run(ctx, "scontrol", "-a", "show", "partitions")
	if err != nil {
		return err
	}
	if p.Partitions, err = parsePartitions(out); err != nil {
		return err
	}
	if out, err = c.run(ctx, "scontrol", "show", "reservations"); err != nil {
		return err
	}
	p.Reservations, err = parseReservations(out)
	return err
}

// jobs reads all jobs: as JSON, in which no name or comment can pass for another field, and from
// scontrol's text where this squeue has no JSON.
func (c *commands) jobs(ctx context.Context) ([]job, error) {
	var out []job
	err := c.stream(ctx, func(r io.Reader) error {
		var err error
		out, _, err = decodeJobs(r)
		return err
	}, "squeue", "--all", "--json")
	if err == nil || errors.Is(err, compute.ErrUnreachable) || errors.Is(err, compute.ErrUnauthorized) {
		return out, err
	}
	text, err := c.run(ctx, "scontrol", "-a", "-d", "show", "jobs")
	if err != nil {
		return nil, err
	}
	return parseJobs(text)
}

// job reads one job.
func (c *commands) job(ctx context.Context, id string) (job, error) {
	text, err := c.run(ctx, "scontrol", "-a", "-d", "show", "job", id)
	if err != nil {
		return job{}, err
	}
	js, err := parseJobs(text)
	if err != nil {
		return job{}, err
	}
	if len(js) != 1 {
		return job{}, fmt.Errorf("job %s: scontrol shows %d jobs: %w", id, len(js), compute.ErrRefused)
	}
	return js[0], nil
}
