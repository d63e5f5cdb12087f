// Package face owns what the faces of emulated devices share: the loop that accepts
// connections and ends them all when closed, the limits of a small web server, and the
// bounded reading of one request.
//
// It never knows a protocol's words and never touches the plant.
//
// Concurrency: every server has one goroutine that accepts and one per connection. Close
// may be called from anywhere, more than once; it returns when all of them have ended.
package face

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// TCP serves l: each connection runs handle on a goroutine of its own and is closed when
// handle returns. Connections beyond most at a time are closed at once, as firmware out of
// sockets does. It does not block; Close ends everything.
func TCP(l net.Listener, most int, handle func(net.Conn)) io.Closer {
	s := &tcpServer{l: l, most: most, handle: handle, conns: map[net.Conn]struct{}{}}
	s.wg.Add(1)
	go s.accept()
	return s
}

type tcpServer struct {
	l      net.Listener
	most   int
	handle func(net.Conn)
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// pause after an accept error that is not the listener's end, such as no free descriptors.
const pause = 20 * time.Millisecond

func (s *tcpServer) accept() {
	defer s.wg.Done()
	for {
		c, err := s.l.Accept()
		switch {
		case err == nil:
			s.start(c)
		case errors.Is(err, net.ErrClosed) || s.ended():
			return
		default:
			time.Sleep(pause)
		}
	}
}

func (s *tcpServer) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *tcpServer) start(c net.Conn) {
	s.mu.Lock()
	full := s.closed || len(s.conns) >= s.most
	if !full {
		s.conns[c] = struct{}{}
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if full {
		_ = c.Close() // nothing to tell the peer
		return
	}
	go func() {
		defer s.wg.Done()
		s.handle(c)
		_ = c.Close() // the exchange is over either way
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Close stops accepting, closes all connections and waits for their goroutines.
func (s *tcpServer) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // it is being thrown away
	}
	s.mu.Unlock()
	var err error
	if !again {
		err = s.l.Close()
	}
	s.wg.Wait()
	return err
}

// Closers closes several servers as one.
type Closers []io.Closer

// Close closes all of them and returns their errors joined.
func (c Closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
