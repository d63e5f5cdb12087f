package discover_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/discover"
	"switchyard/site"
)

func TestReadRacks(t *testing.T) {
	const text = "\ufeffRack; position;MAC;serial;address;device;pdu;outlet\n" +
		"A1;1;0a:bb:cc:00:11:22;;;;pdu-1;1\n" +
		"A1;2;;SMTT0001;;;pdu-1;2\n" +
		"A2;1;;;10.0.0.9;;pdu-1;3\n" +
		"\n" +
		"A2;\"2; left\";;;;s21-004;;\n"
	r, err := discover.ReadRacks("racks.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	nowhere := netip.MustParseAddr("10.9.9.9")
	for _, c := range []struct {
		device site.DeviceID
		addr   string
		id     site.Identity
		want   discover.Place
	}{
		{"", "10.9.9.9", site.Identity{MAC: "0A-BB-CC-00-11-22"}, discover.Place{Rack: "A1", Position: "1", Cord: discover.Cord{PDU: "pdu-1", Outlet: "1"}}},
		{"", "10.9.9.9", site.Identity{Serial: "smtt0001 "}, discover.Place{Rack: "A1", Position: "2", Cord: discover.Cord{PDU: "pdu-1", Outlet: "2"}}},
		{"", "10.0.0.9", site.Identity{}, discover.Place{Rack: "A2", Position: "1", Cord: discover.Cord{PDU: "pdu-1", Outlet: "3"}}},
		{"s21-004", "10.0.0.9", site.Identity{}, discover.Place{Rack: "A2", Position: "2; left"}},
		{"s21-005", "10.9.9.9", site.Identity{MAC: "0A:BB:CC:00:11:23"}, discover.Place{}},
	} {
		got, ok := r.Find(c.device, netip.MustParseAddr(c.addr), c.id)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != discover.Place{}) {
			t.Errorf("%q at %s %+v: %v (-want +got):\n%s", c.device, c.addr, c.id, ok, diff)
		}
	}
	rows := r.Rows()
	if len(rows) != 4 || rows[3].Line != 6 || len(rows[3].Cords()) != 0 {
		t.Errorf("%+v", rows)
	}
	var none *discover.Racks
	if _, ok := none.Find("x", nowhere, site.Identity{}); ok || none.Rows() != nil {
		t.Error("no map knows a device")
	}
}

// A miner with several cords has an outlet for each.
func TestReadRacksCords(t *testing.T) {
	r, err := discover.ReadRacks("r.csv", strings.NewReader("device,pdu,outlet,pdu2,outlet2,pdu4,outlet4\na,p1,1,p2,1,p2,7\nb,p1,2,,,,\nc,,,p2,2,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]discover.Cord{{{PDU: "p1", Outlet: "1"}, {PDU: "p2", Outlet: "1"}, {PDU: "p2", Outlet: "7"}}, {{PDU: "p1", Outlet: "2"}}, {{PDU: "p2", Outlet: "2"}}}
	var got [][]discover.Cord
	for _, row := range r.Rows() {
		got = append(got, row.Cords())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// All that is wrong is told at once, each with its line.
func TestReadRacksFaults(t *testing.T) {
	const head = "device,address,mac,serial,rack,position,pdu,outlet\n"
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{"r.csv:1: the header line is missing"}},
		{"rack,position\nA,1\n", []string{"r.csv:1: a column that says which device"}},
		{"devise,rak,rack,rack\n", []string{`unknown column "devise"; did you mean "device"?`, `unknown column "rak"; did you mean "rack"?`, "rack comes twice"}},
		{head + "a,b\n,1.2.3,zz,0000,A,1,p,\n,,,,A,1,,\n", []string{
			"r.csv:2: 2 fields, and the header has 8", `r.csv:3: address: "1.2.3"`, `r.csv:3: mac: "zz"`, `r.csv:3: serial: "0000"`,
			"r.csv:3: pdu and outlet go together", "r.csv:4: it does not say which device",
		}},
		{head + "a,10.0.0.1,,,A,1,p,1\na,10.0.0.1,,,A,2,p,1\n", []string{
			`r.csv:3: the device "a" stands on line 2`, `r.csv:3: the address "10.0.0.1" stands on line 2`, `r.csv:3: outlet "1" of "p" has the device of line 2`,
		}},
		{"device,pdu,outlet,pdu2,outlet2\na,p,1,p,1\nb,p,2,q,\nc,p,3,p,2\n", []string{
			`r.csv:2: outlet "1" of "p" has the device of line 2 already`, "r.csv:3: pdu and outlet go together", `r.csv:4: outlet "2" of "p" has the device of line 3`,
		}},
		{head + "a\x01b,,,,A,1,,\n", []string{"r.csv:2: device"}},
		{head + strings.Repeat("x\n", 60), []string{"r.csv:2: 1 fields", "and 10 more faults"}},
	} {
		_, err := discover.ReadRacks("r.csv", strings.NewReader(c.text))
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: want %q in:\n%v", c.text, w, err)
			}
		}
	}
	if _, err := discover.ReadRacks("r.csv", strings.NewReader(strings.Repeat("x", 33<<20))); err == nil || !strings.Contains(err.Error(), "32 MB") {
		t.Errorf("%v", err)
	}
}

func FuzzReadRacks(f *testing.F) {
	f.Add("device,rack,position\na,A,1\n")
	f.Add("mac;rack;pdu;outlet\n0a:bb:cc:00:11:22;A;p;1\n")
	f.Add("device,pdu,outlet,pdu2,outlet2\na,p,1,q,1\n")
	f.Add("serial,address,\"rack\"\n\"a\nb\",10.0.0.1,x\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := discover.ReadRacks("r.csv", strings.NewReader(text))
		if err != nil {
			return
		}
		outlets := map[discover.Cord]bool{}
		for _, row := range r.Rows() {
			got, ok := r.Find(row.Device, row.Address, site.Identity{MAC: row.MAC, Serial: row.Serial})
			if !ok || row.Device != "" && got != row.Place {
				t.Errorf("line %d is not found: %+v", row.Line, row)
			}
			for _, c := range row.Cords() {
				if outlets[c] || c.PDU == "" || c.Outlet == "" {
					t.Errorf("two at outlet %q, or none", c)
				}
				outlets[c] = true
			}
		}
	})
}
