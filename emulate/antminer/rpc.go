package antminer

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

const (
	// maxRequest bounds an RPC request.
	maxRequest = 8 << 10
	// maxJoined bounds how many commands may be joined by "+".
	maxJoined = 8
	// patience is how long a connection may stay silent, machine time.
	patience = 10 * time.Second
)

// rpc answers one request of the RPC port; the connection ends with it.
func (d *device) rpc(c net.Conn) {
	body, err := face.ReadRequest(c, maxRequest, patience)
	if err != nil {
		return // nobody asked anything, or far too much
	}
	v, conf := d.view()
	if v.Rebooting {
		return
	}
	reply := append(d.answer(v, conf, body), d.end...)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(reply) // the client may be gone
}

// request is what a client may say.
type request struct {
	Command string `json:"command"`
	NewAPI  bool   `json:"new_api"`
}

// parseRequest reads an RPC request. code is cgminer's number of the fault, 0 when fine.
func parseRequest(body []byte) (r request, code int) {
	if err := json.Unmarshal(body, &r); err != nil {
		return r, 23
	}
	if r.Command == "" {
		return r, 24
	}
	return r, 0
}

// answer returns the reply to a request, without what the device ends replies with.
func (d *device) answer(v plant.View, c conf, body []byte) []byte {
	if len(body) > 0 && body[0] != '{' {
		return fmt.Appendf(nil, "STATUS=E,When=%d,Code=14,Msg=Invalid command,Description=cgminer 1.0.0|", v.At.Unix())
	}
	r, code := parseRequest(body)
	switch code {
	case 23:
		return rpcError(v, 23, "Invalid JSON")
	case 24:
		return rpcError(v, 24, "Missing JSON 'command'")
	}
	names := strings.Split(r.Command, "+")
	if len(names) == 1 {
		return d.command(v, c, r.Command, r.NewAPI)
	}
	if len(names) > maxJoined {
		names = names[:maxJoined]
	}
	b := []byte{'{'}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		b = append(face.Quote(b, name), ":["...)
		b = append(append(b, d.command(v, c, name, r.NewAPI)...), "],"...)
	}
	return append(b, `"id":1}`...)
}

// command answers one command of a request.
func (d *device) command(v plant.View, c conf, name string, newAPI bool) []byte {
	switch name {
	case "version":
		return rpcVersion(v)
	case "summary":
		return d.rpcSummary(v)
	case "stats":
		if newAPI && d.modern {
			return webStats(v, "stats", c, v.ReportsPower)
		}
		return d.rpcStats(v)
	case "devs":
		return rpcDevs(v)
	case "pools":
		return rpcPools(v)
	case "quit", "restart", "addpool", "switchpool", "enablepool", "disablepool", "removepool":
		return rpcError(v, 45, "Access denied to '"+name+"' command")
	}
	return rpcError(v, 14, "Invalid command")
}

func rpcError(v plant.View, code int, msg string) []byte {
	return fmt.Appendf(nil, `{"STATUS":[{"STATUS":"E","When":%d,"Code":%d,"Msg":%s,"Description":"cgminer 1.0.0"}],"id":1}`,
		v.At.Unix(), code, quoted(msg))
}
