package ledger

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"switchyard/store"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2016, 5, 17, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (*Ledger, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l, err := Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return l, db
}

func sale(key string, at time.Time, amount unit.Money, account string) Transaction {
	return Transaction{Key: key, At: at, Memo: "a sale", Lines: []Line{
		{Account: "assets:receivable:pool", Amount: amount}, {Account: account, Amount: -amount, Energy: 5},
	}}
}

func TestPostOnce(t *testing.T) {
	l, _ := open(t)
	a, b := sale("a", noon, 100, "income:mining:s21"), sale("b", noon.Add(time.Hour), 7, "income:mining:s21x")
	steps := []struct {
		name string
		txs  []Transaction
		want int
		err  error
	}{
		{"new", []Transaction{a}, 1, nil},
		{"the same again", []Transaction{a}, 0, nil},
		{"the same and a new one", []Transaction{a, b}, 1, nil},
		{"other content", []Transaction{sale("a", noon, 101, "income:mining:s21")}, 0, ErrConflict},
		{"other time", []Transaction{sale("a", noon.Add(time.Second), 100, "income:mining:s21")}, 0, ErrConflict},
		{"none of a set with a conflict", []Transaction{sale("c", noon, 1, "income:x"), sale("a", noon, 9, "income:x")}, 0, ErrConflict},
		{"nothing", nil, 0, nil},
		{"twice in one set", []Transaction{sale("d", noon, 0, "income:x"), sale("d", noon, 0, "income:x")}, 1, nil},
	}
	for _, s := range steps {
		if n, err := l.Post(t.Context(), s.txs); n != s.want && s.err == nil || !errors.Is(err, s.err) {
			t.Errorf("%s: Post = %d, %v; want %d, %v", s.name, n, err, s.want, s.err)
		}
	}
	got, err := l.Transactions(t.Context(), noon, noon.Add(2*time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Transaction{a, sale("d", noon, 0, "income:x"), b}, got); diff != "" {
		t.Error(diff)
	}
	if n, _, err := l.Verify(t.Context()); n != 3 || err != nil {
		t.Errorf("Verify = %d, %v", n, err)
	}
}

func TestPostRefuses(t *testing.T) {
	l, _ := open(t)
	ok := sale("k", noon, 5, "income:x")
	tests := map[string]func(*Transaction){
		"no key":         func(x *Transaction) { x.Key = "" },
		"one line":       func(x *Transaction) { x.Lines = x.Lines[:1] },
		"half a second":  func(x *Transaction) { x.At = x.At.Add(time.Second / 2) },
		"an empty part":  func(x *Transaction) { x.Lines[0].Account = "a::b" },
		"a space":        func(x *Transaction) { x.Lines[0].Account = "a b" },
		"out of balance": func(x *Transaction) { x.Lines[0].Amount++ },
		"an overflow": func(x *Transaction) {
			x.Lines = []Line{{"a", math.MaxInt64, 0}, {"a", math.MaxInt64, 0}, {"a", 2, 0}}
		},
	}
	for name, spoil := range tests {
		tx := ok
		tx.Lines = append([]Line(nil), ok.Lines...)
		spoil(&tx)
		if _, err := l.Post(t.Context(), []Transaction{tx}); err == nil {
			t.Errorf("%s: was posted", name)
		}
	}
	if _, err := l.Post(t.Context(), []Transaction{sale("x", noon, 1, "income:x"), {Key: "y", At: noon, Lines: []Line{{"a", 1, 0}, {"b", 1, 0}}}}); !errors.Is(err, ErrUnbalanced) {
		t.Errorf("Post = %v, want ErrUnbalanced", err)
	}
	if n, _, _ := l.Verify(t.Context()); n != 0 {
		t.Errorf("%d transactions were half-applied", n)
	}
}

func TestBalanceByWholePartsAndTime(t *testing.T) {
	l, _ := open(t)
	for i, account := range []string{"income:mining", "income:mining:s21", "income:mining:s21:x", "income:mining:s21x", "income:mininga"} {
		if _, err := l.Post(t.Context(), []Transaction{sale(account, noon.Add(time.Duration(i)*time.Minute), unit.Money(math.Pow10(i)), account)}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		prefix   string
		from, to time.Time
		want     unit.Money
	}{
		{"income:mining", time.Time{}, time.Time{}, -1111},
		{"income:mining:s21", time.Time{}, time.Time{}, -110},
		{"income", time.Time{}, time.Time{}, -11111},
		{"income", noon.Add(time.Minute), noon.Add(3 * time.Minute), -110},
		{"", time.Time{}, time.Time{}, 0},
		{"inc", time.Time{}, time.Time{}, 0},
	}
	for _, tt := range tests {
		if got, err := l.Balance(t.Context(), tt.prefix, tt.from, tt.to); err != nil || got.Amount != tt.want {
			t.Errorf("Balance(%s) = %d, %v; want %d", tt.prefix, got.Amount, err, tt.want)
		}
	}
	sums, err := l.Sums(t.Context(), "income:mining:s21", time.Time{}, time.Time{})
	if diff := cmp.Diff(map[string]Sum{"income:mining:s21": {-10, 5, 1}, "income:mining:s21:x": {-100, 5, 1}}, sums); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAppendOnlyAndTamperingShows(t *testing.T) {
	for name, stmt := range map[string]string{
		"amount":  "UPDATE ledger_line SET amount = amount + 1 WHERE seq = 2",
		"balance": "UPDATE ledger_line SET amount = amount * 2 WHERE seq = 2",
		"memo":    "UPDATE ledger_tx SET memo = 'other' WHERE seq = 2",
		"time":    "UPDATE ledger_line SET at = 0 WHERE seq = 2",
		"removal": "DELETE FROM ledger_line WHERE seq = 2",
	} {
		l, db := open(t)
		for i := range 3 {
			if _, err := l.Post(t.Context(), []Transaction{sale(fmt.Sprint(i), noon, 3, "income:x")}); err != nil {
				t.Fatal(err)
			}
		}
		exec := func(s string) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(s); return err })
		}
		if err := exec(stmt); err == nil {
			t.Errorf("%s: the book was changed", name)
		}
		for _, trigger := range []string{"ledger_tx_update", "ledger_line_update", "ledger_line_delete"} {
			if err := exec("DROP TRIGGER " + trigger); err != nil {
				t.Fatal(err)
			}
		}
		if err := exec(stmt); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Verify(t.Context()); !errors.Is(err, ErrTampered) {
			t.Errorf("%s: Verify = %v, want ErrTampered", name, err)
		}
	}
}

func TestFullDiskPostsNothing(t *testing.T) {
	l, db := open(t)
	if err := db.SetMaxBytes(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var txs []Transaction
	for i := range 2000 {
		txs = append(txs, sale(fmt.Sprint(i), noon, 1, "income:x"))
	}
	if _, err := l.Post(t.Context(), txs); !errors.Is(err, store.ErrFull) {
		t.Fatalf("Post = %v, want ErrFull", err)
	}
	if n, _, err := l.Verify(t.Context()); n != 0 || err != nil {
		t.Fatalf("after a full disk: %d, %v", n, err)
	}
	if err := db.SetMaxBytes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Post(t.Context(), txs); n != 2000 || err != nil {
		t.Fatalf("Post = %d, %v", n, err)
	}
}

// Whatever is posted, in whatever order and however often, the book sums to zero, verifies,
// and is the same as if each had been posted once.
func TestReplaysChangeNothing(t *testing.T) {
	l, _ := open(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		var txs []Transaction
		want := map[string]unit.Money{}
		for i := range rapid.IntRange(1, 6).Draw(rt, "transactions") {
			tx := Transaction{Key: fmt.Sprintf("%d/%d", run, i), At: noon.Add(time.Duration(run) * time.Second)}
			var sum unit.Money
			for range rapid.IntRange(1, 5).Draw(rt, "lines") {
				amount := unit.Money(rapid.Int64Range(-1e12, 1e12).Draw(rt, "amount"))
				account := fmt.Sprintf("r%d:%s", run, rapid.SampledFrom([]string{"a", "b", "c:d"}).Draw(rt, "account"))
				tx.Lines = append(tx.Lines, Line{Account: account, Amount: amount})
				want[account] += amount
				sum += amount
			}
			tx.Lines = append(tx.Lines, Line{Account: fmt.Sprintf("r%d:rest", run), Amount: -sum})
			want[fmt.Sprintf("r%d:rest", run)] -= sum
			txs = append(txs, tx)
		}
		posted := 0
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			from := rapid.IntRange(0, len(txs)-1).Draw(rt, "from")
			n, err := l.Post(t.Context(), txs[from:])
			if err != nil {
				rt.Fatal(err)
			}
			posted += n
		}
		n, err := l.Post(t.Context(), txs)
		if posted += n; err != nil || posted != len(txs) {
			rt.Fatalf("posted %d of %d: %v", posted, len(txs), err)
		}
		sums, err := l.Sums(t.Context(), fmt.Sprintf("r%d", run), time.Time{}, time.Time{})
		if err != nil {
			rt.Fatal(err)
		}
		got, all := map[string]unit.Money{}, unit.Money(0)
		for a, s := range sums {
			got[a] = s.Amount
			all += s.Amount
		}
		if diff := cmp.Diff(want, got); diff != "" || all != 0 {
			rt.Fatal(diff, all)
		}
	})
	if _, _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
