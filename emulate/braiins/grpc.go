package braiins

import (
	"errors"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

// raw passes messages on as they are: they are coded by hand.
type raw struct{}

var errBytes = errors.New("not bytes")

// Marshal returns the bytes.
func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, errBytes
	}
	return *b, nil
}

// Unmarshal keeps a copy of the bytes.
func (raw) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errBytes
	}
	*b = append([]byte(nil), data...)
	return nil
}

// Name is that of the encoding on the wire.
func (raw) Name() string { return "proto" }

// grpcCloser ends a server and all its connections.
type grpcCloser struct{ s *grpc.Server }

// Close does not fail.
func (c grpcCloser) Close() error {
	c.s.Stop()
	return nil
}

// serveGRPC answers on l with the services of package braiins.bos.v1.
func serveGRPC(d *device, l net.Listener) io.Closer {
	s := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(maxBody), grpc.MaxConcurrentStreams(16),
		grpc.ConnectionTimeout(10*time.Second), grpc.UnknownServiceHandler(d.stream))
	go func() { _ = s.Serve(l) }() // Stop ends it, and waits until it has
	return grpcCloser{s}
}

// stream answers one call: all that is served here has one request and one reply.
func (d *device) stream(_ any, s grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(s)
	name, ok := strings.CutPrefix(full, "/braiins.bos.v1.")
	if !ok {
		return status.Error(codes.Unimplemented, "unknown service")
	}
	var req []byte
	if err := s.RecvMsg(&req); err != nil {
		return err
	}
	v := d.m.View()
	if v.Rebooting {
		d.restarted()
		return status.Error(codes.Unavailable, "booting")
	}
	md, _ := metadata.FromIncomingContext(s.Context())
	if name != "AuthenticationService/Login" {
		token := md.Get("authorization")
		if len(token) != 1 || !d.sessions.good(token[0], v.At) {
			return status.Error(codes.Unauthenticated, "unauthenticated")
		}
	}
	f, err := parseMessage(req)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	reply, err := d.answer(name, f, v)
	if err != nil {
		return err
	}
	return s.SendMsg(&reply)
}

// refused is the error of an order that is not followed; nil where there is no reason.
func refused(code codes.Code, why string) error {
	if why == "" {
		return nil
	}
	return status.Error(code, why)
}

// answer serves one method.
func (d *device) answer(name string, req fields, v plant.View) ([]byte, error) {
	switch name {
	case "AuthenticationService/Login":
		user, password := req.text(1), req.text(2)
		if user == "" || !d.m.CheckPassword(user, password) {
			return nil, status.Error(codes.Unauthenticated, "invalid credentials")
		}
		return number(text(nil, 1, d.sessions.open(v.At)), 2, uint64(tokenIdle/time.Second)), nil
	case "AuthenticationService/SetPassword":
		d.setPassword(req.text(1))
		return nil, nil
	case "PerformanceService/SetPowerTarget":
		watts := req.message(2).number(1)
		return nested(nil, 1, number(nil, 1, watts)), refused(codes.OutOfRange, d.limit(int64(min(watts, 1<<40)), v)) //nolint:gosec // bounded
	case "PerformanceService/SetQuickRamping":
		if !d.recent {
			return nil, status.Error(codes.Unimplemented, name)
		}
		up, down := uint32(min(req.number(2), 1<<20)), uint32(min(req.number(3), 1<<20)) //nolint:gosec // bounded
		return number(number(nil, 1, uint64(up)), 2, uint64(down)), refused(codes.InvalidArgument, d.setRamping(up, down))
	case "PoolService/SetPoolGroups":
		var pools []plant.PoolView
		for _, g := range req.messages(2) {
			for _, p := range g.messages(5) {
				pools = append(pools, plant.PoolView{URL: p.text(2), Worker: p.text(3)})
			}
		}
		return nil, refused(codes.InvalidArgument, d.setPools(pools))
	case "ActionsService/SetLocateDeviceStatus":
		d.m.SetLED(req.number(1) != 0)
		return flag(nil, 1, req.number(1) != 0), nil
	}
	if reply, ok := d.tell(name, v); ok {
		return reply, nil
	}
	return d.act(name, v)
}

// act serves the actions.
func (d *device) act(name string, v plant.View) ([]byte, error) {
	action, ok := map[string]string{
		"ActionsService/PauseMining": "pause", "ActionsService/ResumeMining": "resume", "ActionsService/Start": "start",
		"ActionsService/Stop": "stop", "ActionsService/Restart": "restart", "ActionsService/Reboot": "reboot",
	}[name]
	if !ok {
		return nil, status.Error(codes.Unimplemented, name)
	}
	already, why := d.action(action, v)
	return flag(nil, 1, already), refused(codes.FailedPrecondition, why)
}

// tell serves what changes nothing.
func (d *device) tell(name string, v plant.View) ([]byte, bool) {
	switch name {
	case "MinerService/GetMinerDetails":
		return d.detailsMessage(v), true
	case "MinerService/GetMinerStats":
		return nested(nested(nil, 2, work(v.Hashrate, v.HashrateAvg)), 3, nested(nil, 1, number(nil, 1, wholeWatts(v.Power)))), true
	case "MinerService/GetHashboards":
		return boardsMessage(v), true
	case "MinerService/GetErrors":
		return errorsMessage(v), true
	case "CoolingService/GetCoolingState":
		var b []byte
		for i, rpm := range v.Fans {
			b = nested(b, 1, number(number(nil, 1, uint64(i)), 2, uint64(max(rpm, 0)))) //nolint:gosec // not negative
		}
		return b, true
	case "PerformanceService/GetTunerState":
		return nested(number(nil, 1, tunerStable), 2, nested(nil, 2, number(nil, 1, uint64(target(v))))), true //nolint:gosec // not negative
	case "PoolService/GetPoolGroups":
		return nested(nil, 1, poolsMessage(v)), true
	case "ConfigurationService/GetConstraints":
		return d.constraintsMessage(v), true
	case "ConfigurationService/GetMinerConfiguration":
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.down == 0 {
			return nil, true
		}
		return nested(nil, 5, number(number(nil, 4, uint64(d.up)), 5, uint64(d.down))), true
	case "ActionsService/GetLocateDeviceStatus":
		return flag(nil, 1, v.LED), true
	}
	return nil, false
}

func wholeWatts(p unit.Power) uint64 { return uint64(math.Round(math.Max(p.Watts(), 0))) }

// giga is a hashrate in GH/s as a message.
func giga(h unit.Hashrate) []byte { return double(nil, 1, ghs(h)) }

func degree(c float64) []byte { return double(nil, 1, c) }

// work is the statistics of a board or of the miner.
func work(now, mean unit.Hashrate) []byte {
	var real []byte
	for n := 1; n <= 10; n++ { // from 5 s to since the restart
		h := now
		if n > 5 {
			h = mean
		}
		real = nested(real, n, giga(h))
	}
	return nested(nested(nil, 1, real), 2, giga(now*1.004))
}

func (d *device) detailsMessage(v plant.View) []byte {
	up, state := d.running(v)
	name := v.Model.Make + " " + v.Model.Name
	b := nested(nil, 2, text(text(number(nil, 1, 1), 3, name), 4, name))
	b = nested(b, 5, text(nil, 1, v.Firmware))
	b = text(text(b, 6, "Antminer"), 7, v.MAC)
	b = number(b, 8, uint64(max(seconds(v.Uptime), 0))) //nolint:gosec // not negative
	b = nested(b, 9, giga(v.Model.Hashrate))
	if up {
		b = number(b, 10, uint64(max(seconds(v.Uptime)-40, 1))) //nolint:gosec // positive
	}
	b = number(b, 11, uint64(max(seconds(v.Uptime), 0))) //nolint:gosec // not negative
	b = number(b, 12, uint64(state))                     //nolint:gosec // one of the constants
	return text(b, 16, v.Serial)
}

func boardsMessage(v plant.View) []byte {
	var all []byte
	n := unit.Hashrate(max(len(v.Boards), 1))
	for i, board := range v.Boards {
		mean := v.HashrateAvg / n
		if board.Dead {
			mean = 0
		}
		b := flag(text(nil, 1, strconv.Itoa(i+1)), 2, !board.Dead)
		b = nested(b, 3, number(nil, 1, uint64(max(board.Chips, 0)))) //nolint:gosec // not negative
		b = nested(b, 6, nested(number(number(nil, 1, uint64(i)), 2, locationChip), 3, degree(board.ChipTemp)))
		b = nested(nested(b, 7, degree(board.PCBTemp)), 8, work(board.Hashrate, mean))
		all = nested(all, 1, nested(b, 10, degree(math.Max(v.Intake+3, board.PCBTemp-14))))
	}
	return all
}

func errorsMessage(v plant.View) []byte {
	var all []byte
	for i, board := range v.Boards {
		if !board.Dead {
			continue
		}
		e := text(nil, 1, v.At.Add(-v.Elapsed).UTC().Format(time.RFC3339))
		e = text(e, 2, "Hashboard "+strconv.Itoa(i+1)+" does not answer")
		all = nested(all, 1, nested(e, 3, text(text(nil, 1, "H1"), 2, "Hashboard does not answer")))
	}
	return all
}

func poolsMessage(v plant.View) []byte {
	b := nested(text(nil, 1, "Default"), 2, number(nil, 1, 1))
	for i, p := range v.Pools {
		one := text(text(text(nil, 1, strconv.Itoa(i)), 2, p.URL), 3, p.Worker)
		b = nested(b, 4, flag(flag(flag(one, 4, true), 5, true), 6, p.Active))
	}
	return b
}

func (d *device) constraintsMessage(v plant.View) []byte {
	watts := func(n int64) []byte { return number(nil, 1, uint64(max(n, 0))) } //nolint:gosec // not negative
	low, high := bounds(v)
	power := nested(nested(nested(nil, 1, number(nil, 1, wholeWatts(v.Model.Nameplate))), 2, watts(low)), 3, watts(high))
	b := nested(nil, 1, nested(nil, 1, power))
	if d.recent {
		b = nested(b, 4, nested(nil, 5, number(number(number(nil, 1, rampStandard), 2, rampLeast), 3, rampMost)))
	}
	return b
}
