package conform_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// defective is a toy with one fault.
type defective struct {
	toy
	defect string
	leak   net.Conn
}

func (d *defective) Read(ctx context.Context) (site.Sample, error) {
	switch d.defect {
	case "hangs":
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
		defer cancel()
	case "leaks":
		d.leak, _ = d.t.DialContext(ctx, d.t.Addr("rpc", rpc.Port))
	}
	s, err := d.toy.Read(ctx)
	switch d.defect {
	case "zero":
		s.Power = site.Some(s.Power.V)
	case "wrong unit":
		s.Hashrate.V /= 1e6
	case "swallows":
		err = nil
		s.Asked, s.At = d.t.Now(), d.t.Now()
	case "nameless error":
		if err != nil {
			err = errors.New("something went wrong")
		}
	case "tells":
		if err != nil {
			err = fmt.Errorf("login with %s: %w", string(d.t.Password), err)
		}
	case "early":
		s.At = s.Asked.Add(-time.Second)
	case "invents":
		if err == nil && !s.Power.OK {
			s.Power = site.Some(3 * unit.Kilowatt)
		}
	case "whose":
		s.Device = ""
	}
	return s, err
}

func (d *defective) Apply(ctx context.Context, s site.Setpoint) error {
	if d.defect == "accepts all" {
		_, err := d.ask(ctx, "summary")
		return err
	}
	return d.toy.Apply(ctx, s)
}

// TestDefective runs the suite on a toy with the fault that the environment names; the
// test below runs it in a process of its own and wants it to fail.
func TestDefective(t *testing.T) {
	defect := os.Getenv("CONFORM_DEFECT")
	if defect == "" {
		t.Skip("TestSuiteFindsDefects runs it")
	}
	drv := toyDriver()
	drv.Open = func(target driver.Target) (driver.Device, error) {
		return &defective{toy: toy{target}, defect: defect}, nil
	}
	var asked atomic.Int64
	start := func(summary string) func(*testing.T) conform.Fake {
		return func(t *testing.T) conform.Fake {
			return conform.Fake{Target: serve(t, `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{`+summary+`}],"id":1}`, &asked)}
		}
	}
	conform.Run(t, conform.Kit{
		Driver: drv, Start: start(`"GHS 5s":110000.5,"Power":3200`), Bare: start(`"Elapsed":5`), NoPassword: true, Power: true,
	})
}

func TestSuiteFindsDefects(t *testing.T) {
	for defect, check := range map[string]string{
		"zero": "unknown_is_not_zero", "wrong unit": "read$", "hangs": "silent", "leaks": "close", "swallows": "nobody_there",
		"nameless error": "nobody_there", "tells": "nobody_there", "early": "read$", "invents": "truncated", "whose": "read$",
		"accepts all": "apply_what_it_cannot",
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "TestDefective/"+check)
			cmd.Env = append(os.Environ(), "CONFORM_DEFECT="+defect)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("the suite lets it pass (%v):\n%s", err, out)
			}
		})
	}
}
