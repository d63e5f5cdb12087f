package antminer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// maxChains bounds the numbered keys of the old form: no control board has more.
	maxChains = 16
	// mostHash is more than any miner does.
	mostHash = 100 * unit.PetaHash
)

// stats is a reply of `stats`, in the old form (numbered keys) or the new one (lists).
type stats struct {
	head rpc.Object // who it is
	body rpc.Object // what it does; nil if it was not asked
	cut  bool       // its end is missing
}

// parseStats reads a reply of RPC `stats` or of stats.cgi.
func parseStats(data []byte) (stats, error) { return readStats(rpc.Parse(data)) }

func readStats(r rpc.Reply, err error) (stats, error) {
	if err != nil {
		return stats{}, err
	}
	r = r.Command("stats")
	if err := r.Status().Err(); err != nil {
		return stats{}, fmt.Errorf("command stats: %w", err)
	}
	st := stats{head: r.Object.Object("INFO"), cut: r.Truncated}
	for _, o := range r.Objects("STATS") {
		if o.Text("Type", "miner_type") != "" && st.head == nil {
			st.head = o
		}
		for _, key := range []string{"Elapsed", "GHS 5s", "rate_5s", "chain", "chain_acn1"} {
			if _, ok := o.Get(key); ok && st.body == nil {
				st.body = o
			}
		}
	}
	if st.body == nil {
		return stats{}, fmt.Errorf("reply holds no stats: %w", driver.ErrUnreachable)
	}
	return st, nil
}

// named is what a reply says of who sent it, as it was sent.
type named struct{ model, miner, compiled string }

func (st stats) named() named { return header(st.head) }

func (st stats) identity() site.Identity { return st.named().identity() }

// header reads the object that holds Type and CompileTime.
func header(o rpc.Object) named {
	return named{o.Text("Type", "miner_type"), o.Text("Miner", "miner_version"), o.Text("CompileTime")}
}

func (n named) clone() named {
	return named{strings.Clone(n.model), strings.Clone(n.miner), strings.Clone(n.compiled)}
}

func (n named) identity() site.Identity {
	var id site.Identity
	id.Make, id.Model = driver.SplitBrand(n.model)
	if id.Make == "" && id.Model != "" {
		id.Make = "Antminer"
	}
	id.Firmware = strings.TrimSpace(n.miner + " " + n.compiled)
	return id
}

// fill writes what the reply tells into s.
func (st stats) fill(s *site.Sample) {
	if st.body == nil {
		return
	}
	s.Hashrate = total(st.body, "GHS 5s", "MHS 5s", "THS 5s", "rate_5s")
	if !s.Hashrate.OK && !st.cut {
		s.Hashrate = total(st.body, "GHS av", "MHS av", "THS av", "rate_avg")
	}
	s.Power = power(st.body)
	if e := st.body.Float("Elapsed"); e.OK && e.V >= 0 && e.V < 1e9 {
		s.Uptime = site.Some(time.Duration(e.V * float64(time.Second)))
	}
	if st.cut { // lists may be short: the hottest chip may be the one that is missing
		return
	}
	if chains := st.body.Objects("chain"); chains != nil {
		s.Boards = newBoards(st.body, chains)
	} else {
		s.Boards = oldBoards(st.body, s.Hashrate)
	}
	s.Intake = water(st, s.Boards)
	s.Fans = fans(st.body)
	hashing := s.Hashrate.OK && s.Hashrate.V > 0
	if hashing && !slices.ContainsFunc(s.Fans, func(rpm int) bool { return rpm > 0 }) {
		s.Fans = nil // cooled by water or oil: the places of the fans are told all the same
	}
}

// total is the miner's hashrate. Its unit is rate_unit where there is one: the old form calls
// its keys GHS on machines of other algorithms, too.
func total(o rpc.Object, keys ...string) site.Opt[unit.Hashrate] {
	name := o.Text("rate_unit")
	if name == "" {
		return o.Hashrate(keys...)
	}
	scale, ok := rpc.Unit(name)
	if !ok {
		return site.Opt[unit.Hashrate]{}
	}
	for _, key := range keys {
		if h := rate(o, key, scale); h.OK {
			return h
		}
	}
	return site.Opt[unit.Hashrate]{}
}

// power returns the watts that the firmware tells. A miner that answers draws something:
// 0 W means that there is no sensor. The figure may be text that ends in its unit.
func power(o rpc.Object) site.Opt[unit.Power] {
	for _, key := range []string{"watt", "watts", "power", "chain_power"} {
		v, _ := o.Get(key)
		if s, ok := v.(string); ok {
			v = strings.TrimSpace(strings.TrimRight(strings.Trim(strings.TrimSpace(s), "()"), "wW"))
		}
		if w, ok := rpc.Float(v); ok && w > 0 && w < 1e5 {
			return site.Some(unit.Watts(w))
		}
	}
	return site.Opt[unit.Power]{}
}

func newBoards(body rpc.Object, chains []rpc.Object) []site.Board {
	scale, known := rpc.Unit(body.Text("rate_unit"))
	boards := make([]site.Board, 0, len(chains))
	for _, c := range chains {
		b := site.Board{ChipTemp: hottest(c, "temp_chip"), PCBTemp: hottest(c, "temp_pcb"), Chips: c.Int("asic_num")}
		if u, ok := rpc.Unit(c.Text("rate_unit")); ok {
			b.Hashrate = rate(c, "rate_real", u)
		} else if known {
			b.Hashrate = rate(c, "rate_real", scale)
		}
		b.Working = b.Hashrate.OK && b.Hashrate.V > 0
		boards = append(boards, b)
	}
	return boards
}

// oldBoards reads chain_rate1, temp_chip1 and so on. A slot with no chips, no rate and no
// status is empty.
func oldBoards(o rpc.Object, all site.Opt[unit.Hashrate]) []site.Board {
	scale, known := chainUnit(o, all)
	var boards []site.Board
	for i := 1; i <= maxChains; i++ {
		n := strconv.Itoa(i)
		chips := o.Int("chain_acn" + n)
		if chips.Or(0) == 0 && o.Text("chain_acs"+n) == "" && o.Float("chain_rate"+n).Or(0) == 0 {
			continue
		}
		b := site.Board{
			Chips:    chips,
			ChipTemp: hottest(o, "temp_chip"+n, "temp2_"+n, "temp_out_chip_"+n, "temp_in_chip_"+n),
			PCBTemp:  hottest(o, "temp_pcb"+n, "temp"+n, "temp_out_pcb_"+n, "temp_in_pcb_"+n),
		}
		if known {
			b.Hashrate = rate(o, "chain_rate"+n, scale)
		}
		b.Working = b.Hashrate.OK && b.Hashrate.V > 0
		boards = append(boards, b)
	}
	return boards
}

// chainUnit is the unit of chain_rate1 and the others, whose keys name none: that in which their
// sum agrees with the miner's hashrate all, which is not always rate_unit. Where nothing is
// hashed it is rate_unit.
func chainUnit(o rpc.Object, all site.Opt[unit.Hashrate]) (unit.Hashrate, bool) {
	var sum unit.Hashrate
	for i := 1; i <= maxChains; i++ {
		sum += unit.Hashrate(o.Float("chain_rate" + strconv.Itoa(i)).Or(0))
	}
	told, ok := rpc.Unit(o.Text("rate_unit"))
	if !all.OK || all.V <= 0 || sum <= 0 {
		return told, ok
	}
	for _, u := range []unit.Hashrate{told, unit.GigaHash, unit.MegaHash, unit.TeraHash} {
		if u > 0 && sum*u > all.V/2 && sum*u < all.V*2 {
			return u, true
		}
	}
	return 0, false
}

// water reads the inlet of the water on those hydro machines whose firmware tells it among the
// boards' temperatures, and takes it out of them. The S21 Hyd. and S21 XP Hyd. may have inlet and
// outlet and two zeros for their chips; the S21+ Hyd. has the inlet first and the outlet third of
// its board's sensors, and its chip as the first of the controllers'.
func water(st stats, boards []site.Board) site.Opt[float64] {
	var low site.Opt[float64]
	take := func(c float64) {
		if c > 0 && c < 100 && (!low.OK || c < low.V) {
			low = site.Some(c)
		}
	}
	_, model := driver.SplitBrand(st.named().model)
	model = strings.ToUpper(strings.ReplaceAll(model, " ", ""))
	if !strings.HasPrefix(model, "S21") || !strings.Contains(model, "HYD") {
		return low
	}
	for i, c := range st.body.Objects("chain") {
		if i >= len(boards) {
			break
		}
		chip, pcb, pic := four(c, "temp_chip"), four(c, "temp_pcb"), four(c, "temp_pic")
		switch {
		case strings.HasPrefix(model, "S21+") && pcb != nil && pic != nil:
			take(pcb[0])
			boards[i].ChipTemp = sensor(pic[0])
			boards[i].PCBTemp = sensor(max(pcb[1], pcb[3], pic[1], pic[2], pic[3]))
		case chip != nil && chip[0] > 0 && chip[1] > 0 && chip[2] == 0 && chip[3] == 0:
			take(chip[0])
			boards[i].ChipTemp = site.Opt[float64]{}
		}
	}
	return low
}

// four reads a list of exactly four numbers, else nothing.
func four(o rpc.Object, key string) []float64 {
	v, _ := o.Get(key)
	list, _ := v.(rpc.Array)
	var all []float64
	for _, e := range list {
		if f, ok := rpc.Float(e); ok {
			all = append(all, f)
		}
	}
	if len(list) != 4 || len(all) != 4 {
		return nil
	}
	return all
}

// sensor is a temperature, if a sensor that works says it.
func sensor(c float64) site.Opt[float64] {
	if !(c > 0 && c < 200) {
		return site.Opt[float64]{}
	}
	return site.Some(c)
}

func rate(o rpc.Object, key string, scale unit.Hashrate) site.Opt[unit.Hashrate] {
	f := o.Float(key)
	h := unit.Hashrate(f.V) * scale
	if !f.OK || f.V < 0 || h > mostHash {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(h)
}

// hottest returns the highest temperature under the first of keys that has any: a number, a
// list or text like "78-50-69-70". 0 is a sensor that is not there.
func hottest(o rpc.Object, keys ...string) site.Opt[float64] {
	for _, key := range keys {
		v, _ := o.Get(key)
		var all []any
		switch v := v.(type) {
		case rpc.Array:
			all = v
		case string:
			if _, one := rpc.Float(v); one { // it may be below zero
				all = []any{v}
				break
			}
			for _, part := range strings.Split(v, "-") {
				all = append(all, part)
			}
		default:
			all = []any{v}
		}
		top := math.Inf(-1)
		for _, e := range all {
			if f, ok := rpc.Float(e); ok && f > 0 && f < 200 && f > top {
				top = f
			}
		}
		if top > 0 {
			return site.Some(top)
		}
	}
	return site.Opt[float64]{}
}

// fans returns the speeds: the list of the new form, or fan1 to fan<fan_num>. Where the
// turning fans have higher numbers than that, as on the S9, only those count.
func fans(o rpc.Object) []int {
	if v, ok := o.Get("fan"); ok {
		list, _ := v.(rpc.Array)
		var all []int
		for _, e := range list {
			if f, ok := rpc.Float(e); ok && f >= 0 && f < 1e5 {
				all = append(all, int(f))
			}
		}
		return all
	}
	num := o.Int("fan_num").Or(0)
	var first, turning []int
	for i := 1; i <= maxChains; i++ {
		rpm := o.Int("fan" + strconv.Itoa(i))
		if !rpm.OK || rpm.V < 0 {
			continue
		}
		if i <= num {
			first = append(first, rpm.V)
		} else if rpm.V > 0 {
			num = 0
		}
		if rpm.V > 0 {
			turning = append(turning, rpm.V)
		}
	}
	if num > 0 {
		return first
	}
	return turning
}

// parsePools reads RPC `pools`. Slots without an address are left out.
func parsePools(r rpc.Reply) []site.Pool {
	pools := []site.Pool{}
	for _, p := range r.Command("pools").Objects("POOLS") {
		if url := p.Text("URL"); url != "" {
			pools = append(pools, site.Pool{URL: strings.Clone(url), Worker: strings.Clone(p.Text("User")), Active: p.Bool("Stratum Active").Or(false)})
		}
	}
	return pools
}

// parseFaults reads the checks in summary.cgi whose status is not "s".
func parseFaults(data []byte) []string {
	r, err := rpc.Parse(data)
	if err != nil {
		return nil
	}
	var faults []string
	for _, sum := range r.Objects("SUMMARY") {
		for _, check := range sum.Objects("status") {
			if st := check.Text("status"); st != "" && st != "s" {
				faults = append(faults, strings.TrimSpace(check.Text("type")+" "+check.Text("code")+" "+check.Text("msg")))
			}
		}
	}
	return faults
}
