package braiins

import (
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// The replies of the REST API, as far as they are used. Pointers tell what was not sent
// from what is zero.

// figure is a number, which a firmware may write as text. What is none is NaN, which no figure
// is above, below or equal to: the rest of the reply stands.
type figure float64

// UnmarshalJSON reads it.
func (f *figure) UnmarshalJSON(text []byte) error {
	v, ok := rpc.Float(strings.Trim(string(text), `"`))
	if !ok {
		v = math.NaN()
	}
	*f = figure(v)
	return nil
}

// count is a whole number below a bound that no miner reaches.
func (f *figure) count() site.Opt[int] {
	if f == nil || !(*f >= 0 && *f < 1e5) {
		return site.Opt[int]{}
	}
	return site.Some(int(math.Round(float64(*f))))
}

// duration is a count of seconds above 0.
func (f *figure) duration() site.Opt[time.Duration] {
	if f == nil || !(*f > 0 && *f < 1e9) {
		return site.Opt[time.Duration]{}
	}
	return site.Some(time.Duration(float64(*f) * float64(time.Second)))
}

type watt struct {
	Watt *figure `json:"watt"`
}

// known returns the power; what is not above 0 W is unknown: a miner that answers draws some.
func (w *watt) known() site.Opt[unit.Power] {
	if w == nil || w.Watt == nil || !(*w.Watt > 0 && *w.Watt < 1e6) {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(float64(*w.Watt)))
}

// mostHash is more than any miner does.
const mostHash = 100 * unit.PetaHash

// gigahash is a hashrate whose key names its unit; the API uses the first two.
type gigahash struct {
	Giga *figure `json:"gigahash_per_second"`
	Tera *figure `json:"terahash_per_second"`
	Mega *figure `json:"megahash_per_second"`
}

func (g *gigahash) known() site.Opt[unit.Hashrate] {
	if g == nil {
		return site.Opt[unit.Hashrate]{}
	}
	for _, f := range []struct {
		v     *figure
		scale unit.Hashrate
	}{{g.Giga, unit.GigaHash}, {g.Tera, unit.TeraHash}, {g.Mega, unit.MegaHash}} {
		if f.v != nil && *f.v >= 0 && unit.Hashrate(*f.v)*f.scale < mostHash {
			return site.Some(unit.Hashrate(*f.v) * f.scale)
		}
	}
	return site.Opt[unit.Hashrate]{}
}

type degree struct {
	C *figure `json:"degree_c"`
}

// known returns the temperature; a sensor that is lost says 0 or nonsense.
func (d *degree) known() site.Opt[float64] {
	if d == nil {
		return site.Opt[float64]{}
	}
	return celsius(d.C)
}

func celsius(c *figure) site.Opt[float64] {
	if c == nil || *c == 0 || *c == -1 || !(*c >= -50 && *c <= 200) {
		return site.Opt[float64]{}
	}
	return site.Some(float64(*c))
}

type workStats struct {
	Real struct {
		S5  *gigahash `json:"last_5s"`
		S15 *gigahash `json:"last_15s"`
		M1  *gigahash `json:"last_1m"`
	} `json:"real_hashrate"`
}

func (w *workStats) rate() site.Opt[unit.Hashrate] {
	if w == nil {
		return site.Opt[unit.Hashrate]{}
	}
	for _, g := range []*gigahash{w.Real.S5, w.Real.S15, w.Real.M1} {
		if h := g.known(); h.OK {
			return h
		}
	}
	return site.Opt[unit.Hashrate]{}
}

// stats is miner/stats.
type stats struct {
	Miner *workStats `json:"miner_stats"`
	Power *struct {
		Approximated *watt `json:"approximated_consumption"`
	} `json:"power_stats"`
}

func (st stats) fill(s *site.Sample) {
	s.Hashrate = st.Miner.rate()
	if st.Power != nil {
		s.Power = st.Power.Approximated.known()
	}
}

// The firmware's miner status.
const (
	statusNotStarted = 1
	statusNormal     = 2
	statusPaused     = 3
	statusSuspended  = 4
	statusRestricted = 5
)

// booting is how long after power-on a miner that has not started is on its way.
const booting = 180

// details is miner/details.
type details struct {
	Identity *struct {
		Name  string `json:"name"`
		Model string `json:"miner_model"`
	} `json:"miner_identity"`
	Version struct {
		Current string `json:"current"`
	} `json:"bos_version"`
	MAC      string  `json:"mac_address"`
	Serial   *string `json:"serial_number"`
	Status   *figure `json:"status"`
	Bosminer *figure `json:"bosminer_uptime_s"` // 0: it does not run
	System   *figure `json:"system_uptime_s"`
	Before   *figure `json:"system_uptime"` // its name in the first versions
}

// system is how long the control board has been up, in seconds.
func (d details) system() *figure {
	if d.System != nil {
		return d.System
	}
	return d.Before
}

func (d details) identity() site.Identity {
	id := site.Identity{Firmware: d.Version.Current, MAC: d.MAC}
	if d.Serial != nil {
		id.Serial = *d.Serial
	}
	if d.Identity != nil {
		name := d.Identity.Model
		if name == "" {
			name = d.Identity.Name
		}
		id.Make, id.Model = driver.SplitBrand(name)
		if id.Make == "" && id.Model != "" {
			id.Make = "Braiins" // its own machines carry no other brand
		}
	}
	return id
}

func (d details) uptime() site.Opt[time.Duration] {
	for _, up := range []*figure{d.Bosminer, d.system()} {
		if known := up.duration(); known.OK {
			return known
		}
	}
	return site.Opt[time.Duration]{}
}

// resting says whether it was told to rest: paused, or its process stopped.
func (d details) resting() bool {
	if d.Status == nil {
		return false
	}
	up := d.system()
	started := up != nil && *up < booting
	return *d.Status == statusPaused || *d.Status == statusNotStarted && !started
}

// state joins what the miner does with what it says.
func (d details) state(h site.Opt[unit.Hashrate]) site.State {
	switch {
	case h.OK && h.V > 0: // whatever it says: its last five seconds count
		return site.StateHashing
	case d.Status == nil:
	case d.resting():
		return site.StateSleeping
	case *d.Status == statusNormal, *d.Status == statusNotStarted:
		return site.StateStarting
	case *d.Status == statusSuspended, *d.Status == statusRestricted:
		return site.StateFault
	}
	return site.StateUnknown
}

// boards is miner/hw/hashboards.
type boards struct {
	List []struct {
		Enabled *bool   `json:"enabled"`
		Chips   *figure `json:"chips_count"`
		Chip    *struct {
			Temp *degree `json:"temperature"`
		} `json:"highest_chip_temp"`
		Board *degree    `json:"board_temp"`
		Inlet *degree    `json:"lowest_inlet_temp"`
		Stats *workStats `json:"stats"`
	} `json:"hashboards"`
}

func (b boards) list() []site.Board {
	var all []site.Board
	for _, h := range b.List {
		out := site.Board{Hashrate: h.Stats.rate(), PCBTemp: h.Board.known()}
		if h.Chip != nil {
			out.ChipTemp = h.Chip.Temp.known()
		}
		out.Chips = h.Chips.count()
		out.Working = (h.Enabled == nil || *h.Enabled) && out.Hashrate.OK && out.Hashrate.V > 0
		all = append(all, out)
	}
	return all
}

// intake is the coolest inlet of all boards.
func (b boards) intake() site.Opt[float64] {
	var low site.Opt[float64]
	for _, h := range b.List {
		if c := h.Inlet.known(); c.OK && (!low.OK || c.V < low.V) {
			low = c
		}
	}
	return low
}

// cooling is cooling/state.
type cooling struct {
	Fans []struct {
		RPM *figure `json:"rpm"`
	} `json:"fans"`
}

func (c cooling) rpm() []int {
	var all []int
	for _, f := range c.Fans {
		if rpm := f.RPM.count(); rpm.OK {
			all = append(all, rpm.V)
		}
	}
	return all
}

// tuner is performance/tuner-state.
type tuner struct {
	Mode *struct {
		Power *struct {
			Current *watt `json:"current_target"`
		} `json:"powertargetmodestate"`
	} `json:"mode_state"`
	// Power is where gRPC has it.
	Power *struct {
		Current *watt `json:"current_target"`
	} `json:"power_target_mode_state"`
}

// target is unknown where the tuner follows a hashrate or nothing.
func (t tuner) target() site.Opt[unit.Power] {
	switch {
	case t.Power != nil:
		return t.Power.Current.known()
	case t.Mode != nil && t.Mode.Power != nil:
		return t.Mode.Power.Current.known()
	}
	return site.Opt[unit.Power]{}
}

// constraints is configuration/constraints.
type constraints struct {
	Tuner *struct {
		Power *struct {
			Default, Min, Max *watt
		} `json:"power_target"`
	} `json:"tuner_constraints"`
	Boards *struct {
		Ramp *struct {
			Default, Min *figure
		} `json:"quick_ramping_time_s"`
	} `json:"hashboards_constraints"`
}

// ramping are the least time of quick ramping and its default, in seconds; false where the
// firmware has none.
func (c constraints) ramping() (least, standard uint32, ok bool) {
	if c.Boards == nil || c.Boards.Ramp == nil {
		return 0, 0, false
	}
	low, usual := c.Boards.Ramp.Min, c.Boards.Ramp.Default
	if low == nil || usual == nil || !(*low >= 0 && *low <= *usual && *usual < 1e5) {
		return 0, 0, false
	}
	return max(uint32(*low), 1), max(uint32(*usual), 1), true
}

// configuration is configuration/miner, as far as quick ramping goes.
type configuration struct {
	Boards *struct {
		Up   *uint32 `json:"quick_ramping_time_up_s"`
		Down *uint32 `json:"quick_ramping_time_down_s"`
	} `json:"hashboard_config"`
}

func (c constraints) targets() (r site.Opt[site.Range], full site.Opt[unit.Power]) {
	if c.Tuner == nil || c.Tuner.Power == nil {
		return r, full
	}
	p := c.Tuner.Power
	full = p.Default.known()
	lo, hi := p.Min.known(), p.Max.known()
	if lo.OK && hi.OK && lo.V <= hi.V {
		r = site.Some(site.Range{Min: lo.V, Max: hi.V})
	}
	return r, full
}

// poolGroup is one of the list that pools answers.
type poolGroup struct {
	Pools []struct {
		URL    string `json:"url"`
		User   string `json:"user"`
		Active bool   `json:"active"`
	} `json:"pools"`
}

func pools(groups []poolGroup) []site.Pool {
	var all []site.Pool
	for _, g := range groups {
		for _, p := range g.Pools {
			all = append(all, site.Pool{URL: p.URL, Worker: p.User, Active: p.Active})
		}
	}
	return all
}

// minerErrors is miner/errors, which keeps what happened since the last start.
type minerErrors struct {
	Errors []struct {
		Timestamp string
		Message   string
		Codes     []struct{ Code, Reason string } `json:"error_codes"`
	} `json:"errors"`
}

const (
	// recentFor is how long an error counts as present.
	recentFor = time.Hour
	// maxFaults bounds how many are told.
	maxFaults = 16
)

// recent returns each error of the last hour once, newest last. The device's clock is
// believed: one that is wrong tells no faults.
func (e minerErrors) recent(now time.Time) []string {
	var all []string
	for _, m := range e.Errors {
		at, err := time.Parse(time.RFC3339, m.Timestamp)
		if err != nil || now.Sub(at) > recentFor || at.Sub(now) > recentFor {
			continue
		}
		text := strings.TrimSpace(m.Message)
		if len(m.Codes) > 0 && m.Codes[0].Code != "" {
			text = m.Codes[0].Code + ": " + m.Codes[0].Reason
		}
		if i := slices.Index(all, text); i >= 0 {
			all = slices.Delete(all, i, i+1)
		}
		all = append(all, text)
	}
	return all[max(0, len(all)-maxFaults):]
}
