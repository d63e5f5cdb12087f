package sitefile

import (
	"fmt"
	"net"

	"switchyard/sitefile/check"
	"switchyard/sitefile/signals"
)

// The words of the grid's ways to the site.
type (
	Signals    = signals.Signals
	LostSignal = signals.Lost
	OpenADR    = signals.OpenADR
	MQTT       = signals.MQTT
	DSX        = signals.DSX
	Face       = signals.Face
)

// Credentials are references ("env:NAME", "file:PATH"), never the secrets themselves.
type Credentials = check.Credentials

// ModbusSource is what the Modbus face is called among the sources of signals.
const ModbusSource = signals.ModbusSource

// IsReference says whether a text refers to a secret, "env:NAME" or "file:PATH".
func IsReference(s string) bool { return check.IsReference(s) }

// Has says whether the file has the key at path.
func (c *checker) Has(path string) bool { return c.doc.Has(path) }

// Node says that the key at path must name a node; false where it does not.
func (c *checker) Node(path, id string) bool {
	_, ok := c.nodeRef(path, id)
	return ok
}

// ports says that two servers of ours cannot have one port.
func (c *checker) ports() {
	type server struct{ path, listen string }
	all := []server{{"api.listen", c.f.API.Listen}}
	if m := c.f.Signals.Modbus; m != nil {
		all = append(all, server{"signals.modbus.listen", m.Listen})
	}
	for i, o := range c.f.Signals.OpenADR {
		if o.WebhookListen != "" {
			all = append(all, server{fmt.Sprintf("signals.openadr[%d].webhook_listen", i), o.WebhookListen})
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if sameSocket(a.listen, b.listen) {
				c.Fault(a.path, "choose another port", "%s listens on %s already", b.path, b.listen)
				break
			}
		}
	}
}

// sameSocket says whether two servers would get in each other's way: port 0 is any free one.
func sameSocket(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	all := func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" }
	return hostA == hostB || all(hostA) || all(hostB)
}
