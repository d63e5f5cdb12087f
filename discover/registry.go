package discover

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/site"
	"switchyard/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Verdict is what a reading's identity says of the device that it was asked of.
type Verdict uint8

// The verdicts.
const (
	// Same: it is the device; or it told nothing that could say otherwise.
	Same Verdict = iota
	// Other: another device answers there. Its readings are not the device's, and it must
	// not be told what the device is to be told.
	Other
)

// String names the verdict.
func (v Verdict) String() string { return [...]string{"same", "other"}[min(v, 1)] }

// Known is what the register knows of one device.
type Known struct {
	Device       site.DeviceID
	MAC, Serial  string // as MAC and Serial write them; empty: never told
	Make, Model  string
	Address      netip.Addr // where it is; zero: nowhere that is known
	File         netip.Addr // what the site file said when it was found elsewhere; zero: it never was
	Seen         time.Time  // machine time of the last reading that was its own
	dirty, exact bool       // not yet on disk; Address was learned by finding it
}

// lately is how long ago a device that is where it was was heard at most, machine time.
const lately = 2 * time.Minute

// Registry is the register of which device has which MAC and serial number, and where it
// was last. What it learns is on disk after the next Flush.
type Registry struct {
	db    *store.DB
	mu    sync.Mutex
	known map[site.DeviceID]*Known
	mac   map[string][]site.DeviceID
	ser   map[string][]site.DeviceID
}

// OpenRegistry opens the register in db; a nil db keeps it in memory. It blocks on the disk.
func OpenRegistry(ctx context.Context, db *store.DB) (*Registry, error) {
	r := &Registry{db: db, known: map[site.DeviceID]*Known{}, mac: map[string][]site.DeviceID{}, ser: map[string][]site.DeviceID{}}
	if db == nil {
		return r, nil
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the register of devices: %w", err)
	}
	if err := db.Migrate(ctx, "discover", sub); err != nil {
		return nil, err
	}
	if err := db.View(ctx, r.load); err != nil {
		return nil, fmt.Errorf("open the register of devices: %w", err)
	}
	return r, nil
}

func (r *Registry) load(t *store.Tx) error {
	rows, err := t.Query("SELECT device, mac, serial, make, model, address, file, seen FROM discover_device")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k Known
		var address, file string
		var seen int64
		if err := rows.Scan(&k.Device, &k.MAC, &k.Serial, &k.Make, &k.Model, &address, &file, &seen); err != nil {
			return err
		}
		k.Address, _ = netip.ParseAddr(address) // empty: zero
		k.File, _ = netip.ParseAddr(file)
		k.Seen, k.exact = time.Unix(0, seen), file != ""
		r.known[k.Device] = &k
		r.index(&k)
	}
	return rows.Err()
}

func (r *Registry) index(k *Known) {
	if k.MAC != "" && !slices.Contains(r.mac[k.MAC], k.Device) {
		r.mac[k.MAC] = append(r.mac[k.MAC], k.Device)
	}
	if s := strings.ToUpper(k.Serial); s != "" && !slices.Contains(r.ser[s], k.Device) {
		r.ser[s] = append(r.ser[s], k.Device)
	}
}

func (r *Registry) unindex(k *Known) {
	gone := func(id site.DeviceID) bool { return id == k.Device }
	r.mac[k.MAC] = slices.DeleteFunc(r.mac[k.MAC], gone)
	s := strings.ToUpper(k.Serial)
	r.ser[s] = slices.DeleteFunc(r.ser[s], gone)
}

// compare says whether an identity, told at a device's own address, can be the device's:
// both marks may change with a part (a control board brings its MAC, a firmware may change
// the serial number), so one that agrees is enough, and one that differs counts only where
// none agrees. A mark that several devices have says nothing.
func (r *Registry) compare(k *Known, mac, serial string) Verdict {
	agrees, differs := false, false
	for _, m := range []struct {
		of      map[string][]site.DeviceID
		was, is string
	}{{r.mac, k.MAC, mac}, {r.ser, strings.ToUpper(k.Serial), strings.ToUpper(serial)}} {
		if m.was != "" && m.is != "" && len(m.of[m.was]) < 2 && len(m.of[m.is]) < 2 {
			agrees = agrees || m.was == m.is
			differs = differs || m.was != m.is
		}
	}
	if differs && !agrees {
		return Other
	}
	return Same
}

// Saw takes a reading's identity, of the device that was asked at an address, and says
// whether it is that device. What is its own is remembered; a first reading makes the
// register's entry, unless its marks are another device's. It does not block on the disk.
func (r *Registry) Saw(device site.DeviceID, addr netip.Addr, id site.Identity, at time.Time) Verdict {
	mac, _ := MAC(id.MAC)
	serial := Serial(id.Serial)
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.known[device]
	if k == nil {
		if mac == "" && serial == "" {
			return Same
		}
		// An owner that was heard a moment ago is where it was: then two have the same marks,
		// as cloned firmwares do, and the marks say nothing.
		if owner := r.owner(mac, serial); owner != "" && at.Sub(r.known[owner].Seen) > lately {
			return Other
		}
		k = &Known{Device: device}
		r.known[device] = k
	}
	if r.compare(k, mac, serial) == Other {
		return Other
	}
	r.learn(k, mac, serial, id)
	if addr = addr.Unmap(); k.Address != addr {
		k.Address, k.dirty = addr, true
	}
	k.dirty = k.dirty || at.Sub(k.Seen) > time.Hour
	k.Seen = at
	return Same
}

// learn takes over what an identity tells of its device.
func (r *Registry) learn(k *Known, mac, serial string, id site.Identity) {
	was := *k
	for _, f := range []struct {
		to   *string
		from string
	}{{&k.MAC, mac}, {&k.Serial, serial}, {&k.Make, id.Make}, {&k.Model, id.Model}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if was.MAC == k.MAC && was.Serial == k.Serial && was.Make == k.Make && was.Model == k.Model {
		return
	}
	r.unindex(&was)
	r.index(k)
	k.dirty = true
}

// Adopt says that from now on the machine with this identity is the device: a person has
// put another one in its place. It stays where the device was found. It does not block on the disk.
func (r *Registry) Adopt(device site.DeviceID, addr netip.Addr, id site.Identity, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mac, _ := MAC(id.MAC)
	k := &Known{Device: device, MAC: mac, Serial: Serial(id.Serial), Make: id.Make, Model: id.Model, Address: addr.Unmap(), Seen: at, dirty: true}
	if old := r.known[device]; old != nil {
		r.unindex(old)
		if old.exact && old.Address == k.Address {
			k.File, k.exact = old.File, true
		}
	}
	r.known[device] = k
	r.index(k)
}

// Get returns what is known of a device.
func (r *Registry) Get(device site.DeviceID) (Known, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[device]; k != nil {
		return *k, true
	}
	return Known{}, false
}

// Owner returns the device that an identity is of; empty where there is none, or where
// several have the same marks and it cannot be told.
func (r *Registry) Owner(id site.Identity) site.DeviceID {
	mac, _ := MAC(id.MAC)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owner(mac, Serial(id.Serial))
}

// owner needs r.mu. Away from its address a device is known by its MAC; by its serial number
// where one side has no MAC to compare.
func (r *Registry) owner(mac, serial string) site.DeviceID {
	if list := r.mac[mac]; mac != "" && len(list) > 0 {
		if len(list) == 1 {
			return list[0]
		}
		return ""
	}
	if list := r.ser[strings.ToUpper(serial)]; serial != "" && len(list) == 1 {
		if k := r.known[list[0]]; mac == "" || k.MAC == "" {
			return k.Device
		}
	}
	return ""
}

// Where returns where a device is that the site file has at file: where it was found again,
// as long as the file says of it what it said then; else what the file says. Zero: it is
// nowhere that is known, for another device has its address.
func (r *Registry) Where(device site.DeviceID, file netip.Addr) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[device]; k != nil && k.exact && k.File == file.Unmap() {
		return k.Address
	}
	return file
}

// Place notes that devices are at other addresses than before. file gives what the site
// file says of each. It does not block on the disk.
func (r *Registry) Place(moves []Moved, file func(site.DeviceID) netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range moves {
		if k := r.known[m.Device]; k != nil {
			k.Address, k.File, k.dirty = m.To, file(m.Device).Unmap(), true
			if k.File == k.Address { // it is back
				k.File = netip.Addr{}
			}
			k.exact = k.File.IsValid()
		}
	}
}

// Forget drops devices that the site no longer has. It does not block on the disk: the next
// Flush drops them there.
func (r *Registry) Forget(devices ...site.DeviceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range devices {
		if k := r.known[id]; k != nil {
			r.unindex(k)
			*k = Known{Device: id, dirty: true}
		}
	}
}

// Keep forgets all devices but those that the site has: the machine of one that was taken out of
// the site file, or was renamed, may be another's from now on. It does not block on the disk.
func (r *Registry) Keep(has func(site.DeviceID) bool) {
	r.mu.Lock()
	var gone []site.DeviceID
	for id := range r.known {
		if !has(id) {
			gone = append(gone, id)
		}
	}
	r.mu.Unlock()
	r.Forget(gone...)
}

// Flush writes what was learned since the last one, in one transaction. It blocks on the
// disk; where it fails, the next one tries again.
func (r *Registry) Flush(ctx context.Context) error {
	r.mu.Lock()
	var list []Known
	for _, k := range r.known {
		if k.dirty {
			list = append(list, *k)
			k.dirty = false
		}
	}
	r.mu.Unlock()
	if r.db == nil || len(list) == 0 {
		return nil
	}
	err := r.db.Tx(ctx, func(t *store.Tx) error {
		for _, k := range list {
			if err := put(t, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range list {
		if now := r.known[k.Device]; now != nil {
			now.dirty = true
		}
	}
	return fmt.Errorf("write the register of devices: %w", err)
}

func put(t *store.Tx, k Known) error {
	if k.MAC == "" && k.Serial == "" {
		_, err := t.Exec("DELETE FROM discover_device WHERE device = ?", string(k.Device))
		return err
	}
	_, err := t.Exec(`INSERT INTO discover_device (device, mac, serial, make, model, address, file, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (device) DO UPDATE SET mac = excluded.mac, serial = excluded.serial, make = excluded.make, model = excluded.model,
		address = excluded.address, file = excluded.file, seen = excluded.seen`,
		string(k.Device), k.MAC, k.Serial, k.Make, k.Model, addrKey(k.Address), addrKey(k.File), k.Seen.UnixNano())
	return err
}
