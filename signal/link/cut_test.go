package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

type wire struct {
	net.Conn
	r io.Reader
}

func (w wire) Read(p []byte) (int, error) { return w.r.Read(p) }

func packet(t testing.TB, topic string, qos byte, payload int) []byte {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = topic, qos, 7, bytes.Repeat([]byte{'x'}, payload)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestALongMessageArrivesCutAndTheNextOneWhole(t *testing.T) {
	for _, qos := range []byte{0, 1, 2} {
		in := append(packet(t, "a/b", qos, 1<<20), packet(t, "a/b", qos, 100)...)
		in = append(in, packet(t, "a/b", qos, 101)...)
		c := cut(wire{r: bytes.NewReader(in)}, 100)
		for _, want := range []int{101, 100, 101} {
			got, err := packets.ReadPacket(c)
			if err != nil {
				t.Fatal(err)
			}
			p := got.(*packets.PublishPacket)
			if len(p.Payload) != want || p.TopicName != "a/b" || qos > 0 && p.MessageID != 7 {
				t.Errorf("qos %d: %d bytes on %s, number %d; want %d", qos, len(p.Payload), p.TopicName, p.MessageID, want)
			}
		}
		if _, err := packets.ReadPacket(c); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestAPacketThatIsNoMessageMayNotBeLong(t *testing.T) {
	in := append(appendLength([]byte{9 << 4}, 10<<20), make([]byte, 10<<20)...)
	if n, err := io.Copy(io.Discard, cut(wire{r: bytes.NewReader(in)}, 100)); err == nil || n != 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func FuzzCut(f *testing.F) {
	f.Add(packet(f, "a", 1, 300))
	f.Add(packet(f, "a", 0, 3))
	f.Add([]byte{0x20, 2, 0, 0, 0xd0, 0})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 64
		c := cut(wire{r: bytes.NewReader(data)}, limit)
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			if m, ok := p.(*packets.PublishPacket); ok && len(m.Payload) > limit+1 {
				t.Fatalf("a payload of %d bytes passed", len(m.Payload))
			}
		}
	})
}
