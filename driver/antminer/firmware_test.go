package antminer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/unit"
)

// TestOtherMachines reads replies of machines and firmwares of which none is recorded here:
// reduced to what matters, in the shapes that public projects describe.
func TestOtherMachines(t *testing.T) {
	who := func(model string) site.Identity { return site.Identity{Make: "Antminer", Model: model} }
	for _, c := range []struct {
		name, reply string
		want        site.Sample
	}{
		{
			"S23 Hyd.: no fans, and only the coolant's temperatures rise", `{"STATUS":{"STATUS":"S"},"INFO":{"type":"Antminer S23 Hyd."},"STATS":[{
			"elapsed":100,"rate_5s":570000,"rate_unit":"GH/s","fan_num":0,"fan":[],"watt":5525,
			"chain":[{"index":0,"rate_real":190000,"asic_num":84,"temp_pic":[34,34,42,42],"temp_pcb":[44,44,52,52],"temp_chip":[44,44,56,56]}]}]}`,
			site.Sample{Identity: who("S23 Hyd."), Hashrate: ths(570), Power: watts(5525), Uptime: seconds(100), Boards: []site.Board{
				{Hashrate: ths(190), Chips: site.Some(84), ChipTemp: deg(56), PCBTemp: deg(52), Working: true},
			}},
		},
		{
			"S21 XP Hyd., old form: four fans that are not there", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S21 XP Hyd."},{
			"Elapsed":7,"GHS 5s":480000,"rate_unit":"GH","fan_num":4,"fan1":0,"fan2":0,"fan3":0,"fan4":0,
			"chain_acn1":160,"chain_acn2":0,"chain_acs1":" oooo","chain_acs2":"","chain_rate1":"480000.00","chain_rate2":"",
			"temp1":52,"temp2_1":63,"temp_chip1":"63-59-56-61","temp_pcb1":"38-48-47-52","temp_pcb2":"0-0-0-0"}]}`,
			site.Sample{Identity: who("S21 XP Hyd."), Hashrate: ths(480), Uptime: seconds(7), Boards: []site.Board{
				{Hashrate: ths(480), Chips: site.Some(160), ChipTemp: deg(63), PCBTemp: deg(52), Working: true},
			}},
		},
		{
			"S21 Hyd.: inlet and outlet in the place of the chips", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S21 Hyd."},{
			"rate_5s":330000,"rate_unit":"GH","fan_num":0,"chain":[
			{"rate_real":165000,"asic_num":216,"temp_chip":[31,41,0,0]},{"rate_real":165000,"asic_num":216,"temp_chip":[30,42,0,0]}]}]}`,
			site.Sample{Identity: who("S21 Hyd."), Hashrate: ths(330), Intake: deg(30), Boards: []site.Board{
				{Hashrate: ths(165), Chips: site.Some(216), Working: true}, {Hashrate: ths(165), Chips: site.Some(216), Working: true},
			}},
		},
		{
			"S21+ Hyd.: inlet, outlet and chip among the other sensors", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S21+ Hyd"},{
			"rate_5s":"319000","rate_unit":"GH","chain":[{"rate_real":"319000","asic_num":95,"temp_pcb":[30,50,39,55],"temp_pic":[80,51,52,53],"temp_chip":["","","",""]}]}]}`,
			site.Sample{Identity: who("S21+ Hyd"), Hashrate: ths(319), Intake: deg(30), Boards: []site.Board{
				{Hashrate: ths(319), Chips: site.Some(95), ChipTemp: deg(80), PCBTemp: deg(55), Working: true},
			}},
		},
		{
			"L7: its keys say GHS, its unit MH", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer L7"},{"Elapsed":5,"GHS 5s":"9500.00","GHS av":9400,
			"rate_unit":"MH","fan_num":2,"fan1":4000,"fan2":4020,"chain_acn1":120,"chain_rate1":"4750","chain_acn2":120,"chain_rate2":"4750"}]}`,
			site.Sample{Identity: who("L7"), Hashrate: site.Some(9500 * unit.MegaHash), Uptime: seconds(5), Fans: []int{4000, 4020}, Boards: []site.Board{
				{Hashrate: site.Some(4750 * unit.MegaHash), Chips: site.Some(120), Working: true},
				{Hashrate: site.Some(4750 * unit.MegaHash), Chips: site.Some(120), Working: true},
			}},
		},
		{
			"L9: the boards in another unit than their sum", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer L9"},{"MHS 5s":16000,"rate_unit":"MH","chain_acn1":180,"chain_rate1":16}]}`,
			site.Sample{Identity: who("L9"), Hashrate: site.Some(16 * unit.GigaHash), Boards: []site.Board{
				{Hashrate: site.Some(16 * unit.GigaHash), Chips: site.Some(180), Working: true},
			}},
		},
		{
			"Z15: solutions are no hashes", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer Z15"},{"Elapsed":5,"GHS 5s":"420.5","rate_unit":"KSol/s"}]}`,
			site.Sample{Identity: who("Z15"), Uptime: seconds(5)},
		},
		{
			"S17+: chips at the inlet and the outlet", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S17+"},{"GHS 5s":70000,"GHS av":70000,"fan_num":4,"fan1":5000,"fan2":5010,"fan3":0,"fan4":5020,
			"chain_acn1":65,"chain_rate1":"70000","temp_in_chip_1":"55-56-57-58","temp_out_chip_1":"70-71-72-73","temp_in_pcb_1":"40-41-42-43","temp_out_pcb_1":"60-61-62-63"}]}`,
			site.Sample{Identity: who("S17+"), Hashrate: ths(70), Fans: []int{5000, 5010, 0, 5020}, Boards: []site.Board{
				{Hashrate: ths(70), Chips: site.Some(65), ChipTemp: deg(73), PCBTemp: deg(63), Working: true},
			}},
		},
		{
			"nonsense is unknown", `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S19"},{"Elapsed":-5,"rate_5s":nan,"rate_avg":-1,"rate_unit":"GH","watt":0,"fan":["6000",-10,null],
			"chain":[{"rate_real":1e300,"asic_num":null,"temp_pcb":[0,-10,255,"NaN"],"temp_chip":"-20"}]}]}`,
			site.Sample{Identity: who("S19"), Fans: []int{6000}, Boards: []site.Board{{}}},
		},
	} {
		if got := sampled(t, []byte(c.reply)); !cmp.Equal(c.want, got, near) {
			t.Errorf("%s: -want +got:\n%s", c.name, cmp.Diff(c.want, got, near))
		}
	}
}

// TestZeroWatts: a miner that hashes draws some, whatever its sensor says.
func TestZeroWatts(t *testing.T) {
	for _, key := range []string{"watt", "watts", "power", "chain_power"} {
		reply := `{"STATUS":[{"STATUS":"S"}],"STATS":[{"Type":"Antminer S21"},{"rate_5s":200000,"rate_unit":"GH","KEY":0}]}`
		if s := sampled(t, []byte(strings.Replace(reply, "KEY", key, 1))); s.Power.OK || !s.Hashrate.OK {
			t.Errorf("%s: %v, %v", key, s.Power, s.Hashrate)
		}
	}
}
