package gpuagent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"switchyard/unit"
)

// Mode is what the agent holds its GPUs to.
type Mode string

// The modes.
const (
	ModeNone Mode = "none" // nothing of ours: the original limits
	ModeCap  Mode = "cap"  // a cap under lease
	ModeSafe Mode = "safe" // the lease ended unrenewed: the safe cap, until told again
)

// maxState bounds the state file in bytes.
const maxState = 1 << 20

// stateVersion is what this program writes; another is not read.
const stateVersion = 1

// state is what an agent must know after it was killed.
type state struct {
	Version int   `json:"version"`
	Mode    Mode  `json:"mode"`
	Power   int64 `json:"power_mw,omitempty"`
	// Lease is how long the cap was given for and Ends when it ends, by this machine's clock,
	// which may have been set meanwhile: no more than Lease is ever left of it.
	Lease  time.Duration `json:"lease_ns,omitempty"`
	Ends   time.Time     `json:"ends,omitzero"`
	Reason string        `json:"reason,omitempty"`
	// Originals are the GPUs' power limits before our first cap, in mW by Key. They stay until
	// they are set again.
	Originals map[string]unit.Power `json:"-"`
	Milliwatt map[string]int64      `json:"originals_mw,omitempty"`
}

func (s state) clone() state {
	c := s
	c.Originals = make(map[string]unit.Power, len(s.Originals))
	for k, v := range s.Originals {
		c.Originals[k] = v
	}
	return c
}

// left returns what is left of the lease.
func (s state) left(now time.Time) time.Duration {
	return min(max(0, s.Ends.Sub(now)), s.Lease)
}

// parseState reads a state file's bytes.
func parseState(b []byte) (state, error) {
	var s state
	if len(b) > maxState {
		return state{}, fmt.Errorf("it has more than %d bytes", maxState)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return state{}, err
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("it is of version %d, this program writes %d", s.Version, stateVersion)
	}
	switch {
	case s.Mode != ModeNone && s.Mode != ModeCap && s.Mode != ModeSafe:
		return state{}, fmt.Errorf("its mode %q is none of none, cap, safe", s.Mode)
	case s.Mode == ModeCap && (s.Power <= 0 || s.Lease <= 0 || s.Ends.IsZero()):
		return state{}, errors.New("its cap has no power, lease or end")
	case s.Power < 0 || s.Lease < 0:
		return state{}, errors.New("it has a negative figure")
	}
	s.Originals = make(map[string]unit.Power, len(s.Milliwatt))
	for k, v := range s.Milliwatt {
		if v <= 0 {
			return state{}, fmt.Errorf("the original limit of GPU %s is not above zero", k)
		}
		s.Originals[k] = unit.Power(v)
	}
	s.Milliwatt = nil
	return s, nil
}

// loadState reads the state file; one that is not there is an agent that holds nothing.
func loadState(path string) (state, error) {
	none := state{Version: stateVersion, Mode: ModeNone, Originals: map[string]unit.Power{}}
	if path == "" {
		return none, nil
	}
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read the agent's state: %w", err)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxState+1))
	if err != nil {
		return state{}, fmt.Errorf("read the agent's state: %w", err)
	}
	s, err := parseState(b)
	if err != nil {
		return state{}, fmt.Errorf("read the agent's state: %s is damaged (%w): move it away to start anew; the limits that the GPUs have then count as their original ones, so set these first (nvidia-smi -pl)", path, err)
	}
	return s, nil
}

// save writes the state file so that after a power cut it is either the old or the new one.
func (s state) save(path string) error {
	if path == "" {
		return nil
	}
	s.Version = stateVersion
	s.Milliwatt = make(map[string]int64, len(s.Originals))
	for k, v := range s.Originals {
		s.Milliwatt[k] = int64(v)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the agent's state: %w", err)
	}
	if err := replace(path, append(b, '\n')); err != nil {
		return fmt.Errorf("keep the agent's state: %w", err)
	}
	return nil
}

func replace(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	out, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = out.Close()
			_ = os.Remove(out.Name()) // the error that is told is the first one
		}
	}()
	if _, err = out.Write(b); err != nil {
		return err
	}
	if err = out.Sync(); err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return err
	}
	if err = os.Rename(out.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
