package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"switchyard/driver"
	"switchyard/site"
)

const (
	retries   = 1               // of one request that got no answer
	longest   = 5 * time.Second // of one request and its retries, without a nearer deadline
	maxRows   = 512             // of one column
	bulk      = 20              // rows of one answer
	maxName   = 64              // bytes of a text that is kept
	sysObject = OID("1.3.6.1.2.1.1.2.0")
)

// client asks one agent. It is open for one poll.
type client struct {
	agent *gosnmp.GoSNMP
	most  int // objects in a request
	stop  func() bool
}

// raw is what an object holds: a number, a text, or nothing that is known.
type raw struct {
	number site.Opt[float64]
	text   string
	mac    string // of six bytes, if they are none
	there  bool   // false: the agent has no such object
}

// open readies a client for one poll and sends nothing.
func open(ctx context.Context, t driver.Target, most int) (*client, error) {
	host, port, err := net.SplitHostPort(t.Addr("snmp", Port))
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil {
		return nil, fmt.Errorf("%s is not an address: %w", t.Host, driver.ErrUnreachable)
	}
	community := string(t.Password)
	if community == "" {
		community = "public"
	}
	wait := longest
	if d, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(d))
	}
	g := &gosnmp.GoSNMP{
		Target: host, Port: uint16(n), Community: community, Version: gosnmp.Version2c, Context: ctx,
		Timeout: max(wait/(retries+1), time.Millisecond), Retries: retries, MaxOids: 60,
	}
	if err := g.Connect(); err != nil {
		return nil, fmt.Errorf("%w: %w", strip(err), driver.ErrUnreachable)
	}
	conn := g.Conn
	return &client{agent: g, most: most, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
}

func (c *client) close() {
	c.stop()
	_ = c.agent.Close() // nothing was promised by it
}

// get asks for objects, in as few requests as the agent bears, and returns them by OID.
func (c *client) get(oids []OID) (map[OID]raw, error) {
	got := make(map[OID]raw, len(oids))
	for at := 0; at < len(oids); {
		n := min(c.most, len(oids)-at)
		names := make([]string, n)
		for i := range names {
			names[i] = string(oids[at+i])
		}
		p, err := c.ask(func() (*gosnmp.SnmpPacket, error) { return c.agent.Get(names) })
		switch {
		case errors.Is(err, errTooBig) && n > 1:
			c.most = n / 2
			continue
		case err != nil:
			return nil, err
		case len(p.Variables) != n:
			return nil, fmt.Errorf("%d objects for %d: %w", len(p.Variables), n, driver.ErrUnreachable)
		}
		for i, v := range p.Variables {
			if name := OID(strings.TrimPrefix(v.Name, ".")); name != oids[at+i] {
				return nil, fmt.Errorf("an answer for %s to a request for %s: %w", name, oids[at+i], driver.ErrUnreachable)
			}
			got[oids[at+i]] = decode(v)
		}
		at += n
	}
	return got, nil
}

// row is one row of a column: its index, and what it holds.
type row struct {
	index OID
	raw
}

// walk returns the rows of a column, at most maxRows.
func (c *client) walk(column OID) ([]row, error) {
	var rows []row
	for next := column; len(rows) < maxRows; {
		from := string(next)
		p, err := c.ask(func() (*gosnmp.SnmpPacket, error) { return c.agent.GetBulk([]string{from}, 0, bulk) })
		if err != nil {
			return nil, err
		}
		for _, v := range p.Variables {
			name := OID(strings.TrimPrefix(v.Name, "."))
			index, below := name.under(column)
			if !below || v.Type == gosnmp.EndOfMibView {
				return rows, nil
			}
			if !after(name, next) {
				return nil, fmt.Errorf("the agent goes round in circles at %s: %w", name, driver.ErrUnreachable)
			}
			next = name
			if rows = append(rows, row{index, decode(v)}); len(rows) == maxRows {
				return rows, nil
			}
		}
		if len(p.Variables) == 0 {
			return rows, nil
		}
	}
	return rows, nil
}

// after says whether a comes after b in the order of object identifiers.
func after(a, b OID) bool {
	x, y := strings.Split(string(a), "."), strings.Split(string(b), ".")
	for i := range min(len(x), len(y)) {
		n, err1 := strconv.ParseUint(x[i], 10, 64)
		m, err2 := strconv.ParseUint(y[i], 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		if n != m {
			return n > m
		}
	}
	return len(x) > len(y)
}

var (
	errTooBig = errors.New("the agent finds its answer too big")
	errPanic  = errors.New("an answer that cannot be read")
)

// ask sends one request. The library reads what any device on the network may send: if it
// stumbles over that, the poll fails and not the controller.
func (c *client) ask(send func() (*gosnmp.SnmpPacket, error)) (p *gosnmp.SnmpPacket, err error) {
	defer func() {
		if recover() != nil {
			p, err = nil, fmt.Errorf("%w: %w", errPanic, driver.ErrUnreachable)
		}
	}()
	if p, err = send(); err != nil {
		if ctx := c.agent.Context.Err(); ctx != nil {
			err = ctx
		}
		return nil, fmt.Errorf("%w: %w", strip(err), driver.ErrUnreachable)
	}
	switch {
	case p.PDUType != gosnmp.GetResponse:
		return nil, fmt.Errorf("a message that is no response: %w", driver.ErrUnreachable)
	case p.Error == gosnmp.NoError:
		return p, nil
	case p.Error == gosnmp.TooBig:
		return nil, fmt.Errorf("%w: %w", errTooBig, driver.ErrRefused)
	case p.Error == gosnmp.AuthorizationError || p.Error == gosnmp.NoAccess:
		return nil, fmt.Errorf("the agent says %v: %w", p.Error, driver.ErrUnauthorized)
	}
	return nil, fmt.Errorf("the agent says %v: %w", p.Error, driver.ErrRefused)
}

// strip keeps the words of an error and drops its types: a socket closed at the deadline is no
// reason of its own.
func strip(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, net.ErrClosed) {
		return context.Canceled
	}
	return errors.New(err.Error())
}
