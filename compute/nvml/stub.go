//go:build !cgo || !linux

package nvml

import (
	"context"
	"fmt"

	"switchyard/compute"
	"switchyard/unit"
)

// Driver is not to be had in this build.
type Driver struct{}

// Open says that this build has no NVML.
func Open(string) (*Driver, error) {
	return nil, fmt.Errorf("this build speaks no NVML: build it with CGO_ENABLED=1 on Linux, or use --driver smi: %w", compute.ErrUnsupported)
}

// Name is the driver's name.
func (*Driver) Name() string { return "nvml" }

// GPUs is not supported.
func (*Driver) GPUs(context.Context) ([]compute.GPU, error) { return nil, compute.ErrUnsupported }

// SetLimit is not supported.
func (*Driver) SetLimit(context.Context, compute.GPU, unit.Power) error {
	return compute.ErrUnsupported
}

// Close does nothing.
func (*Driver) Close() error { return nil }
