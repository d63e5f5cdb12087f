package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// text says what was seen, with figures.
func (e *Engine) text(now time.Time, r Rule, d *Device, s *slot) string {
	x := d.Sample
	switch r {
	case DeadBoard:
		return deadText(x, s)
	case Hot:
		return fmt.Sprintf("its hottest chip is at %.0f °C; hot is %.0f °C", hottest(x).V, e.lim.ChipTemp)
	case Fan:
		return fmt.Sprintf("%s of %d stand still: %v rpm", plural(stopped(x, s), "fan"), len(x.Fans), x.Fans)
	case LowHashrate:
		full, at := expected(d), ""
		if t := x.Target; t.OK && !d.Expect.OK && t.V < d.Nameplate {
			at = " at a limit of " + t.V.Short()
		}
		return fmt.Sprintf("it hashes with %s, %.0f %% of the %s expected of it%s", x.Hashrate.V.Short(), 100*float64(x.Hashrate.V)/full, unit.Hashrate(full).Short(), at)
	case WrongPool:
		p, _ := working(x)
		text := fmt.Sprintf("it works for %s as %q, and the site file names %s as %q", p.URL, p.Worker, d.Pools[0].URL, d.Pools[0].Worker)
		return text
	case Flapping:
		n := 0
		for _, t := range s.restarts {
			if !t.IsZero() && now.Sub(t) < time.Hour {
				n++
			}
		}
		return fmt.Sprintf("it restarted %s within an hour without being told to", plural(n, "time"))
	case Stale:
		return staleText(d)
	case NotHashing:
		return notHashingText(x, s)
	case Fault:
		return "its firmware says: " + some(x.Faults)
	}
	return "another device answers at its address: " + stranger(d)
}

func deadText(x *site.Sample, s *slot) string {
	var still []string
	for i := range x.Boards {
		if !x.Boards[i].Working {
			still = append(still, strconv.Itoa(i+1))
		}
	}
	text := fmt.Sprintf("%d of %s do not hash", dead(x, s), plural(int(s.boards), "board"))
	if len(still) > 0 {
		text += ": number " + strings.Join(still, ", ")
	}
	if missing := int(s.boards) - len(x.Boards); missing > 0 {
		text += fmt.Sprintf(" (%d not found by the firmware)", missing)
	}
	return text
}

func staleText(d *Device) string {
	if d.Sample == nil {
		return "no reading ever came" + because(d.Err)
	}
	return fmt.Sprintf("no reading since %s UTC%s", d.Sample.At.UTC().Format("2006-01-02 15:04"), because(d.Err))
}

func notHashingText(x *site.Sample, s *slot) string {
	text := "it hashes with nothing though it says that it hashes"
	switch x.State {
	case site.StateFault:
		text = "it is to hash and is in fault"
	case site.StateStarting:
		text = fmt.Sprintf("it has been starting since %s UTC", s.starting.UTC().Format("15:04"))
	}
	if len(x.Faults) > 0 {
		text += ": " + some(x.Faults)
	}
	return text
}

// some prints the first faults; firmwares name up to hundreds.
func some(faults []string) string {
	const most = 5
	f := slices.Clone(faults[:min(len(faults), most)])
	for i := range f {
		if len(f[i]) > 200 {
			f[i] = f[i][:200]
		}
	}
	text := strings.ToValidUTF8(strings.Join(f, ", "), "")
	if n := len(faults) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// because is the cause in an error's chain of words.
func because(err error) string {
	if c := cause(err); c != "" {
		return ": " + c
	}
	return ""
}

// cause is what many devices' errors have in common: without their names and addresses.
func cause(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	parts := strings.Split(strings.TrimSuffix(err.Error(), ": unreachable"), ": ")
	return parts[len(parts)-1]
}

// todo says what would help.
func (r Rule) todo() string {
	switch r {
	case DeadBoard:
		return "reboot it once; if the board stays dead, check its cables and power supply, then replace it"
	case Hot:
		return "check fans, filters and the hall's air; lower its power until it is cool"
	case Fan:
		return "replace the fan before the chips get hot"
	case LowHashrate:
		return "compare its boards and chips; reboot it, and if that does not help have it looked at"
	case WrongPool:
		return "set its pools with `switchyard fleet pools`; if somebody changed them, change its password too"
	case Flapping:
		return "check its power supply and cables; then its firmware"
	case Stale:
		return "check that it has power and network, and that nobody took it away"
	case NotHashing:
		return "reboot it; if it stays so, its firmware's log says why"
	case Fault:
		return "look the fault up in the maker's list"
	}
	return "find out which device is where, and correct the addresses in the site file or the DHCP server"
}
