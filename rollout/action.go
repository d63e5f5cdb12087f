package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/sitefile"
)

// Check says what is wrong with an action; nil if nothing is.
func (a Action) Check() error {
	switch a.Kind {
	case Reboot, LED, Sleep, Wake:
	case Pools:
		if len(a.Pools) == 0 || len(a.Pools) > sitefile.MaxPools {
			return fmt.Errorf("name one to %d pools", sitefile.MaxPools)
		}
		for i, p := range a.Pools {
			if err := p.check(); err != nil {
				return fmt.Errorf("pool %d: %w", i+1, err)
			}
		}
	case Password:
		if !sitefile.IsReference(a.PasswordRef) {
			return errors.New(`the new password is named as "env:NAME" or "file:PATH" on the controller; a secret itself is not taken`)
		}
	case Profile:
		if strings.TrimSpace(a.Profile) == "" {
			return errors.New("name the profile")
		}
	default:
		names := make([]string, 0, len(Kinds()))
		for _, k := range Kinds() {
			names = append(names, string(k))
		}
		return fmt.Errorf("%q is no action; it can be %s", a.Kind, strings.Join(names, ", "))
	}
	return nil
}

func (p Pool) check() error {
	if err := sitefile.CheckPoolURL(p.URL); err != nil {
		return err
	}
	if err := sitefile.CheckWorker(p.Worker); err != nil {
		return err
	}
	if p.PasswordRef != "" && !sitefile.IsReference(p.PasswordRef) {
		return errors.New(`its password is named as "env:NAME" or "file:PATH" on the controller; a secret itself is not taken`)
	}
	return nil
}

// acts are the kinds that a driver carries out.
var acts = map[Kind]site.Act{Reboot: site.ActReboot, Pools: site.ActPools, LED: site.ActLED, Password: site.ActPassword, Profile: site.ActProfile}

// verb says what is done, for sentences: "to reboot".
func (a Action) verb() string {
	switch a.Kind {
	case Pools:
		return "set the pools of"
	case LED:
		if a.On {
			return "light the LED of"
		}
		return "end the LED of"
	case Password:
		return "change the password of"
	case Profile:
		return fmt.Sprintf("choose the profile %q of", a.Profile)
	case Sleep:
		return "put to sleep"
	}
	return string(a.Kind)
}

// Sentence says what is done on how many devices, with what people should know of it.
func (a Action) Sentence(do int) string {
	s := fmt.Sprintf("%s %s", a.verb(), plural(do, "device"))
	switch a.Kind {
	case Pools:
		urls := make([]string, len(a.Pools))
		for i, p := range a.Pools {
			urls[i] = p.URL + " as " + p.Worker
		}
		s += " to " + strings.Join(urls, ", then ")
	case Sleep:
		s += ": they are held asleep until they are released"
	case Wake:
		s += ": they are released, and follow the market again"
	case Password:
		s += " to that of " + a.PasswordRef + "; name it in the site file's credentials before the controller starts again"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// resolve makes what a driver is told, with secrets read this moment.
func (a Action) resolve(id site.DeviceID, host string, secret func(ref string) (string, error)) (driver.Action, error) {
	out := driver.Action{Act: acts[a.Kind], On: a.On, Profile: a.Profile}
	if a.Kind == Password {
		s, err := secret(a.PasswordRef)
		if err != nil {
			return out, err
		}
		out.Password = driver.Secret(s)
	}
	for _, p := range a.Pools {
		password := "x"
		if p.PasswordRef != "" {
			var err error
			if password, err = secret(p.PasswordRef); err != nil {
				return out, err
			}
		}
		out.Pools = append(out.Pools, driver.Pool{URL: p.URL, Worker: sitefile.WorkerOf(p.Worker, id, host), Password: driver.Secret(password)})
	}
	return out, nil
}

// Candidate is a device that an action may be done on, with what is known of it.
type Candidate struct {
	ID   site.DeviceID
	Caps site.Opt[site.Capabilities]
	// Lost is why it gives no readings now; empty if it answers.
	Lost string
	// Asleep says who holds it asleep or put it so; empty: nobody. That is what wake ends.
	Asleep string
	// Busy names who has it in hand, such as another rollout; empty: nobody.
	Busy string
}

// Plan says of each device in which wave it is told, or why not. The order stays.
func Plan(a Action, wave int, devices []Candidate) []Item {
	if wave <= 0 {
		wave = DefaultWave
	}
	out := make([]Item, len(devices))
	n := 0
	for i, d := range devices {
		out[i] = Item{Device: d.ID, State: Pending}
		if why := a.skip(d); why != "" {
			out[i].State, out[i].Reason = Skipped, why
			continue
		}
		out[i].Wave = n/wave + 1
		n++
	}
	return out
}

// skip says why an action is not for a device; empty if it is.
func (a Action) skip(d Candidate) string {
	switch {
	case d.Busy != "":
		return d.Busy + " has it in hand"
	case !d.Caps.OK:
		return "it was never reached, so what it can do is not known"
	case d.Lost != "":
		return "it does not answer: " + d.Lost
	}
	c := d.Caps.V
	act, isAct := acts[a.Kind]
	switch {
	case isAct && !c.Acts.Has(act):
		return fmt.Sprintf("its firmware or its driver cannot do it (%s)", a.Kind)
	case a.Kind == Profile && !slices.ContainsFunc(c.Profiles, func(p site.Profile) bool { return p.Name == a.Profile }):
		return fmt.Sprintf("it has no profile %q", a.Profile)
	case a.Kind == Sleep && !c.Sleep:
		return "it cannot sleep and stay reachable"
	case a.Kind == Sleep && d.Asleep != "":
		return "it is asleep already, by " + d.Asleep
	case a.Kind == Wake && d.Asleep == "":
		return "nobody holds it asleep; it follows the market"
	}
	return ""
}

// Waves returns how many waves a plan has, and how many devices are told and skipped.
func Waves(items []Item) (waves, do, skip int) {
	for _, i := range items {
		waves = max(waves, i.Wave)
		if i.State == Skipped {
			skip++
		} else {
			do++
		}
	}
	return waves, do, skip
}
