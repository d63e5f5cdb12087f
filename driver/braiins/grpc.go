package braiins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"switchyard/driver"
	"switchyard/driver/httpx"
)

const (
	grpcPort = 50051
	// maxMessage bounds a reply.
	maxMessage = 1 << 20
	// fallback bounds a call whose context has no deadline.
	fallback = 10 * time.Second
	window   = 64 << 10 // set, so that the library does not measure the line with pings
)

// method is how gRPC serves what REST has a page for.
type method struct {
	name  string // below package braiins.bos.v1
	reply message
	only  string // the field that REST answers alone; empty: the whole reply
}

// methods are by REST's page below /api/v1/.
var methods = map[string]method{
	"auth/login":                {name: "AuthenticationService/Login", reply: msgLogin},
	"auth/password":             {name: "AuthenticationService/SetPassword"},
	"miner/stats":               {name: "MinerService/GetMinerStats", reply: msgStats},
	"miner/details":             {name: "MinerService/GetMinerDetails", reply: msgDetails},
	"miner/hw/hashboards":       {name: "MinerService/GetHashboards", reply: msgBoards},
	"miner/errors":              {name: "MinerService/GetErrors", reply: msgErrors},
	"cooling/state":             {name: "CoolingService/GetCoolingState", reply: msgCooling},
	"pools/":                    {name: "PoolService/GetPoolGroups", reply: msgPools, only: "pool_groups"},
	"pools/batch":               {name: "PoolService/SetPoolGroups"},
	"performance/tuner-state":   {name: "PerformanceService/GetTunerState", reply: msgTuner},
	"performance/power-target":  {name: "PerformanceService/SetPowerTarget"},
	"performance/quick-ramping": {name: "PerformanceService/SetQuickRamping"},
	"configuration/constraints": {name: "ConfigurationService/GetConstraints", reply: msgConstraints},
	"configuration/miner":       {name: "ConfigurationService/GetMinerConfiguration", reply: msgConfiguration},
	"actions/pause":             {name: "ActionsService/PauseMining"},
	"actions/resume":            {name: "ActionsService/ResumeMining"},
	"actions/start":             {name: "ActionsService/Start"},
	"actions/reboot":            {name: "ActionsService/Reboot"},
	"actions/locate":            {name: "ActionsService/SetLocateDeviceStatus"},
}

// raw passes messages on as they are: they are coded by hand.
type raw struct{}

// Marshal returns the bytes.
func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, errors.New("not bytes")
	}
	return *b, nil
}

// Unmarshal keeps a copy of the bytes.
func (raw) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errors.New("not bytes")
	}
	*b = append([]byte(nil), data...)
	return nil
}

// Name is that of the encoding on the wire.
func (raw) Name() string { return "proto" }

// channel asks over gRPC. The connection is dialled under the caller's context and handed to
// the library, which may not dial by itself: it would go on by its own clock.
type channel struct {
	d      *device
	socket net.Conn
	client *grpc.ClientConn
	token  string
}

// Close ends the connection.
func (c *channel) Close() {
	if c.client != nil {
		_ = c.client.Close()
		_ = c.socket.Close() // the library may not have come to use it
	}
	c.client, c.socket = nil, nil
}

var errSpent = errors.New("the connection ended")

// up says whether there is a connection that works, as far as is known.
func (c *channel) up() bool { return c.client != nil && c.client.GetState() == connectivity.Ready }

// connect opens a connection and waits until the other side speaks the protocol.
func (c *channel) connect(ctx context.Context) error {
	c.Close()
	address := c.d.t.Addr("grpc", grpcPort)
	socket, err := c.d.t.DialContext(ctx, address)
	if err != nil {
		return fmt.Errorf("dial %s: %w: %w", address, err, driver.ErrUnreachable)
	}
	var used atomic.Bool
	dial := func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errSpent
		}
		return socket, nil
	}
	c.socket = socket
	c.client, err = grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithReadBufferSize(4<<10), grpc.WithWriteBufferSize(4<<10),
		grpc.WithSharedWriteBuffer(true), grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		_ = socket.Close()
		c.socket = nil
		return fmt.Errorf("open %s: %w: %w", address, err, driver.ErrUnreachable)
	}
	c.client.Connect()
	for {
		state := c.client.GetState()
		switch {
		case state == connectivity.Ready:
			return nil
		case state == connectivity.TransientFailure, !c.client.WaitForStateChange(ctx, state):
			err := context.Cause(ctx)
			if err == nil {
				err = errors.New("what answers does not speak gRPC")
			}
			c.Close()
			return fmt.Errorf("greet %s: %w: %w", address, err, driver.ErrUnreachable)
		}
	}
}

// ask calls a page's method and reads the reply into v, which may be nil. A token that is not
// accepted is replaced once; a call that a kept connection lost is repeated once on a new one
// unless it must not be.
func (c *channel) ask(ctx context.Context, page string, body, v any, once bool) error {
	m, ok := methods[page]
	if !ok {
		return fmt.Errorf("%s: %w", page, driver.ErrUnsupported)
	}
	req, err := encode(body)
	if err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fallback)
		defer cancel()
	}
	reply, err := c.call(ctx, m.name, req, once)
	if errors.Is(err, driver.ErrUnauthorized) {
		if err := c.login(ctx); err != nil {
			return err
		}
		reply, err = c.call(ctx, m.name, req, once)
	}
	if err != nil || v == nil {
		return err
	}
	if m.only == "" {
		return decode(reply, m.reply, v)
	}
	var whole map[string]json.RawMessage
	if err := decode(reply, m.reply, &whole); err != nil || whole[m.only] == nil {
		return err
	}
	if err := json.Unmarshal(whole[m.only], v); err != nil {
		return fmt.Errorf("read %s: %w: %w", page, err, driver.ErrUnreachable)
	}
	return nil
}

func (c *channel) call(ctx context.Context, name string, req []byte, once bool) ([]byte, error) {
	if once {
		c.Close()
	}
	for {
		kept := c.up()
		if !kept {
			if err := c.connect(ctx); err != nil {
				return nil, err
			}
		}
		var reply []byte
		signed := ctx
		if c.token != "" {
			signed = metadata.AppendToOutgoingContext(ctx, "authorization", c.token)
		}
		err := c.client.Invoke(signed, "/braiins.bos.v1."+name, &req, &reply)
		if err == nil {
			return reply, nil
		}
		err = fmt.Errorf("%s: %w", name, verdict(err))
		if !errors.Is(err, driver.ErrUnreachable) {
			return nil, err
		}
		c.Close()
		if ctx.Err() != nil || !kept || once || !errors.Is(err, httpx.ErrCut) {
			return nil, err
		}
	}
}

// get reads a page.
func (c *channel) get(ctx context.Context, page string, v any) error {
	return c.ask(ctx, page, nil, v, false)
}

// put tells something and waits for the acknowledgement.
func (c *channel) put(ctx context.Context, page string, body any) error {
	return c.ask(ctx, page, body, nil, false)
}

// once is put for what must not be told twice.
func (c *channel) once(ctx context.Context, page string) error {
	return c.ask(ctx, page, nil, nil, true)
}

// login fetches a token; early versions give it in the reply's header alone.
func (c *channel) login(ctx context.Context) error {
	c.token = ""
	if !c.up() {
		if err := c.connect(ctx); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	m := methods[pageLogin]
	req, err := encode(loginBody{c.d.t.User, string(c.d.t.Password)})
	if err != nil {
		return err
	}
	var reply []byte
	var header metadata.MD
	if err := c.client.Invoke(ctx, "/braiins.bos.v1."+m.name, &req, &reply, grpc.Header(&header)); err != nil {
		err = verdict(err)
		switch {
		case errors.Is(err, driver.ErrUnreachable):
			c.Close()
		case errors.Is(err, driver.ErrRefused): // a wrong password, to some versions
			err = fmt.Errorf("%s: %w", m.name, driver.ErrUnauthorized)
		}
		return fmt.Errorf("log in: %w", err)
	}
	var said struct{ Token string }
	if err := decode(reply, m.reply, &said); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	c.token = said.Token
	if values := header.Get("authorization"); c.token == "" && len(values) > 0 {
		c.token = values[0]
	}
	if c.token == "" {
		return fmt.Errorf("log in: no token: %w", driver.ErrUnreachable)
	}
	return nil
}

// there says whether the API answers: it refuses an empty login in its own words.
func (c *channel) there(ctx context.Context) bool {
	defer c.Close()
	if c.connect(ctx) != nil {
		return false
	}
	var req, reply []byte
	err := c.client.Invoke(ctx, "/braiins.bos.v1."+methods[pageLogin].name, &req, &reply)
	return err == nil || errors.Is(verdict(err), driver.ErrUnauthorized) || errors.Is(verdict(err), driver.ErrRefused)
}

// verdict turns a call's error into the contract's.
func verdict(err error) error {
	s := status.Convert(err)
	kind := driver.ErrUnreachable
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		kind = driver.ErrUnauthorized
	case codes.Unimplemented, codes.NotFound:
		kind = driver.ErrUnsupported
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange, codes.AlreadyExists, codes.Aborted:
		kind = driver.ErrRefused
	}
	err = fmt.Errorf("%s %q: %w", strings.ToLower(s.Code().String()), s.Message(), kind)
	if s.Code() == codes.Unavailable { // the connection was up before
		err = fmt.Errorf("%w: %w", httpx.ErrCut, err)
	}
	return err
}
