// Package agentcmd owns the commands that run on a GPU node: `switchyard agent gpu`. They are
// flags and what is printed; the work is done in compute/gpuagent.
//
// It never speaks with a GPU itself and never prints a secret.
//
// Concurrency: one command runs per process, until its context ends.
package agentcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/compute/gpuagent"
	"switchyard/compute/nvml"
	"switchyard/compute/smi"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Console is what the commands have of the command line around them.
type Console struct {
	Err io.Writer // where the record goes
	// BadInput makes the error of flags that cannot be.
	BadInput func(format string, args ...any) error
}

type gpuFlags struct {
	listen, node, tokenRef, cert, key string
	driver, smi, library              string
	safe, state                       string
	keepLower, restore, insecure      bool
	check                             time.Duration
}

// Command makes `switchyard agent` with its commands.
func Command(c Console) *cobra.Command {
	parent := &cobra.Command{
		Use:   "agent",
		Short: "Run a part of Switchyard on another machine, such as a GPU node",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(gpu(c))
	return parent
}

func gpu(c Console) *cobra.Command {
	var in gpuFlags
	cmd := &cobra.Command{
		Use:   "gpu",
		Short: "Hold this machine's GPUs to a power when the controller says so",
		Long: `Serve this machine's GPUs to the controller: what they draw, and a cap on their power. A cap is a
lease. When the controller does not renew it, it has died or cannot get here: the GPUs are then
held to the safe cap until they are told again. An agent that is killed takes all of it up again
from its state file.

It listens on this machine alone unless --listen says otherwise; beyond it a token and TLS are
asked for. Setting power limits needs root. See docs/gpu-agent.md.`,
		Example: "  switchyard agent gpu\n" +
			"  switchyard agent gpu --listen :9700 --token-ref file:/etc/switchyard/agent.token \\\n" +
			"    --tls-cert /etc/switchyard/agent.crt --tls-key /etc/switchyard/agent.key --safe-cap '300 W'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), c) },
	}
	host, _ := os.Hostname() // the flag's help shows that there is none
	f := cmd.Flags()
	f.StringVar(&in.listen, "listen", "127.0.0.1:9700", "address and port to serve")
	f.StringVar(&in.node, "node", host, "this machine's name in the site file; requests for another are refused")
	f.StringVar(&in.tokenRef, "token-ref", "", "where the token is that requests must bear: env:NAME or file:PATH")
	f.StringVar(&in.cert, "tls-cert", "", "certificate to serve with (PEM)")
	f.StringVar(&in.key, "tls-key", "", "its key (PEM)")
	f.BoolVar(&in.insecure, "insecure", false, "serve other machines without a token or without TLS")
	f.StringVar(&in.driver, "driver", "auto", "how the GPUs are reached: nvml, smi (the program nvidia-smi) or auto")
	f.StringVar(&in.smi, "nvidia-smi", "", "path of nvidia-smi (default: found in $PATH)")
	f.StringVar(&in.library, "nvml-library", "", "path of NVML (default libnvidia-ml.so.1)")
	f.StringVar(&in.safe, "safe-cap", "75%", "each GPU's cap after a lease ended unrenewed: a power, or a share of its default limit")
	f.BoolVar(&in.keepLower, "keep-lower", false, "keep a cap that is lower than the safe one when its lease ends")
	f.StringVar(&in.state, "state", "/var/lib/switchyard/gpu-agent.json", "file that keeps the lease and the original limits; empty: none")
	f.BoolVar(&in.restore, "restore-on-exit", false, "set the original limits back when the agent is stopped (SIGTERM)")
	f.DurationVar(&in.check, "check", 10*time.Second, "how often held limits are looked at and set again")
	return cmd
}

// run checks every flag before it touches anything.
func (in *gpuFlags) run(ctx context.Context, c Console) error {
	log := slog.New(slog.NewTextHandler(c.Err, nil))
	listen := gpuagent.Listen{Addr: in.listen, Cert: in.cert, Key: in.key, Insecure: in.insecure}
	config := gpuagent.Config{Node: in.node, State: in.state, KeepLower: in.keepLower, Check: in.check, Log: log}
	var faults []error
	if in.tokenRef != "" {
		var err error
		if listen.Token, err = (&sitefile.File{}).Secret(in.tokenRef); err != nil {
			faults = append(faults, fmt.Errorf("--token-ref: %w", err))
			listen.Token = "…" // not the listener's fault
		}
	}
	var err error
	if config.SafePower, config.SafeShare, err = safeCap(in.safe); err != nil {
		faults = append(faults, err)
	}
	if err := listen.Check(); err != nil {
		faults = append(faults, err)
	}
	if in.check < time.Second {
		faults = append(faults, fmt.Errorf("--check %s is too often: 1s is the least", in.check))
	}
	if err := errors.Join(faults...); err != nil {
		return c.BadInput("%w", err)
	}
	if in.state != "" {
		if err := os.MkdirAll(filepath.Dir(in.state), 0o700); err != nil {
			return fmt.Errorf("make the folder of the agent's state: %w: choose another file with --state", err)
		}
	}
	driver, err := in.open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = driver.Close() }() // limits stay whatever it says
	config.Driver = driver
	agent, err := gpuagent.New(config)
	if err != nil {
		return err
	}
	if listen.Token == "" {
		log.Warn("no --token-ref: whoever is logged in on this machine can hold its GPUs", "node", in.node)
	}
	return errors.Join(agent.Serve(ctx, listen, in.restore, func(a net.Addr) {
		log.Info("serving", "node", in.node, "address", a.String(), "driver", driver.Name(), "safe_cap", in.safe, "state", in.state)
	}))
}

// safeCap reads "300 W" or "75%".
func safeCap(s string) (p unit.Power, share unit.Ratio, err error) {
	if strings.HasSuffix(strings.TrimSpace(s), "%") {
		if err = share.UnmarshalText([]byte(s)); err == nil && share > 0 && share <= 1 {
			return 0, share, nil
		}
	} else if p, err = unit.ParsePower(s); err == nil && p > 0 && p <= gpuagent.MaxPower {
		return p, 0, nil
	}
	return 0, 0, fmt.Errorf(`--safe-cap %q is neither a power above 0 and up to %s a GPU nor a share up to 100%%; write it like "300 W" or "75%%"`, s, gpuagent.MaxPower.Short())
}

// open finds the GPUs. With auto NVML goes first, since it tells energy and XID errors.
func (in *gpuFlags) open(ctx context.Context, c Console) (gpuagent.Driver, error) {
	switch in.driver {
	case "nvml":
		d, err := nvml.Open(in.library)
		if err != nil {
			return nil, err // not d: a nil *Driver is no nil Driver
		}
		return d, nil
	case "smi":
		d, err := smi.Open(ctx, in.smi)
		if err != nil {
			return nil, err
		}
		return d, nil
	case "auto":
		d, err := nvml.Open(in.library)
		if err == nil {
			return d, nil
		}
		s, other := smi.Open(ctx, in.smi)
		if other == nil {
			return s, nil
		}
		return nil, errors.Join(err, other)
	}
	return nil, c.BadInput("--driver %q: choose nvml, smi or auto", in.driver)
}
