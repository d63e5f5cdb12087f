// Package broadcast owns the "I am here" datagrams of emulated devices: what an Antminer
// sends when somebody presses its IP report button, and what a WhatsMiner sends.
//
// It never listens, and never sends by itself: somebody presses. The forms are those that
// public listeners for them take (pyasic, BitCap's IP Reporter): text, UDP 14235 and 8888.
//
// Concurrency: the functions are safe for concurrent use. They block only on a local socket.
package broadcast

import (
	"context"
	"fmt"
	"net"
	"strings"

	"switchyard/emulate/plant"
)

// The ports that devices send to, and the address that reaches all of a network.
const (
	AntminerPort   = 14235
	WhatsMinerPort = 8888
	Everybody      = "255.255.255.255"
)

// Antminer is what an Antminer at ip with that MAC sends.
func Antminer(ip, mac string) []byte { return []byte(ip + "," + strings.ToUpper(mac)) }

// WhatsMiner is what a WhatsMiner at ip with that MAC sends.
func WhatsMiner(ip, mac string) []byte {
	return []byte("IP:" + ip + "MAC:" + strings.ToUpper(mac) + "\x00")
}

// Press presses the report button of an emulated miner: it sends its maker's datagram to
// the host, on its maker's port where port is 0. An Antminer's is sent for every make that
// is not a WhatsMiner: other firmwares on the same machines send the same. A device that
// reboots sends nothing.
func Press(ctx context.Context, m *plant.Miner, host string, port int) error {
	v := m.View()
	if v.Rebooting {
		return nil
	}
	data, usual := Antminer(v.IP, v.MAC), AntminerPort
	if strings.EqualFold(v.Model.Make, "WhatsMiner") {
		data, usual = WhatsMiner(v.IP, v.MAC), WhatsMinerPort
	}
	if port == 0 {
		port = usual
	}
	return Send(ctx, data, host, port)
}

// Send sends one datagram.
func Send(ctx context.Context, data []byte, host string, port int) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return fmt.Errorf("report to %s: %w", host, err)
	}
	defer c.Close()
	if _, err := c.Write(data); err != nil {
		return fmt.Errorf("report to %s: %w", host, err)
	}
	return nil
}
