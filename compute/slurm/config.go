package slurm

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"switchyard/clock"
	"switchyard/compute"
)

// Config is how a cluster is reached: the keys of the site file's slurm block, with the token
// itself in the place of its reference.
type Config struct {
	// REST is slurmrestd's address, "http://10.0.0.5:6820" or "unix:/run/slurmrestd.sock"; empty: none.
	REST string
	// Version of its interface, "v0.0.38"; empty: the newest that it and we speak.
	Version string
	// User is who we are to Slurm, an operator or administrator of it; empty: root.
	User string
	// Token is a JWT; empty: made by scontrol token where commands are allowed.
	Token string
	// Commands lets Slurm's commands be run here; Bin is their folder (empty: where PATH finds
	// them), Conf the slurm.conf that they use (empty: Slurm's default).
	Commands  bool
	Bin, Conf string
	// Poll is how often jobs and nodes are read, site time; default 2 s.
	Poll time.Duration
	// Timeout is the deadline of one request or command, machine time; default 10 s.
	Timeout time.Duration
}

var versionForm = regexp.MustCompile(`^v0\.0\.(\d{1,3})$`)

func (c Config) withDefaults() Config {
	if c.User == "" {
		c.User = "root"
	}
	if c.Poll <= 0 {
		c.Poll = 2 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	return c
}

func (c Config) check() error {
	var faults []error
	if c.REST == "" && !c.Commands {
		faults = append(faults, errors.New("slurm: neither rest nor commands is set; give slurmrestd's address in rest, or commands: true"))
	}
	if c.REST != "" {
		if _, _, err := restAddress(c.REST); err != nil {
			faults = append(faults, fmt.Errorf("slurm: rest: %w", err))
		}
		if c.Token == "" && !c.Commands {
			faults = append(faults, errors.New("slurm: token: slurmrestd asks for a JWT; name it (env:, file:), or set commands: true so that scontrol token makes one"))
		}
	}
	if c.Version != "" {
		if !versionForm.MatchString(c.Version) {
			faults = append(faults, fmt.Errorf("slurm: version: %q is no version of slurmrestd's interface; write it like v0.0.38, or leave it out", c.Version))
		} else if n := versionNumber(c.Version); n < oldest || n > newest {
			faults = append(faults, fmt.Errorf("slurm: version: %s is not spoken here; v0.0.%d to v0.0.%d are", c.Version, oldest, newest))
		}
	}
	if c.Commands && c.Bin != "" {
		if _, err := os.Stat(filepath.Join(c.Bin, "scontrol")); err != nil {
			faults = append(faults, fmt.Errorf("slurm: bin: no scontrol in it: %w", err))
		}
	}
	return errors.Join(faults...)
}

// restAddress splits slurmrestd's address into a base URL and, for a unix socket, its path.
func restAddress(s string) (base, socket string, err error) {
	if p, ok := strings.CutPrefix(s, "unix:"); ok {
		p = "/" + strings.TrimLeft(p, "/")
		if p == "/" {
			return "", "", fmt.Errorf("%q names no socket; write unix:/run/slurmrestd.sock", s)
		}
		return "http://slurmrestd", p, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", fmt.Errorf("%q is no address; write http://HOST:6820 or unix:/run/slurmrestd.sock", s)
	}
	return strings.TrimRight(u.String(), "/"), "", nil
}

// Open makes the engine of a cluster. It checks the configuration and connects to nothing: an
// unreachable cluster shows in the View. It does not block.
func Open(c Config, clk clock.Clock, log *slog.Logger) (*Engine, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: c, clk: clk, log: log,
		times:  calibrate(clk),
		locks:  make(map[string]*lock),
		stops:  make(map[string]*stop),
		wakes:  make(map[string]bool),
		closed: make(map[string]bool),
		counts: make(map[string]int),
		seen:   newSeen(),
	}
	if c.Commands {
		e.cmd = &commands{bin: c.Bin, conf: c.Conf, timeout: c.Timeout}
	}
	if c.REST != "" {
		e.rest = newREST(c, e.cmd)
	}
	e.view.Store(&compute.View{Err: "not asked yet"})
	return e, nil
}

// times turns Slurm's times, which are the machine's, into site time and back. The two are
// compared once, so that the same second always becomes the same site time.
type times struct {
	wall, site time.Time
	speed      float64
}

func calibrate(c clock.Clock) times {
	t := times{wall: time.Now(), site: c.Now(), speed: c.Speed()}
	if d := t.site.Sub(t.wall); t.speed == 1 && d > -time.Second && d < time.Second {
		t.site = t.wall // the machine's own clock: leave its seconds as they are
	}
	return t
}

// toSite returns the site time of a machine time; zero stays zero.
func (t times) toSite(m time.Time) time.Time {
	if m.IsZero() {
		return m
	}
	return t.site.Add(time.Duration(float64(m.Sub(t.wall)) * t.speed)).Round(0).UTC()
}

// toWall returns the machine time of a site time.
func (t times) toWall(s time.Time) time.Time {
	if s.IsZero() {
		return s
	}
	return t.wall.Add(time.Duration(float64(s.Sub(t.site)) / t.speed)).Round(0).UTC()
}
