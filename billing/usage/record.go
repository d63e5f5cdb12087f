package usage

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// markKey counts the changes of the record: each Put that changes something is one.
const markKey = "usage.mark"

// Record keeps rows, balances and events. It is append-only: other figures for an interval are a
// new revision beside the older ones, the same ones again change nothing.
type Record struct {
	db *store.DB

	mu    sync.Mutex
	names map[int64]string // of usage_name, bounded
}

// Open opens the record in db, making its tables where they are not there.
func Open(ctx context.Context, db *store.DB) (*Record, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open usage: %w", err)
	}
	if err := db.Migrate(ctx, "usage", sub); err != nil {
		return nil, err
	}
	return OpenReader(db), nil
}

// OpenReader opens the record of a store that another process may be writing: Put fails. A
// store without the record reads as an empty one.
func OpenReader(db *store.DB) *Record { return &Record{db: db, names: map[int64]string{}} }

// Put keeps an interval's rows and its balance, all or nothing. The revisions in them are not
// read: they follow from what is there. It returns how many rows and balances were new.
func (r *Record) Put(ctx context.Context, rows []Row, b Balance) (changed int, err error) {
	err = r.db.Tx(ctx, func(t *store.Tx) (err error) {
		changed, err = PutIn(t, rows, b)
		return err
	})
	return changed, err
}

// PutIn is Put as part of a transaction that does more, such as settling the same interval and
// keeping the Keeper's checkpoint. A zero balance (no Start) is none.
func PutIn(t *store.Tx, rows []Row, b Balance) (changed int, err error) {
	p, err := newPutter(t)
	if err != nil {
		return 0, fmt.Errorf("put usage: %w", err)
	}
	for i := range rows {
		if err := p.row(&rows[i]); err != nil {
			return 0, fmt.Errorf("put usage of %s at %s: %w", rows[i].Tenant, rows[i].Start.UTC().Format(time.RFC3339), err)
		}
	}
	if !b.Start.IsZero() {
		if err := p.balance(b); err != nil {
			return 0, fmt.Errorf("put the balance at %s: %w", b.Start.UTC().Format(time.RFC3339), err)
		}
	}
	return p.changed, p.finish()
}

// PutEvents keeps events. One of the same tenant, kind, beginning and reference is the same event:
// with another end or another reason it becomes a new revision.
func (r *Record) PutEvents(ctx context.Context, events []Event) (changed int, err error) {
	err = r.db.Tx(ctx, func(t *store.Tx) (err error) {
		changed, err = PutEventsIn(t, events)
		return err
	})
	return changed, err
}

// PutEventsIn is PutEvents as part of a transaction that does more.
func PutEventsIn(t *store.Tx, events []Event) (changed int, err error) {
	p, err := newPutter(t)
	if err != nil {
		return 0, fmt.Errorf("put events: %w", err)
	}
	for _, e := range events {
		if err := p.event(e); err != nil {
			return 0, fmt.Errorf("put event of %s: %w", e.Tenant, err)
		}
	}
	return p.changed, p.finish()
}

// putter writes one transaction's changes.
type putter struct {
	t       *store.Tx
	mark    int64
	changed int
	names   map[string]int64
	last    *sql.Stmt
	insert  *sql.Stmt
	name    *sql.Stmt
}

func newPutter(t *store.Tx) (*putter, error) {
	p := &putter{t: t, names: map[string]int64{}}
	data, err := t.GetState(markKey)
	if err != nil {
		return nil, err
	}
	if len(data) > 0 {
		if p.mark, err = strconv.ParseInt(string(data), 10, 64); err != nil {
			return nil, fmt.Errorf("read the count of changes: %w", err)
		}
	}
	p.mark++
	return p, nil
}

func (p *putter) finish() error {
	if p.changed == 0 {
		return nil
	}
	return p.t.PutState(markKey, []byte(strconv.FormatInt(p.mark, 10)))
}

// id returns the number of a name, making one where there is none; of an empty one null.
func (p *putter) id(name string) (sql.NullInt64, error) {
	if name == "" {
		return sql.NullInt64{}, nil
	}
	if id, ok := p.names[name]; ok {
		return sql.NullInt64{Int64: id, Valid: true}, nil
	}
	if p.name == nil {
		var err error
		if p.name, err = p.t.Prepare("SELECT id FROM usage_name WHERE name = ?"); err != nil {
			return sql.NullInt64{}, err
		}
	}
	var id int64
	err := p.name.QueryRow(name).Scan(&id) //nolint:noctx // the transaction, which has the context, ends it
	if errors.Is(err, sql.ErrNoRows) {
		err = p.t.QueryRow("INSERT INTO usage_name (name) VALUES (?) RETURNING id", name).Scan(&id)
	}
	if err != nil {
		return sql.NullInt64{}, err
	}
	p.names[name] = id
	return sql.NullInt64{Int64: id, Valid: true}, nil
}

func (p *putter) prepare() (err error) {
	if p.last != nil {
		return nil
	}
	if p.last, err = p.t.Prepare("SELECT revision, " + rowFigures + " FROM usage_row WHERE tenant = ? AND start = ? ORDER BY revision DESC LIMIT 1"); err != nil {
		return err
	}
	p.insert, err = p.t.Prepare("INSERT INTO usage_row (tenant, start, revision, mark, " + rowFigures + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	return err
}

const rowFigures = "critical, losses, house, quality, cost, peak, gpus, evidence, delivery"

// figures are a row as the table has it.
type figures struct {
	critical, losses, house int64
	quality                 int
	cost                    sql.NullInt64
	peak                    int64
	gpus, evidence          sql.NullInt64
	delivery                sql.NullString
}

func (f *figures) scan(more ...any) []any {
	return append(more, &f.critical, &f.losses, &f.house, &f.quality, &f.cost, &f.peak, &f.gpus, &f.evidence, &f.delivery)
}

func (p *putter) row(r *Row) error {
	if r.Tenant == "" || r.Start.IsZero() || r.Start.Nanosecond() != 0 {
		return errors.New("a row needs a tenant and a start at a whole second")
	}
	if r.Billed != r.Critical+r.Losses+r.House {
		return fmt.Errorf("billed %d mWh are not critical %d, losses %d and house %d together", int64(r.Billed), int64(r.Critical), int64(r.Losses), int64(r.House))
	}
	if err := p.prepare(); err != nil {
		return err
	}
	tenant, err := p.id(r.Tenant)
	if err != nil {
		return err
	}
	f := figures{critical: int64(r.Critical), losses: int64(r.Losses), house: int64(r.House), quality: int(r.Quality), peak: int64(r.Peak)}
	f.cost = sql.NullInt64{Int64: int64(r.Cost.V), Valid: r.Cost.OK}
	if !r.Cost.OK {
		f.cost.Int64 = 0
	}
	if f.gpus, err = p.id(joinGPUs(r.GPUs)); err != nil {
		return err
	}
	if f.evidence, err = p.id(joinEvidence(r.Evidence)); err != nil {
		return err
	}
	if r.Wanted != 0 || r.Short != 0 || r.Down != 0 || r.Reduced != 0 {
		f.delivery = sql.NullString{String: fmt.Sprintf("%d %d %d %d", int64(r.Wanted), int64(r.Short), int64(r.Down), int64(r.Reduced)), Valid: true}
	}
	var have figures
	revision := 0
	switch err := p.last.QueryRow(tenant, r.Start.Unix()).Scan(have.scan(&revision)...); { //nolint:noctx // the transaction, which has the context, ends it
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case have == f:
		return nil
	default:
		revision++
	}
	p.changed++
	_, err = p.insert.Exec(tenant, r.Start.Unix(), revision, p.mark, f.critical, f.losses, f.house, f.quality, f.cost, f.peak, f.gpus, f.evidence, f.delivery) //nolint:noctx // the transaction, which has the context, ends it
	return err
}

const balanceFigures = "meter, tenants, mining, house, remainder, tenant_load, mining_load, house_load, losses, quality, levels"

func (p *putter) balance(b Balance) error {
	if sum := b.Tenants + b.Mining + b.House + b.Remainder; sum != b.Meter {
		return fmt.Errorf("its parts sum to %d mWh and the meter is %d", int64(sum), int64(b.Meter))
	}
	levels, err := joinLevels(b.Levels)
	if err != nil {
		return err
	}
	b.Start = b.Start.UTC()
	revision := 0
	have, err := scanBalance(p.t.QueryRow("SELECT start, revision, "+balanceFigures+" FROM usage_balance WHERE start = ? ORDER BY revision DESC LIMIT 1", b.Start.Unix()).Scan)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case sameBalance(have, b):
		return nil
	default:
		revision = have.Revision + 1
	}
	p.changed++
	_, err = p.t.Exec("INSERT INTO usage_balance (start, revision, mark, "+balanceFigures+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		b.Start.Unix(), revision, p.mark, int64(b.Meter), int64(b.Tenants), int64(b.Mining), int64(b.House), int64(b.Remainder),
		int64(b.TenantLoad), int64(b.MiningLoad), int64(b.HouseLoad), int64(b.Losses), int(b.Quality), levels)
	return err
}

// keptLevel is a Level in the record, its energies as integers.
type keptLevel struct {
	Name    string  `json:"name"`
	Below   int64   `json:"below_mwh"`
	Up      int64   `json:"up_mwh"`
	Factor  float64 `json:"factor"`
	Quality int     `json:"quality"`
}

func joinLevels(levels []Level) (string, error) {
	out := make([]keptLevel, len(levels))
	for i, l := range levels {
		out[i] = keptLevel{l.Name, int64(l.Below), int64(l.Up), l.Factor, int(l.Quality)}
	}
	data, err := json.Marshal(out)
	return string(data), err
}

func splitLevels(text string) ([]Level, error) {
	var in []keptLevel
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, fmt.Errorf("read levels: %w", err)
	}
	var out []Level
	for _, l := range in {
		out = append(out, Level{l.Name, unit.Energy(l.Below), unit.Energy(l.Up), l.Factor, quality(l.Quality)})
	}
	return out, nil
}

func quality(n int) site.Quality { return site.Quality(min(max(n, 0), int(site.Missing))) }

func sameBalance(a, b Balance) bool {
	la, errA := joinLevels(a.Levels)
	lb, errB := joinLevels(b.Levels)
	return errA == nil && errB == nil && la == lb && a.Meter == b.Meter && a.Tenants == b.Tenants && a.Mining == b.Mining &&
		a.House == b.House && a.TenantLoad == b.TenantLoad && a.MiningLoad == b.MiningLoad && a.HouseLoad == b.HouseLoad &&
		a.Losses == b.Losses && a.Quality == b.Quality
}

func scanBalance(scan func(...any) error) (Balance, error) {
	var b Balance
	var start int64
	var q int
	var levels string
	if err := scan(&start, &b.Revision, (*int64)(&b.Meter), (*int64)(&b.Tenants), (*int64)(&b.Mining), (*int64)(&b.House), (*int64)(&b.Remainder),
		(*int64)(&b.TenantLoad), (*int64)(&b.MiningLoad), (*int64)(&b.HouseLoad), (*int64)(&b.Losses), &q, &levels); err != nil {
		return b, err
	}
	b.Start, b.Quality = time.Unix(start, 0).UTC(), quality(q)
	var err error
	b.Levels, err = splitLevels(levels)
	return b, err
}

func (p *putter) event(e Event) error {
	if e.Tenant == "" || e.Kind == "" || e.From.IsZero() {
		return errors.New("an event needs a tenant, a kind and a beginning")
	}
	tenant, err := p.id(e.Tenant)
	if err != nil {
		return err
	}
	revision := 0
	have, err := scanEvent(p.t.QueryRow("SELECT revision, "+eventFigures+" FROM usage_event WHERE tenant = ? AND since = ? AND kind = ? AND ref = ? ORDER BY revision DESC LIMIT 1",
		tenant, e.From.UnixNano(), string(e.Kind), e.Ref).Scan, &revision)
	have.Tenant = e.Tenant
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case sameEvent(have, e):
		return nil
	default:
		revision++
	}
	p.changed++
	_, err = p.t.Exec("INSERT INTO usage_event (tenant, revision, mark, "+eventFigures+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		tenant, revision, p.mark, string(e.Kind), e.From.UnixNano(), e.Ref, nanos(e.To), int64(e.Power), e.Consented, nanos(e.Announced), e.Why)
	return err
}

const eventFigures = "kind, since, ref, until, power, consented, announced, why"

func nanos(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixNano(), Valid: true}
}

func moment(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}

func scanEvent(scan func(...any) error, more ...any) (Event, error) {
	var e Event
	var since int64
	var until, announced sql.NullInt64
	err := scan(append(more, (*string)(&e.Kind), &since, &e.Ref, &until, (*int64)(&e.Power), &e.Consented, &announced, &e.Why)...)
	e.From, e.To, e.Announced = time.Unix(0, since).UTC(), moment(until), moment(announced)
	return e, err
}

func sameEvent(a, b Event) bool {
	return a.To.Equal(b.To) && a.Power == b.Power && a.Consented == b.Consented && a.Announced.Equal(b.Announced) && a.Why == b.Why
}

// joinGPUs writes GPU time as one line, "model|how|used|held" in nanoseconds; it stands in many rows alike.
func joinGPUs(gpus []GPUTime) string {
	var b bytes.Buffer
	for i, g := range gpus {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s|%d|%d|%s", g.How, int64(g.Used), int64(g.Held), g.Model)
	}
	return b.String()
}

func splitGPUs(text string) ([]GPUTime, error) {
	if text == "" {
		return nil, nil
	}
	var out []GPUTime
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.SplitN(line, "|", 4)
		if len(f) != 4 {
			return nil, fmt.Errorf("read GPU time: %q has not four parts", line)
		}
		used, err := strconv.ParseInt(f[1], 10, 64)
		held, err2 := strconv.ParseInt(f[2], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("read GPU time: %w", err)
		}
		out = append(out, GPUTime{Model: f[3], How: Sale(f[0]), Used: time.Duration(used), Held: time.Duration(held)})
	}
	return out, nil
}

func joinEvidence(evidence []string) string { return strings.Join(evidence, "\n") }

func splitEvidence(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
