//go:build cgo && linux

package nvml

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	nv "github.com/NVIDIA/go-nvml/pkg/nvml"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// millijoules are in a milliwatt-hour.
const millijoules = 3600

// Driver speaks NVML.
type Driver struct {
	lib    nv.Interface
	events nv.EventSet
	stop   chan struct{}
	heard  sync.WaitGroup

	mu  sync.Mutex
	xid map[string][]uint64 // the kinds of XID errors since Open, by UUID
}

// Open loads the library (path empty: libnvidia-ml.so.1) and listens for XID errors. Without a
// library or a driver the error wraps compute.ErrUnsupported and says what to do. It blocks.
func Open(path string) (*Driver, error) {
	var options []nv.LibraryOption
	name := "libnvidia-ml.so.1"
	if path != "" {
		name = path
		options = append(options, nv.WithLibraryPath(path))
	}
	d := &Driver{lib: nv.New(options...), stop: make(chan struct{}), xid: map[string][]uint64{}}
	switch ret := d.lib.Init(); ret {
	case nv.SUCCESS:
	case nv.ERROR_LIBRARY_NOT_FOUND:
		return nil, fmt.Errorf("no NVIDIA driver found: %s cannot be loaded: install NVIDIA's driver, run the agent on the GPU node itself, and give a container its GPUs (--gpus all): %w", name, compute.ErrUnsupported)
	case nv.ERROR_DRIVER_NOT_LOADED:
		return nil, fmt.Errorf("no NVIDIA driver found: its library is there, its kernel module is not loaded: modprobe nvidia, and see dmesg: %w", compute.ErrUnsupported)
	case nv.ERROR_LIB_RM_VERSION_MISMATCH:
		return nil, fmt.Errorf("the NVIDIA driver and its library are of different versions, as after an update: reboot, or load the module anew: %w", compute.ErrUnsupported)
	default:
		return nil, fault("start NVML", ret)
	}
	d.listen()
	return d, nil
}

// Name is the driver's name.
func (d *Driver) Name() string { return "nvml" }

// Close lets go of the library; limits stay.
func (d *Driver) Close() error {
	close(d.stop)
	d.heard.Wait()
	if ret := d.lib.Shutdown(); ret != nv.SUCCESS {
		return fault("end NVML", ret)
	}
	return nil
}

// fault tells NVML's answer as an error of compute.
func fault(what string, ret nv.Return) error {
	kind := compute.ErrRefused
	switch ret {
	case nv.ERROR_NO_PERMISSION:
		return fmt.Errorf("%s: run the agent as root: only root may set power limits: %w", what, compute.ErrUnauthorized)
	case nv.ERROR_NOT_SUPPORTED, nv.ERROR_FUNCTION_NOT_FOUND:
		kind = compute.ErrUnsupported
	case nv.ERROR_GPU_IS_LOST, nv.ERROR_TIMEOUT, nv.ERROR_UNINITIALIZED, nv.ERROR_RESET_REQUIRED, nv.ERROR_IRQ_ISSUE, nv.ERROR_UNKNOWN:
		kind = compute.ErrUnreachable
	}
	return fmt.Errorf("%s: %s: %w", what, ret.Error(), kind)
}

// GPUs reads every GPU. It blocks on the library.
func (d *Driver) GPUs(context.Context) ([]compute.GPU, error) {
	n, ret := d.lib.DeviceGetCount()
	if ret != nv.SUCCESS {
		return nil, fault("count the GPUs", ret)
	}
	var all []compute.GPU
	for i := range n {
		g := compute.GPU{Index: i}
		dev, ret := d.lib.DeviceGetHandleByIndex(i)
		if ret != nv.SUCCESS {
			g.Faults = []string{"it cannot be reached: " + ret.Error()}
		} else {
			d.read(dev, &g)
		}
		all = append(all, g)
	}
	return all, nil
}

// read fills in what a GPU tells. A figure that it does not tell stays unknown; one that is lost
// tells nothing, whatever the library still remembers.
func (d *Driver) read(dev nv.Device, g *compute.GPU) {
	g.UUID, _ = dev.GetUUID() // empty where it is not told
	g.Model, _ = dev.GetName()
	gone := false
	ok := func(ret nv.Return) bool {
		gone = gone || ret == nv.ERROR_GPU_IS_LOST || ret == nv.ERROR_RESET_REQUIRED
		return ret == nv.SUCCESS
	}
	mw := func(v uint32, ret nv.Return) site.Opt[unit.Power] {
		return site.Opt[unit.Power]{V: unit.Power(v) * unit.Milliwatt, OK: ok(ret)}
	}
	g.Power = mw(dev.GetPowerUsage())
	g.Limit = mw(dev.GetPowerManagementLimit())
	g.Default = mw(dev.GetPowerManagementDefaultLimit())
	least, most, ret := dev.GetPowerManagementLimitConstraints()
	g.Least, g.Most = mw(least, ret), mw(most, ret)
	if mj, ret := dev.GetTotalEnergyConsumption(); ok(ret) {
		g.Energy = site.Some(unit.Energy(mj / millijoules))
	}
	if use, ret := dev.GetUtilizationRates(); ok(ret) {
		g.Use = site.Some(float64(min(use.Gpu, 100)) / 100)
	}
	if c, ret := dev.GetTemperature(nv.TEMPERATURE_GPU); ok(ret) {
		g.Temp = site.Some(float64(c))
	}
	if gone {
		*g = compute.GPU{Index: g.Index, UUID: g.UUID, Model: g.Model, Faults: []string{"lost from the bus: it needs a reset or a reboot"}}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.xid[g.UUID] {
		g.Faults = append(g.Faults, fmt.Sprintf("XID %d", x))
	}
}

// SetLimit sets a GPU's power limit. It blocks on the library.
func (d *Driver) SetLimit(_ context.Context, g compute.GPU, p unit.Power) error {
	what := fmt.Sprintf("hold GPU %d to %s", g.Index, p.Short())
	if p <= 0 || p > 100*unit.Kilowatt {
		return fmt.Errorf("%s: it cannot be: %w", what, compute.ErrRefused)
	}
	dev, ret := d.lib.DeviceGetHandleByUUID(g.UUID)
	if g.UUID == "" {
		dev, ret = d.lib.DeviceGetHandleByIndex(g.Index)
	}
	if ret != nv.SUCCESS {
		return fault(what, ret)
	}
	if ret := dev.SetPowerManagementLimit(uint32(p / unit.Milliwatt)); ret != nv.SUCCESS {
		return fault(what, ret)
	}
	return nil
}

// listen collects the XID errors that come from now on, where the library tells them.
func (d *Driver) listen() {
	set, ret := d.lib.EventSetCreate()
	if ret != nv.SUCCESS {
		return
	}
	d.events = set
	n, _ := d.lib.DeviceGetCount() // none where it is not told
	any := false
	for i := range n {
		if dev, ret := d.lib.DeviceGetHandleByIndex(i); ret == nv.SUCCESS {
			any = dev.RegisterEvents(nv.EventTypeXidCriticalError, set) == nv.SUCCESS || any
		}
	}
	if !any {
		_ = set.Free() // nothing to be done about it
		return
	}
	d.heard.Go(func() {
		defer func() { _ = set.Free() }() // the process ends soon
		for !d.ended() {
			if !d.hear() { // something is wrong with the library: no busy waiting for it to mend
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
}

// hear waits a moment for one XID error, and says whether the library did as it should.
func (d *Driver) hear() bool {
	const moment = 500 // ms
	e, ret := d.events.Wait(moment)
	if ret != nv.SUCCESS {
		return ret == nv.ERROR_TIMEOUT
	}
	uuid, ret := e.Device.GetUUID()
	if ret != nv.SUCCESS {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	const most = 32
	if kinds := d.xid[uuid]; !slices.Contains(kinds, e.EventData) && len(kinds) < most {
		d.xid[uuid] = append(kinds, e.EventData)
	}
	return true
}

func (d *Driver) ended() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}
