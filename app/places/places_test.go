package places

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/driver/all"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
)

const siteDoc = `
site: {name: Test, timezone: UTC}
connection: {name: grid connection, limit: 100 kW, meter: {address: 127.77.9.1, profile: sunspec}}
nodes:
  - {id: hall-a, limit: 40 kW}
groups:
  - {id: s21, node: hall-a, driver: antminer, model: Antminer S21, addresses: [127.77.1.1-127.77.1.4], nameplate: 3500 W, hashrate: 200 TH/s}
market:
  price: {fixed: 20 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
`

// open makes a Places of a site file; told takes what it tells people.
func open(t *testing.T, doc string, db *store.DB) (p *Places, told *[]string) {
	t.Helper()
	f, err := sitefile.Parse("site.yaml", []byte(doc), sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	pl, err := plant.New(f, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	told = new([]string)
	p, err = Open(t.Context(), Options{
		Plant: pl, DB: db, Hub: telemetry.NewHub(), Log: slog.New(slog.DiscardHandler),
		Retarget: func(site.DeviceID, string) bool { return true },
		Tell:     func(id site.DeviceID, text string) { *told = append(*told, string(id)+": "+text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, told
}

func says(id site.DeviceID, mac string) site.Sample {
	return site.Sample{Device: id, Identity: site.Identity{Make: "Antminer", Model: "S21", MAC: mac}}
}

// A machine that was put in another's place for good is the device once a person says so, and
// still is after a restart.
func TestAdopt(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, told := open(t, siteDoc, db)
	refused := func(id site.DeviceID, want error, word string) {
		t.Helper()
		if _, _, err := p.Adopt(t.Context(), id); !errors.Is(err, want) || !strings.Contains(err.Error(), word) {
			t.Errorf("adopt %s: %v", id, err)
		}
	}
	const old, spare, second = "02:00:00:00:00:01", "02:00:00:00:00:99", "02:00:00:00:00:02"
	for id, mac := range map[site.DeviceID]string{"s21-001": old, "s21-002": second} {
		if err := p.Saw(says(id, mac)); err != nil {
			t.Fatal(err)
		}
	}
	refused("s21-001", api.ErrInvalid, "no other device answers")
	refused("nobody", api.ErrNotFound, "")
	if err := p.Saw(says("s21-001", spare)); err == nil || p.Mine("s21-001") == nil {
		t.Fatal("a spare passes for the device")
	}
	if err := p.Saw(says("s21-001", "")); err == nil || p.Mine("s21-001") == nil {
		t.Fatal("a spare that tells nothing now passes for the device")
	}
	was, is, err := p.Adopt(t.Context(), "s21-001")
	if err != nil || !strings.EqualFold(was.MAC, old) || is.MAC != spare {
		t.Errorf("was %+v, is %+v, %v", was, is, err)
	}
	if err := p.Mine("s21-001"); err != nil {
		t.Errorf("adopted, and not commanded: %v", err)
	}
	if err := p.Saw(says("s21-001", spare)); err != nil {
		t.Error(err)
	}
	refused("s21-001", api.ErrInvalid, "no other device answers")
	if p, _ = open(t, siteDoc, db); p.Saw(says("s21-001", spare)) != nil || p.Saw(says("s21-001", old)) == nil {
		t.Error("after a restart it is the old one again")
	}
	_ = p.Saw(says("s21-001", second)) // the machine of s21-002
	refused("s21-001", api.ErrInvalid, "is s21-002")
	if !slices.ContainsFunc(*told, func(s string) bool { return strings.Contains(s, "another device answers at 127.77.1.1") }) {
		t.Errorf("told %q", *told)
	}
}

// Moved devices are looked for on the ports of their own groups.
func TestPortSets(t *testing.T) {
	group := func(id, address, ports string) string {
		return "  - {id: " + id + ", node: hall-a, driver: antminer, model: Antminer S21, addresses: [" + address + "], nameplate: 3500 W, hashrate: 200 TH/s" + ports + "}\n"
	}
	with := func(groups ...string) string {
		return strings.Replace(siteDoc, "market:", strings.Join(groups, "")+"market:", 1)
	}
	one := ", ports: {http: 18080, rpc: 14028}"
	for name, c := range map[string]struct {
		doc  string
		want []map[string]int
	}{
		"none":             {siteDoc, []map[string]int{nil}},
		"one beside none":  {with(group("a", "127.77.2.1-127.77.2.3", one)), []map[string]int{nil, {"http": 18080, "rpc": 14028}}},
		"each once":        {with(group("a", "127.77.2.1", one), group("b", "127.77.3.1", one), group("c", "127.77.4.1", ", ports: {http: 8081}")), []map[string]int{nil, {"http": 18080, "rpc": 14028}, {"http": 8081}}},
		"a row is no set":  {with(group("a", "127.77.2.1*3", ", ports: {http: 20000+, rpc: 21000+}")), []map[string]int{nil}},
		"all with the one": {strings.Replace(siteDoc, "hashrate: 200 TH/s", "hashrate: 200 TH/s"+one, 1), []map[string]int{{"http": 18080, "rpc": 14028}}},
	} {
		p, _ := open(t, c.doc, nil)
		if diff := cmp.Diff(c.want, p.portSets(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		f, err := p.prepare(t.Context())
		if f == nil || err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A group that was renamed keeps its machines: they are not the strangers of the old names.
func TestRename(t *testing.T) {
	db, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, _ := open(t, siteDoc, db)
	p.reg.Saw("s21-001", p.spots[0].file, says("", "02:00:00:00:00:01").Identity, time.Now().Add(-time.Hour))
	if err := p.reg.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, _ = open(t, strings.Replace(siteDoc, "id: s21,", "id: hall-a-s21,", 1), db)
	if err := p.Saw(says("hall-a-s21-001", "02:00:00:00:00:01")); err != nil {
		t.Error(err)
	}
}
