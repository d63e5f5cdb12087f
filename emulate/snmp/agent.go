package snmp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	longestRequest  = 2048
	longestResponse = 1472 // what an Ethernet frame carries of a datagram
	tooBig          = 1
	pause           = 20 * time.Millisecond // after an error that is not the socket's end
)

// Serve answers for a unit on conn, which it closes at its end. It does not block; Close ends
// all of it.
func Serve(conn net.PacketConn, c Config) (io.Closer, error) {
	show, ok := layouts()[c.Layout]
	if !ok {
		return nil, fmt.Errorf("unit %s: the emulator does not know %q; it knows %v", c.ID, c.Layout, Layouts())
	}
	a := &agent{conn: conn, config: c, show: show}
	a.done.Go(a.serve)
	return a, nil
}

// agent is one unit's.
type agent struct {
	conn   net.PacketConn
	config Config
	show   func(figures) []object
	once   sync.Once
	err    error
	done   sync.WaitGroup
}

// Close ends the agent.
func (a *agent) Close() error {
	a.once.Do(func() { a.err = a.conn.Close() })
	a.done.Wait()
	return a.err
}

func (a *agent) serve() {
	b := make([]byte, longestRequest)
	for {
		n, from, err := a.conn.ReadFrom(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(pause)
			continue
		}
		if reply := a.answer(b[:n]); reply != nil {
			_, _ = a.conn.WriteTo(reply, from) // a datagram may be lost: managers ask again
		}
	}
}

// answer returns the response to a datagram; nil where an agent says nothing: to what is no
// request of its version, and to a wrong community.
func (a *agent) answer(datagram []byte) []byte {
	r, err := parse(datagram)
	if err != nil || r.community != a.config.Community {
		return nil
	}
	all := a.show(a.config.measure())
	slices.SortFunc(all, func(x, y object) int { return slices.Compare(x.name, y.name) })
	var binds [][]byte
	switch r.kind {
	case pduGet:
		for _, n := range r.names {
			binds = append(binds, bind(n, get(all, n)))
		}
	case pduGetNext:
		for _, n := range r.names {
			binds = append(binds, next(all, &n))
		}
	case pduGetBulk:
		return r.bulk(all)
	default:
		return nil
	}
	if out := r.response(0, binds); len(out) <= longestResponse {
		return out
	}
	return r.response(tooBig, nil)
}

// get returns an object, or that there is none.
func get(all []object, name oid) value {
	at, found := slices.BinarySearchFunc(all, name, func(o object, n oid) int { return slices.Compare(o.name, n) })
	switch {
	case found:
		return all[at].value
	case at < len(all) && len(name) > 1 && len(all[at].name) >= len(name)-1 && slices.Equal(all[at].name[:len(name)-1], name[:len(name)-1]):
		return value{tag: tagNoRow}
	}
	return value{tag: tagNoObject}
}

// next binds the object after name, and moves name there.
func next(all []object, name *oid) []byte {
	at, found := slices.BinarySearchFunc(all, *name, func(o object, n oid) int { return slices.Compare(o.name, n) })
	if found {
		at++
	}
	if at == len(all) {
		return bind(*name, value{tag: tagEndOfView})
	}
	*name = all[at].name
	return bind(all[at].name, all[at].value)
}

// bulk answers a GETBULK with as many repetitions as fit.
func (r request) bulk(all []object) []byte {
	fixed := min(r.nonRepeaters, len(r.names))
	names := slices.Clone(r.names)
	var binds [][]byte
	size := 64 + len(r.community) // what stands around the bindings, generously
	add := func(n *oid) bool {
		b := next(all, n)
		if size += len(b); size > longestResponse {
			return false
		}
		binds = append(binds, b)
		return true
	}
	for i := range fixed {
		if !add(&names[i]) {
			return r.response(tooBig, nil)
		}
	}
	for range min(r.repetitions, maxBinds) {
		for i := fixed; i < len(names); i++ {
			if !add(&names[i]) {
				return r.response(0, binds)
			}
		}
	}
	return r.response(0, binds)
}
