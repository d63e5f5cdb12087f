package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"

	"switchyard/strictyaml"
)

const (
	checkTime = 5 * time.Second // to look at one address
	form      = `it is written like "slack://hook:AAA-BBB-CCC@webhook"`
)

// Fault is why a service cannot be told anything.
type Fault struct {
	Service string // its name in the site file
	Text    string
}

// CheckAddress says what is wrong with what stands behind a notice's reference; nil if nothing
// is. It sends nothing and asks nobody, and its error shows nothing of the address. It blocks
// on the disk.
func CheckAddress(secret func(ref string) (string, error), ref string) error {
	address, err := secret(ref)
	if err != nil {
		return err
	}
	scheme, _, ok := strings.Cut(address, "://")
	scheme, _, _ = strings.Cut(strings.ToLower(scheme), "+")
	known := (&router.ServiceRouter{}).ListServices()
	slices.Sort(known)
	switch {
	case !ok:
		return fmt.Errorf("what stands behind %s is no service's address; %s", ref, form)
	case scheme == "http" || scheme == "https":
		return fmt.Errorf("what stands behind %s is a web address; a webhook of your own is generic://…, and %s", ref, form)
	case !slices.Contains(known, scheme):
		hint := form
		if near := strictyaml.Nearest(scheme, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return fmt.Errorf("what stands behind %s is the address of no service that is known; %s", ref, hint)
	case scheme == "matrix":
		return nil // the library signs in to look at one
	}
	done := make(chan error, 1)
	go func() {
		_, err := (&router.ServiceRouter{}).Locate(address)
		done <- err
	}()
	t := time.NewTimer(checkTime)
	defer t.Stop()
	select {
	case err = <-done:
	case <-t.C:
		err = errors.New("it takes too long to be looked at")
	}
	if err != nil {
		return fmt.Errorf("what stands behind %s is not as the service %s wants it: %w", ref, scheme, scrub(err, address))
	}
	return nil
}

// Check looks at every service and returns the faults that Faults then returns. It blocks on
// the disk.
func (n *Notifier) Check() []Fault {
	for _, s := range n.services {
		if err := CheckAddress(n.opt.Secret, s.URL); err != nil {
			s.setFault(err.Error())
		} else {
			s.setFault("")
		}
	}
	return n.Faults()
}

// Faults returns the services that cannot be told anything: those whose address is wrong, and
// those that did not take the last message. It does not block.
func (n *Notifier) Faults() []Fault {
	var out []Fault
	for _, s := range n.services {
		s.mu.Lock()
		if s.fault != "" {
			out = append(out, Fault{s.Name, s.fault})
		}
		s.mu.Unlock()
	}
	return out
}

func (s *service) setFault(text string) {
	s.mu.Lock()
	s.fault = text
	s.mu.Unlock()
}

// Test sends a message to the service of that name at once and returns what came of it; the
// error shows nothing of the address. It blocks on the network for at most 20 seconds.
func (n *Notifier) Test(ctx context.Context, name string) error {
	i := slices.IndexFunc(n.services, func(s *service) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no notice %q", name)
	}
	s := n.services[i]
	if err := CheckAddress(n.opt.Secret, s.URL); err != nil {
		return err
	}
	return n.try(ctx, s, n.opt.Site+": a test of the notices to "+name)
}
