package broker

import (
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func TestARetainedMessageReachesAnIndependentClient(t *testing.T) {
	b, err := Start("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := func(id string) mqtt.Client {
		c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID(id))
		if tok := c.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		return c
	}
	one := client("one")
	if tok := one.Publish("a/b", 1, true, "kept"); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	got := make(chan string, 1)
	two := client("two")
	two.Subscribe("a/#", 1, func(_ mqtt.Client, m mqtt.Message) { got <- string(m.Payload()) })
	select {
	case p := <-got:
		if p != "kept" {
			t.Errorf("payload %q", p)
		}
	case <-time.After(5 * time.Second):
		t.Error("nothing came")
	}
	one.Disconnect(50)
	two.Disconnect(50)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start("no address", nil); err == nil {
		t.Error("no address: no error")
	}
}
