package slurmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"switchyard/compute/slurm"
)

// Options say what is started. The zero value is four nodes of eight GPUs, without accounting.
type Options struct {
	Nodes, GPUs int  // default 4 nodes of 8 GPUs; at most 90 nodes
	Accounting  bool // slurmdbd over MariaDB, some three seconds more
	// Boot is how long a node takes from power_up until it serves, machine time; default at once.
	Boot time.Duration
}

// Cluster is a running Slurm.
type Cluster struct {
	opt   Options
	dir   string
	ports ports

	mu      sync.Mutex
	daemons map[string]*exec.Cmd
	lock    net.Listener // on our block of ports
	guard   io.Closer    // while it is open, the watchdog waits
	guarded *exec.Cmd
}

// The programs, and the Debian packages that they are in.
var needed = []struct{ program, pack string }{
	{"munged", "munge"},
	{"slurmctld", "slurmctld"},
	{"slurmd", "slurmd"},
	{"slurmrestd", "slurmrestd"},
	{"scontrol", "slurm-client"},
}

var neededForAccounting = []struct{ program, pack string }{
	{"slurmdbd", "slurmdbd"},
	{"mariadbd", "mariadb-server"},
	{"mariadb-install-db", "mariadb-server"},
}

// Missing says what this machine lacks for a cluster; empty: nothing.
func Missing(o Options) string {
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root, for making the GPUs' device files")
	}
	list := needed
	if o.Accounting {
		list = append(list[:len(list):len(list)], neededForAccounting...)
	}
	for _, n := range list {
		if _, err := program(n.program); err != nil {
			lacks = append(lacks, fmt.Sprintf("%s (Debian's package %s)", n.program, n.pack))
		}
	}
	return strings.Join(lacks, ", ")
}

// program finds a program, daemons also where a user's PATH does not look.
func program(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	p := filepath.Join("/usr/sbin", name)
	_, err := os.Stat(p)
	return p, err
}

// Start starts a cluster and returns once all nodes are idle. It blocks for some seconds.
func Start(o Options) (*Cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 4
	}
	if o.GPUs == 0 {
		o.GPUs = 8
	}
	if m := Missing(o); m != "" {
		return nil, fmt.Errorf("start Slurm: missing: %s", m)
	}
	dir, err := os.MkdirTemp("/tmp", "sl") // short: a socket's path may have 107 bytes
	if err != nil {
		return nil, fmt.Errorf("start Slurm: %w", err)
	}
	c := &Cluster{opt: o, dir: dir, daemons: make(map[string]*exec.Cmd)}
	if err = c.layout(); err == nil {
		err = c.watch()
	}
	if err == nil {
		err = c.startAll()
	}
	if err != nil {
		err = fmt.Errorf("start Slurm: %w%s", err, c.lastWords())
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) startAll() error {
	if err := c.start("munged", "--foreground", "--force", "--key-file="+c.path("etc/munge.key"), "--socket="+c.path("run/munge.sock"),
		"--pid-file="+c.path("run/munged.pid"), "--log-file="+c.path("log/munged.log"), "--seed-file="+c.path("state/munge.seed")); err != nil {
		return err
	}
	if err := c.until(5*time.Second, "munged's socket", func() bool {
		_, err := os.Stat(c.path("run/munge.sock"))
		return err == nil
	}); err != nil {
		return err
	}
	if c.opt.Accounting {
		if err := c.startAccounting(); err != nil {
			return err
		}
	}
	if err := c.StartController(); err != nil {
		return err
	}
	for _, n := range c.Nodes() {
		if err := c.startAs("slurmd."+n, "slurmd", "-D", "-N", n); err != nil {
			return err
		}
	}
	if err := c.StartREST(); err != nil {
		return err
	}
	return c.until(30*time.Second, "all nodes to be idle", func() bool {
		out, err := c.Command("sinfo", "-h", "-p", "flex", "-t", "idle", "-o", "%D")
		return err == nil && strings.TrimSpace(out) == fmt.Sprint(c.opt.Nodes)
	})
}

// Nodes returns the nodes' names.
func (c *Cluster) Nodes() []string {
	out := make([]string, c.opt.Nodes)
	for i := range out {
		out[i] = fmt.Sprintf("gpu%d", i+1)
	}
	return out
}

// GPUs returns how many GPUs each node has.
func (c *Cluster) GPUs() int { return c.opt.GPUs }

// Dir returns the cluster's folder: etc, log, busy and work are in it.
func (c *Cluster) Dir() string { return c.dir }

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

// Config returns how an engine reaches the cluster: by slurmrestd and by commands.
func (c *Cluster) Config() slurm.Config {
	return slurm.Config{
		REST: fmt.Sprintf("http://127.0.0.1:%d", c.ports.rest), User: "root",
		Commands: true, Conf: c.path("etc/slurm.conf"), Poll: 500 * time.Millisecond,
	}
}

// Socket returns slurmrestd's address as a unix socket.
func (c *Cluster) Socket() string { return "unix:" + c.path("run/rest.sock") }

// Token makes a JWT for root.
func (c *Cluster) Token(lifespan time.Duration) (string, error) {
	out, err := c.Command("scontrol", "token", fmt.Sprintf("lifespan=%d", int(lifespan.Seconds())))
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSpace(out), "SLURM_JWT="), nil
}

// env is what marks every process of the cluster, down to its jobs.
func (c *Cluster) env() []string {
	return append(os.Environ(), "SLURM_CONF="+c.path("etc/slurm.conf"), "LC_ALL=C",
		"SLURMRESTD_SECURITY=disable_user_check", // it would not run as root otherwise
		"PATH="+os.Getenv("PATH")+":/usr/sbin:/usr/bin:/sbin:/bin")
}

// Command runs one of Slurm's commands against the cluster and returns what it printed.
func (c *Cluster) Command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	path, err := program(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = c.env()
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

func (c *Cluster) start(name string, args ...string) error {
	return c.startAs(name, name, args...)
}

// startAs starts a daemon in a session of its own: a terminal's Ctrl-C is not for it.
func (c *Cluster) startAs(key, name string, args ...string) error {
	path, err := program(name)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.path("log/"+key+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, args...) //nolint:noctx // it lives until Stop
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.env(), c.dir, log, log
	if name == "slurmrestd" {
		cmd.Env = append(cmd.Env, "SLURM_JWT=daemon")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	c.mu.Lock()
	c.daemons[key] = cmd
	c.mu.Unlock()
	go func() { _ = cmd.Wait() }()
	return nil
}

// kill ends a daemon at once, as a power cut would.
func (c *Cluster) kill(key string) error {
	c.mu.Lock()
	cmd := c.daemons[key]
	delete(c.daemons, key)
	c.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("%s does not run", key)
	}
	return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its session: slurmctld has a helper
}

// KillController ends slurmctld at once; jobs run on.
func (c *Cluster) KillController() error { return c.kill("slurmctld") }

// FreezeController stops slurmctld's process, so that it hangs; thaw lets it go on.
func (c *Cluster) FreezeController() (thaw func() error, err error) {
	c.mu.Lock()
	cmd := c.daemons["slurmctld"]
	c.mu.Unlock()
	if cmd == nil {
		return nil, errors.New("slurmctld does not run")
	}
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		return nil, err
	}
	return func() error { return syscall.Kill(cmd.Process.Pid, syscall.SIGCONT) }, nil
}

// StartController starts slurmctld with what it saved, and waits until it answers.
func (c *Cluster) StartController() error {
	if err := c.start("slurmctld", "-D"); err != nil {
		return err
	}
	return c.until(20*time.Second, "slurmctld to answer", func() bool { return c.listens(c.ports.ctld) })
}

// KillREST ends slurmrestd.
func (c *Cluster) KillREST() error { return c.kill("slurmrestd") }

// StartREST starts slurmrestd and waits until it listens.
func (c *Cluster) StartREST() error {
	_ = os.Remove(c.path("run/rest.sock"))
	// Its parts for slurmdbd end it where there is none; which parts there are depends on the version.
	listed, err := c.Command("slurmrestd", "-s", "list")
	if err != nil {
		return err
	}
	var parts []string
	for _, f := range strings.Fields(listed) {
		if strings.HasPrefix(f, "openapi/") && !strings.HasPrefix(f, "openapi/db") && !strings.HasPrefix(f, "openapi/slurmdbd") {
			parts = append(parts, f)
		}
	}
	if err := c.start("slurmrestd", "-a", "rest_auth/jwt,rest_auth/local", "-s", strings.Join(parts, ","),
		fmt.Sprintf("127.0.0.1:%d", c.ports.rest), "unix:"+c.path("run/rest.sock")); err != nil {
		return err
	}
	return c.until(10*time.Second, "slurmrestd to listen", func() bool { return c.listens(c.ports.rest) })
}

// KillAccounting ends slurmdbd; slurmctld keeps what happens for when it is back.
func (c *Cluster) KillAccounting() error { return c.kill("slurmdbd") }

// StartAccounting starts slurmdbd and waits until it answers.
func (c *Cluster) StartAccounting() error {
	if err := c.start("slurmdbd", "-D"); err != nil {
		return err
	}
	return c.until(20*time.Second, "slurmdbd to answer", func() bool {
		_, err := c.Command("sacctmgr", "-n", "show", "cluster")
		return err == nil
	})
}

func (c *Cluster) listens(port int) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (c *Cluster) until(d time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(d); ; time.Sleep(30 * time.Millisecond) {
		if ok() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s for %s", d, what)
		}
	}
}

// lastWords returns the ends of the daemons' logs, for an error.
func (c *Cluster) lastWords() string {
	var b strings.Builder
	logs, _ := filepath.Glob(c.path("log/*"))
	for _, l := range logs {
		text, err := os.ReadFile(l)
		if err != nil || len(text) == 0 {
			continue
		}
		if len(text) > 600 {
			text = text[len(text)-600:]
		}
		fmt.Fprintf(&b, "\n-- %s\n%s", filepath.Base(l), text)
	}
	return b.String()
}

// watch starts the watchdog: a shell that waits until the pipe to it closes, which it does by Stop
// or by our death, then ends every process that carries the cluster's SLURM_CONF and removes the
// folder.
func (c *Cluster) watch() error {
	cmd := exec.Command("/bin/bash", c.path("etc/watchdog.sh")) //nolint:noctx // it outlives us
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.guard, c.guarded = in, cmd
	return cmd.Start()
}

// Stop ends every process of the cluster, its jobs too, and removes its folder. It blocks.
func (c *Cluster) Stop() {
	if c.lock != nil {
		defer c.lock.Close()
	}
	if c.guard == nil {
		_ = os.RemoveAll(c.dir)
		return
	}
	c.guard.Close()
	_ = c.guarded.Wait()
}
