package modbus

import (
	"math"
	"slices"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

// block is a row of registers that may be read together; first is the address on the
// wire, from 0.
type block struct {
	first int
	regs  []uint16
}

var layouts = map[string]func(plant.MeterView, *plant.Meter) []block{
	"sunspec":          sunspec,
	"schneider-pm5000": schneider,
	"generic":          generic,
}

// Layouts returns the names of the register layouts, sorted.
func Layouts() []string {
	names := make([]string, 0, len(layouts))
	for n := range layouts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// put writes big-endian words of 16 bits, the most significant first.
func (b block) put(at int, words ...uint16) { copy(b.regs[at-b.first:], words) }
func (b block) u32(at int, v uint32)        { b.put(at, uint16(v>>16), uint16(v)) }
func (b block) u64(at int, v uint64) {
	b.put(at, uint16(v>>48), uint16(v>>32), uint16(v>>16), uint16(v))
}
func (b block) float(at int, v float64) { b.u32(at, math.Float32bits(float32(v))) }

// text writes a string of n registers, padded with NUL.
func (b block) text(at, n int, s string) {
	for i := range n {
		var w uint16
		if 2*i < len(s) {
			w = uint16(s[2*i]) << 8
		}
		if 2*i+1 < len(s) {
			w |= uint16(s[2*i+1])
		}
		b.put(at+i, w)
	}
}

func wattHours(e unit.Energy) uint64 { return uint64(max(e, 0) / unit.WattHour) }

// generic is the layout of the shipped "generic" profile: 0-1 active power in W, signed;
// 2-5 imported energy in Wh; 6 a counter that grows with every measurement.
func generic(v plant.MeterView, _ *plant.Meter) []block {
	b := block{0, make([]uint16, 7)}
	b.u32(0, uint32(int32(math.Round(v.Power.Watts()))))
	b.u64(2, wattHours(v.Energy))
	b.put(6, uint16(v.Updates))
	return []block{b}
}

func mean(x [3]float64) float64 { return (x[0] + x[1] + x[2]) / 3 }

// schneider follows the public register list of the PowerLogic PM5000 series. The list
// counts registers from 1; the wire from 0, so that register 3060 is address 3059.
func schneider(v plant.MeterView, m *plant.Meter) []block {
	at := func(register int) int { return register - 1 }
	names := block{at(30), make([]uint16, 60)}
	names.text(at(30), 20, m.Node())
	names.text(at(50), 20, "PM5560")
	names.text(at(70), 20, "Schneider Electric")

	now := block{at(3000), make([]uint16, 112)}
	for r := 3000; r < 3112; r += 2 {
		now.u32(at(r), 0xFFC00000) // "not available" is NaN
	}
	for i := range 3 {
		now.float(at(3000+2*i), v.Current[i])
		now.float(at(3020+2*i), v.VoltageLL[i])
		now.float(at(3028+2*i), v.VoltageLN[i])
		now.float(at(3054+2*i), v.Power.Watts()/3e3)
		now.float(at(3062+2*i), v.Reactive/3e3)
		now.float(at(3070+2*i), v.Apparent/3e3)
	}
	now.float(at(3010), mean(v.Current))
	now.float(at(3026), mean(v.VoltageLL))
	now.float(at(3036), mean(v.VoltageLN))
	now.float(at(3060), v.Power.Watts()/1e3) // kW
	now.float(at(3068), v.Reactive/1e3)
	now.float(at(3076), v.Apparent/1e3)
	now.float(at(3084), v.PowerFactor)
	now.float(at(3110), v.Frequency)

	energy := block{at(3204), make([]uint16, 16)} // int64: delivered, received, their sum, their difference
	energy.u64(at(3204), wattHours(v.Energy))
	energy.u64(at(3212), wattHours(v.Energy))
	energy.u64(at(3216), wattHours(v.Energy))
	return []block{names, now, energy}
}

// Places of the SunSpec map: the mark, the common model (66 registers), the meter model
// 203 (105 registers: three phases, wye) and the end.
const (
	sunspecBase   = 40000
	sunspecCommon = sunspecBase + 2
	sunspecMeter  = sunspecCommon + 2 + 66
	sunspecEnd    = sunspecMeter + 2 + 105
)

// sunspec follows the SunSpec Information Model: common model 1 and meter model 203, with
// scale factors that never change for a meter, as a real one's do not.
func sunspec(v plant.MeterView, m *plant.Meter) []block {
	b := block{sunspecBase, make([]uint16, sunspecEnd+2-sunspecBase)}
	b.put(sunspecBase, 0x5375, 0x6e53) // "SunS"
	b.put(sunspecCommon, 1, 66)
	b.text(sunspecCommon+2, 16, "Switchyard")
	b.text(sunspecCommon+18, 16, "Emulated meter")
	b.text(sunspecCommon+42, 8, "1.0")
	b.text(sunspecCommon+50, 16, m.ID())
	b.put(sunspecCommon+66, 1, 0x8000) // device address and pad
	b.put(sunspecMeter, 203, 105)
	for i := range 103 {
		b.put(sunspecMeter+2+i, 0x8000) // int16 "not implemented"
	}
	x := func(offset int) int { return sunspecMeter + offset }
	power := sunspecScale(m.Limit().Watts() * 1.5)
	amps := sunspecScale(m.Limit().Watts() * 1.5 / 400)
	scaled := func(offset int, value float64, scale int) {
		b.put(x(offset), uint16(int16(min(max(math.Round(value/math.Pow10(scale)), -32767), 32767))))
	}
	put := func(first int, total float64, phase [3]float64, scale int) {
		scaled(first, total, scale)
		for i := range 3 {
			scaled(first+1+i, phase[i], scale)
		}
	}
	third := func(total float64) [3]float64 { return [3]float64{total / 3, total / 3, total / 3} }
	sf := func(offset, scale int) { b.put(x(offset), uint16(int16(scale))) }
	put(2, v.Current[0]+v.Current[1]+v.Current[2], v.Current, amps)
	sf(6, amps)
	put(7, mean(v.VoltageLN), v.VoltageLN, -1)
	put(11, mean(v.VoltageLL), v.VoltageLL, -1)
	sf(15, -1)
	scaled(16, v.Frequency, -2)
	sf(17, -2)
	put(18, v.Power.Watts(), third(v.Power.Watts()), power)
	sf(22, power)
	put(23, v.Apparent, third(v.Apparent), power)
	sf(27, power)
	put(28, v.Reactive, third(v.Reactive), power)
	sf(32, power)
	put(33, 100*v.PowerFactor, third(300*v.PowerFactor), 0)
	sf(37, 0)
	sunspecEnergies(b, x, v)
	b.put(sunspecEnd, 0xFFFF, 0)
	return []block{b}
}

// sunspecEnergies fills the accumulators: acc32, 0 is "not implemented", wrapping at 2^32.
func sunspecEnergies(b block, x func(int) int, v plant.MeterView) {
	for offset := 38; offset < 54; offset += 2 { // exported: total and phases; imported: total and phases
		b.u32(x(offset), 0)
	}
	wh := wattHours(v.Energy)
	b.u32(x(46), uint32(wh))
	for i := range 3 {
		b.u32(x(48+2*i), uint32(wh/3))
	}
	b.put(x(54), 0)
	for offset := 55; offset < 71; offset += 2 { // VAh
		b.u32(x(offset), 0)
	}
	for offset := 72; offset < 104; offset += 2 { // varh by quadrant
		b.u32(x(offset), 0)
	}
	b.u32(x(105), 0) // events
}

// sunspecScale returns the smallest scale factor with which a value up to full fits in an
// int16; a full of zero gives that of 10 MW.
func sunspecScale(full float64) int {
	if full <= 0 {
		full = 10e6
	}
	scale := 0
	for full > 32767 {
		full /= 10
		scale++
	}
	return scale
}
