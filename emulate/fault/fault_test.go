package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/emulate/fault"
	"switchyard/sitefile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("s21-%03d", i+1)
	}
	return all
}

func TestPlan(t *testing.T) {
	groups := map[string][]string{"s21": names(200)}
	faults := []sitefile.Fault{
		{Kind: "lying", Devices: []string{"s21-004"}, From: noon},
		{Kind: "wrong-password", Group: "s21", Share: 0.1},
		{Kind: "lost", Group: "s21", Chance: 0.2},
		{Kind: "biased-power", Devices: []string{"s21-007"}, By: 0.1},
	}
	plan, err := fault.Plan(1, faults, groups)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, id := range groups["s21"] {
		if plan[id].Has(fault.WrongPassword) {
			wrong = append(wrong, id)
		}
		if !plan[id].Has(fault.Lost) {
			t.Errorf("%s is spared although no share was given", id)
		}
	}
	if len(wrong) != 20 {
		t.Errorf("a tenth of 200 is %d", len(wrong))
	}
	if f, ok := plan["s21-004"].Active(fault.Lying, noon); !ok || f.Chance != 1 {
		t.Errorf("liar: %+v %v", f, ok)
	}
	if _, ok := plan["s21-004"].Active(fault.Lying, noon.Add(-time.Second)); ok {
		t.Error("lies before its time")
	}
	if f, ok := plan["s21-007"].Active(fault.BiasedPower, noon); !ok || f.By != 0.1 {
		t.Errorf("biased: %+v %v", f, ok)
	}
	again, _ := fault.Plan(1, faults, groups)
	if d := cmp.Diff(plan, again); d != "" {
		t.Errorf("the same seed plans otherwise: %s", d)
	}
	other, _ := fault.Plan(2, faults, groups)
	if cmp.Equal(plan, other) {
		t.Error("another seed plans the same")
	}
	for _, bad := range []sitefile.Fault{{Kind: "sulking"}, {Kind: "late", Group: "nobody"}} {
		if _, err := fault.Plan(1, []sitefile.Fault{bad}, groups); err == nil {
			t.Errorf("no error for %+v", bad)
		}
	}
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	c    chan net.Conn
	once sync.Once
	done chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.c:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// echo serves a listener that answers each read with what it read, and returns its dialler.
func echo(t *testing.T, o fault.Options) func() net.Conn {
	p := &pipes{c: make(chan net.Conn), done: make(chan struct{})}
	l := fault.Listen(p, o)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				b := make([]byte, 64)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := c.Write(b[:n/2]); err != nil { // replies come in two writes
						return
					}
					if _, err := c.Write(b[n/2 : n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return func() net.Conn {
		near, far := net.Pipe()
		p.c <- far
		t.Cleanup(func() { _ = near.Close() })
		return near
	}
}

// ask sends a line and reads the reply within a minute.
func ask(c net.Conn, line string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, line); err != nil {
		return "", err
	}
	b := make([]byte, len(line))
	n, err := io.ReadFull(c, b)
	return string(b[:n]), err
}

func options(f ...fault.Fault) fault.Options {
	return fault.Options{Faults: f, Now: func() time.Time { return noon }, Dice: fault.NewDice(1)}
}

func TestConnections(t *testing.T) {
	type reply func(t *testing.T, dial func() net.Conn)
	tests := map[string]struct {
		o     fault.Options
		check reply
	}{
		"sound": {options(), func(t *testing.T, dial func() net.Conn) {
			c := dial()
			for range 3 {
				if got, err := ask(c, "hello"); got != "hello" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		}},
		"not yet": {options(fault.Fault{Kind: fault.Lost, Chance: 1, From: noon.Add(time.Second)}), func(t *testing.T, dial func() net.Conn) {
			if got, err := ask(dial(), "hello"); got != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}},
		"late": {options(fault.Fault{Kind: fault.Late, Delay: 3 * time.Second, Chance: 1}), func(t *testing.T, dial func() net.Conn) {
			c := dial()
			for range 2 { // each reply
				asked := time.Now()
				if got, err := ask(c, "hello"); got != "hello" || err != nil || time.Since(asked) != 3*time.Second {
					t.Errorf("%q, %v after %v", got, err, time.Since(asked))
				}
			}
		}},
		"lost": {options(fault.Fault{Kind: fault.Lost, Chance: 1}), func(t *testing.T, dial func() net.Conn) {
			if got, err := ask(dial(), "hello"); got != "" || !errors.Is(err, io.EOF) { // nothing at all
				t.Errorf("%q, %v", got, err)
			}
		}},
		"half open": {options(fault.Fault{Kind: fault.HalfOpen, Chance: 1}), func(t *testing.T, dial func() net.Conn) {
			var timeout net.Error
			if got, err := ask(dial(), "hello"); got != "" || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%q, %v", got, err)
			}
		}},
		"many half open": {options(fault.Fault{Kind: fault.HalfOpen, Chance: 1}), func(t *testing.T, dial func() net.Conn) {
			first := dial()
			for range 40 {
				dial()
			}
			synctest.Wait()
			if _, err := ask(first, "hello"); !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.EOF) {
				t.Errorf("the oldest of too many: %v", err)
			}
		}},
		"away": {fault.Options{Away: func() bool { return true }}, func(t *testing.T, dial func() net.Conn) {
			if got, err := ask(dial(), "hello"); got != "" || err == nil {
				t.Errorf("%q, %v", got, err)
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.check(t, echo(t, tt.o)) })
		})
	}
}

// TestChance counts: a fifth of the exchanges lost is about a fifth, garbled ones differ.
func TestChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := echo(t, options(fault.Fault{Kind: fault.Lost, Chance: 0.2}))
		lost := 0
		for range 500 {
			if _, err := ask(dial(), "hello"); err != nil {
				lost++
			}
		}
		if lost < 60 || lost > 140 {
			t.Errorf("%d of 500 lost", lost)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		dial := echo(t, options(fault.Fault{Kind: fault.Garbled, Chance: 1}))
		var cut, flipped int
		for range 100 {
			got, err := ask(dial(), "a reply of some length")
			switch {
			case err != nil || len(got) < 22:
				cut++
			case !bytes.Equal([]byte(got), []byte("a reply of some length")):
				flipped++
			}
		}
		if cut < 20 || flipped < 30 || cut+flipped < 98 {
			t.Errorf("%d cut, %d flipped of 100", cut, flipped)
		}
	})
}

func TestDice(t *testing.T) {
	a, b := fault.NewDice(5), fault.NewDice(5)
	var throws []float64
	for range 100 {
		x := a.Float()
		if x != b.Float() || x < 0 || x >= 1 {
			t.Fatal("throws differ or are out of range")
		}
		throws = append(throws, x)
	}
	if slices.Max(throws) < 0.9 || slices.Min(throws) > 0.1 {
		t.Error("loaded")
	}
}
