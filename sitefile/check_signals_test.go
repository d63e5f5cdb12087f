package sitefile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

const signalsDoc = `
site: {name: Test}
connection: {limit: 4 MW, meter: {address: 10.9.0.1, profile: generic}}
nodes: [{id: hall-a, limit: 500 kW}]
market: {price: {fixed: 40 $/MWh}}
signals:
  openadr:
    - name: utility
      url: https://vtn.example/openadr3/3.1.0
      client: {user: ven-7, password: env:VTN_SECRET}
      token_url: https://vtn.example/auth
      node: hall-a
      levels: {1: 3 MW, 2: 2 MW}
      webhook: https://site.example/openadr
      webhook_listen: 10.0.0.5:8419
      webhook_token: env:VTN_TOKEN
      lost: {then: limit, limit: 2 MW}
    - {name: second, url: "http://10.0.0.9:8080/3.0", version: "3.0", poll: 2m}
  mqtt:
    - {name: broker, broker: "ssl://broker.example:8883", topic: site/curtail, status: site/status, cert: a.pem, key: file:a.key}
    - name: flex
      broker: ssl://flex.example:8883
      dsx: {isv: acme, agent: north-creek, feeds: {main: connection}, keys: acme.jwks, sign: env:FLEX, key_id: k1}
      lost: {after: 30s, then: release}
  modbus: {listen: "10.0.0.5:502", allow: [10.0.0.7, 10.1.0.0/28], node: hall-a}
`

func TestSignalsAreChecked(t *testing.T) {
	f, err := Parse("site.yaml", []byte(signalsDoc), known)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Signals
	if o := s.OpenADR[0]; o.Version != "3.1" || o.Poll != 30*time.Second || o.Lost != (LostSignal{After: 5 * time.Minute, Then: "limit", Limit: 2 * unit.Megawatt}) || o.Levels[2] != 2*unit.Megawatt {
		t.Errorf("%+v", o)
	}
	if o := s.OpenADR[1]; o.Lost != (LostSignal{After: 10 * time.Minute, Then: "keep"}) {
		t.Errorf("%+v", o.Lost)
	}
	if s.MQTT[0].Lost.After != 5*time.Minute || s.MQTT[1].Lost != (LostSignal{After: 30 * time.Second, Then: "release"}) || s.Modbus.Unit != 1 || s.Modbus.Lost.After != time.Minute {
		t.Errorf("%+v %+v", s.MQTT, s.Modbus)
	}
	for _, c := range []struct{ old, with, says string }{
		{"- name: utility\n", "-\n", "signals.openadr[0].name: name is missing"},
		{"webhook_listen: 10.0.0.5:8419", "webhook_listen: 10.0.0.5:502", "signals.openadr[0].webhook_listen: signals.modbus.listen listens on 10.0.0.5:502 already; choose another port"},
		{"webhook_listen: 10.0.0.5:8419", "webhook_listen: :8418", "signals.openadr[0].webhook_listen: api.listen listens on 127.0.0.1:8418 already"},
		{"ssl://broker.example:8883\", topic", "ssl://broker.example:88830\", topic", "is not a broker's address"},
		{"{name: second,", "{name: utility,", `the name "utility" is taken by signals.openadr[0]`},
		{"name: broker,", "name: second,", `the name "second" is taken by signals.openadr[1]`},
		{"name: broker,", "name: modbus,", `the name "modbus" is the Modbus server's`},
		{"url: https://vtn.example/openadr3/3.1.0", "", "url is missing"},
		{"url: https://vtn.example/openadr3/3.1.0", "url: vtn.example", `"vtn.example" is not an HTTP address`},
		{`version: "3.0"`, `version: "2.0"`, `unknown version "2.0"`},
		{"password: env:VTN_SECRET", "password: secret", "a secret must not stand in the site file"},
		{"client: {user: ven-7, password: env:VTN_SECRET}", "", "token_url goes with client"},
		{"node: hall-a\n      levels", "node: hall-b\n      levels", `there is no node "hall-b"`},
		{"{1: 3 MW, 2: 2 MW}", "{1: 3 MW, 4: 2 MW}", "there is no level 4"},
		{"{1: 3 MW, 2: 2 MW}", "{1: 3 MW, 2: -2 MW}", "-2 MW is below zero"},
		{"poll: 2m", "poll: 200ms", "200ms is out of range"},
		{"webhook_token: env:VTN_TOKEN", "", "webhook_token is missing"},
		{"webhook_token: env:VTN_TOKEN", "webhook_token: abc", "a secret must not stand in the site file"},
		{"webhook_listen: 10.0.0.5:8419", "webhook_listen: 10.0.0.5", `"10.0.0.5" is not an address and a port`},
		{"webhook: https://site.example/openadr\n      webhook_listen: 10.0.0.5:8419\n      ", "", "webhook_token goes with webhook"},
		{"lost: {then: limit, limit: 2 MW}", "lost: {then: limit}", `limit is missing: what the connection may draw meanwhile; write it like "limit: 2 MW"`},
		{"lost: {then: limit, limit: 2 MW}", "lost: {limit: 2 MW}", "limit means nothing with keep"},
		{"lost: {then: limit, limit: 2 MW}", "lost: {then: limit, limit: -2 MW}", "-2 MW is below zero"},
		{"then: release", "then: drop", `unknown choice "drop"; it can be one of keep, release, limit`},
		{"after: 30s", "after: 0s", "0s is out of range"},
		{`broker: "ssl://broker.example:8883"`, `broker: "broker.example:8883"`, "is not a broker's address"},
		{`broker: "ssl://broker.example:8883"`, `broker: "ssl://broker.example"`, "is not a broker's address"},
		{`broker: "ssl://broker.example:8883"`, `broker: "ssl://eva:pw@broker.example:8883"`, "a user stands in the address"},
		{"topic: site/curtail, status: site/status, ", "", "has no source; write exactly one of topic and dsx"},
		{"topic: site/curtail", "topic: site/+", `"site/+" is no topic to follow`},
		{"status: site/status", "status: site/curtail", "what is told would come back"},
		{"cert: a.pem, ", "", "cert is missing"},
		{"key: file:a.key", "key: a.key", "a secret must not stand in the site file"},
		{"isv: acme", "isv: ac/me", `"ac/me" cannot be an identifier`},
		{"feeds: {main: connection}", "feeds: {main: hall-b}", `there is no node "hall-b"`},
		{"keys: acme.jwks, ", "", "keys is missing"},
		{", key_id: k1", "", "key_id is missing"},
		{"sign: env:FLEX, ", "", "sign is missing"},
		{`listen: "10.0.0.5:502"`, `listen: "10.0.0.5"`, `"10.0.0.5" is not an address and a port`},
		{"allow: [10.0.0.7", "allow: [10.0.0", `"10.0.0" is no address`},
		{", node: hall-a}\n", ", node: hall-c}\n", `there is no node "hall-c"`},
		{"modbus: {listen", "modbus: {unit: 300, listen", "300 is out of range"},
	} {
		if !strings.Contains(signalsDoc, c.old) {
			t.Errorf("%q is not in the document", c.old)
		}
		_, err := Parse("site.yaml", []byte(strings.Replace(signalsDoc, c.old, c.with, 1)), known)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.says) || len(faults) > 2 {
			t.Errorf("%s: %v, want %q", c.with, err, c.says)
		}
	}
}

func TestSignalsThatLookLikeASlip(t *testing.T) {
	for _, c := range []struct{ old, with, says string }{
		{"", "", "signals.modbus.listen: Modbus has no encryption and no passwords"},
		{"allow: [10.0.0.7, 10.1.0.0/28], ", "", "others can connect and read, and only this machine may write"},
		{"{1: 3 MW, 2: 2 MW}", "{1: 3 MW, 2: 3.5 MW}", "level 2 allows more than the one before it"},
		{"limit, limit: 2 MW", "limit, limit: 4 MW", "the limit of 4 MW changes nothing"},
		{"ssl://broker", "tcp://broker", "what the broker says comes without encryption"},
	} {
		f, err := Parse("site.yaml", []byte(strings.Replace(signalsDoc, c.old, c.with, 1)), known)
		if err != nil || !strings.Contains(f.Warnings.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.with, err, c.says)
		}
	}
}
