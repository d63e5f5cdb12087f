package modbus

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"switchyard/driver"
)

// canned answers each request with the bytes that reply makes of its transaction.
func canned(reply func(hi, lo byte) []byte) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			request := make([]byte, 12)
			if _, err := io.ReadFull(far, request); err == nil {
				_, _ = far.Write(reply(request[0], request[1]))
			}
		}()
		return near, nil
	}
}

func TestReplies(t *testing.T) {
	stray := []byte{0xAA, 0xAA, 0, 0, 0, 5, 1, 3, 2, 9, 9}
	cases := map[string]struct {
		reply func(hi, lo byte) []byte
		want  error
	}{
		"right":                  {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 5, 1, 3, 2, 0, 7} }, nil},
		"a late one first":       {func(h, l byte) []byte { return append(append([]byte{}, stray...), h, l, 0, 0, 0, 5, 1, 3, 2, 0, 7) }, nil},
		"illegal data address":   {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 3, 1, 0x83, 2} }, driver.ErrRefused},
		"gateway without meter":  {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 3, 1, 0x83, 11} }, driver.ErrUnreachable},
		"unknown exception":      {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 3, 1, 0x83, 99} }, driver.ErrUnreachable},
		"another unit":           {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 5, 2, 3, 2, 0, 7} }, driver.ErrUnreachable},
		"another function":       {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 5, 1, 4, 2, 0, 7} }, driver.ErrUnreachable},
		"too many registers":     {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 7, 1, 3, 4, 0, 7, 0, 7} }, driver.ErrUnreachable},
		"a count that lies":      {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 5, 1, 3, 4, 0, 7} }, driver.ErrUnreachable},
		"cut":                    {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 5, 1, 3} }, driver.ErrUnreachable},
		"another protocol":       {func(h, l byte) []byte { return []byte{h, l, 0, 1, 0, 5, 1, 3, 2, 0, 7} }, driver.ErrUnreachable},
		"a frame without end":    {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0xFF, 0xFF, 1, 3, 2, 0, 7} }, driver.ErrUnreachable},
		"an empty frame":         {func(h, l byte) []byte { return []byte{h, l, 0, 0, 0, 0} }, driver.ErrUnreachable},
		"a page":                 {func(h, l byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, driver.ErrUnreachable},
		"nothing":                {func(h, l byte) []byte { return nil }, driver.ErrUnreachable},
		"only late ones of past": {func(h, l byte) []byte { return append(append([]byte{}, stray...), stray...) }, driver.ErrUnreachable},
	}
	for name, c := range cases {
		client := client{dial: canned(c.reply), address: "meter", unit: 1}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		data, err := client.read(ctx, Holding, 100, 1)
		cancel()
		if !errors.Is(err, c.want) || err == nil && (len(data) != 2 || data[1] != 7) {
			t.Errorf("%s: %v, %v; want %v", name, data, err, c.want)
		}
		if err := client.close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}
