package emulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/emulate/fault"
	"switchyard/emulate/modbus"
	"switchyard/emulate/plant"
	"switchyard/sitefile"
)

// Site is an emulated site that listens.
type Site struct {
	world *plant.World
	log   *slog.Logger
	seed  uint64
	clock clock.Clock

	listeners []net.Listener
	closers   []io.Closer
	cancel    context.CancelFunc
	stepping  sync.WaitGroup
}

// Start builds the emulated devices of f, binds all their addresses and moves them by c
// until ctx ends or Close is called. When addresses cannot be bound, the error names all
// of them and what would help, and nothing listens. It does not block on the network.
func Start(ctx context.Context, f *sitefile.File, c clock.Clock, logger *slog.Logger) (*Site, error) {
	return StartWatched(ctx, f, c, logger, nil)
}

// StartWatched is Start with a watch that is told of every order that reaches a miner, by
// the goroutine that gave it; it must not block and must not call the miner.
func StartWatched(ctx context.Context, f *sitefile.File, c clock.Clock, logger *slog.Logger, watch func(plant.Change)) (*Site, error) {
	d, err := describe(f)
	if err != nil {
		return nil, err
	}
	d.config.Watch = watch
	world, err := plant.New(d.config, c.Now())
	if err != nil {
		return nil, fmt.Errorf("build the plant: %w", err)
	}
	files, most := d.files(), openFiles()
	if most > 0 && len(d.sockets) > most {
		return nil, fmt.Errorf("%d emulated devices listen on %d sockets and need about %d open files; this process may open %d: raise it with `ulimit -n %d`",
			d.devices(), len(d.sockets), files, most, files)
	}
	s := &Site{world: world, log: logger, seed: d.config.Seed, clock: c}
	if err := errors.Join(s.listen(d), s.listenPDUs(d)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.stepping.Go(func() { s.step(ctx) })
	logger.Info("emulated site listens", "miners", len(d.config.Miners), "asleep", d.asleep, "sockets", len(d.sockets), "files", files)
	if most > 0 && files > most {
		logger.Warn("open files may run out under load", "needed", files, "allowed", most)
	}
	return s, nil
}

// World returns the plant.
func (s *Site) World() *plant.World { return s.world }

// Sockets returns the number of listening sockets.
func (s *Site) Sockets() int { return len(s.listeners) }

// Close stops the plant, ends every connection and waits for all goroutines.
func (s *Site) Close() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.stepping.Wait()
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	for _, l := range s.listeners {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // its face has closed it, mostly
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Pace of the stepping: every second of site time, but on a fast clock not more often
// than every five milliseconds of the machine's.
const (
	stepSite    = time.Second
	stepMachine = 5 * time.Millisecond
)

func (s *Site) step(ctx context.Context) {
	pause := max(stepSite, time.Duration(float64(stepMachine)*s.clock.Speed()))
	for clock.Sleep(ctx, s.clock, pause) == nil {
		s.world.Step(s.clock.Now())
	}
}

// listen binds every socket and puts the faces behind them.
func (s *Site) listen(d *description) error {
	bound := map[string]map[string]net.Listener{} // by device and port name
	var failed bindErrors
	for _, k := range d.sockets {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", k.address)
		if err != nil {
			failed = append(failed, bindError{k, err})
			continue
		}
		s.listeners = append(s.listeners, l)
		if bound[k.device] == nil {
			bound[k.device] = map[string]net.Listener{}
		}
		bound[k.device][k.port] = l
	}
	if len(failed) > 0 {
		return failed
	}
	all := map[string]kind{}
	for _, k := range kinds() {
		all[k.make.Driver] = k
	}
	for _, m := range s.world.Miners() {
		for name, l := range bound[m.ID()] {
			bound[m.ID()][name] = fault.Listen(l, s.faults(m.ID(), m.Faults(), m.Away))
		}
		c, err := all[m.Driver()].serve(m, bound[m.ID()])
		if err != nil {
			return fmt.Errorf("emulate %s: %w", m.ID(), err)
		}
		s.closers = append(s.closers, c)
	}
	for _, k := range d.meters {
		m := s.world.Meter(k.node)
		l := fault.Listen(bound[m.ID()]["modbus"], s.faults(m.ID(), m.Faults(), nil))
		c, err := modbus.Serve(m, l, k.layout, k.unit)
		if err != nil {
			return fmt.Errorf("emulate %s: %w", m.ID(), err)
		}
		s.closers = append(s.closers, c)
	}
	return nil
}

func (s *Site) faults(id string, set fault.Set, away func() bool) fault.Options {
	return fault.Options{Faults: set, Now: s.clock.Now, Dice: fault.NewDice(fault.Hash(s.seed, "connections "+id)), Away: away}
}
