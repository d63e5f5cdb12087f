package sitefile

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// ModbusSource is what the Modbus face is called among the sources of signals.
const ModbusSource = "modbus"

// signals sets what the grid's ways to the site leave out.
func (d defaults) signals(s *Signals) {
	for i := range s.OpenADR {
		o, path := &s.OpenADR[i], fmt.Sprintf("signals.openadr[%d]", i)
		or(d, path+".version", &o.Version, "3.1")
		or(d, path+".poll", &o.Poll, 30*time.Second)
		d.lostSignal(path+".lost", &o.Lost, max(5*time.Minute, 5*o.Poll))
	}
	for i := range s.MQTT {
		d.lostSignal(fmt.Sprintf("signals.mqtt[%d].lost", i), &s.MQTT[i].Lost, 5*time.Minute)
	}
	if m := s.Modbus; m != nil {
		or(d, "signals.modbus.listen", &m.Listen, "127.0.0.1:1502")
		or(d, "signals.modbus.unit", &m.Unit, 1)
		d.lostSignal("signals.modbus.lost", &m.Lost, time.Minute)
	}
}

func (d defaults) lostSignal(path string, l *LostSignal, after time.Duration) {
	or(d, path+".after", &l.After, after)
	or(d, path+".then", &l.Then, "keep")
}

// signals checks the grid's ways to the site.
func (c *checker) signals() {
	names := map[string]string{}
	for i := range c.f.Signals.OpenADR {
		c.openADR(fmt.Sprintf("signals.openadr[%d]", i), &c.f.Signals.OpenADR[i], names)
	}
	for i := range c.f.Signals.MQTT {
		c.mqtt(fmt.Sprintf("signals.mqtt[%d]", i), &c.f.Signals.MQTT[i], names)
	}
	if m := c.f.Signals.Modbus; m != nil {
		c.face("signals.modbus", m)
	}
}

// signalName says that a source must have a name of its own.
func (c *checker) signalName(path, name string, names map[string]string) {
	if !c.id(path, name) {
		return
	}
	if name == ModbusSource {
		c.fault(path, "choose another name", "the name %q is the Modbus server's", name)
	}
	if other, twice := names[name]; twice {
		c.fault(path, "give each its own name", "the name %q is taken by %s", name, other)
	}
	names[name] = strings.TrimSuffix(path, ".name")
}

// nodeOr checks a node that may be left out.
func (c *checker) nodeOr(path, id string) {
	if c.doc.Has(path) {
		c.nodeRef(path, id)
	}
}

// reference says that a secret must be one, where it is there.
func (c *checker) reference(path, ref string) {
	if ref != "" && !isReference(ref) {
		c.fault(path, `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
	}
}

// lostSignal checks what holds once a source is not heard of.
func (c *checker) lostSignal(path string, l LostSignal) {
	between(c, path+".after", l.After, time.Second, 7*24*time.Hour)
	c.oneOf(path+".then", "choice", l.Then, "keep", "release", "limit")
	switch has := c.doc.Has(path + ".limit"); {
	case l.Then == "limit" && !has:
		c.fault(path, `write it like "limit: 2 MW", or choose keep or release`, "limit is missing: what the connection may draw meanwhile")
	case l.Then != "limit" && has:
		c.fault(path+".limit", `write "then: limit" too, or remove the key`, "limit means nothing with %s", l.Then)
	case has && l.Limit < 0:
		c.fault(path+".limit", `write it like "2 MW"`, "%v is below zero", l.Limit)
	case has && c.f.Connection.Limit > 0 && l.Limit >= c.f.Connection.Limit:
		c.warn(path+".limit", "", "the limit of %v changes nothing: the connection has %v anyway", l.Limit, c.f.Connection.Limit)
	}
}

func (c *checker) openADR(path string, o *OpenADR, names map[string]string) {
	c.signalName(path+".name", o.Name, names)
	if c.need(path+".url", `write the VTN's base address, like "https://vtn.example/openadr3/3.1.0"`) {
		c.url(path+".url", o.URL)
	}
	c.oneOf(path+".version", "version", o.Version, "3.1", "3.0")
	c.credentials(path+".client", o.Client)
	if o.Client != nil && o.Client.User == "" {
		c.need(path+".client.user", "write the client id, or a reference to it")
	}
	if o.TokenURL != "" {
		c.url(path+".token_url", o.TokenURL)
	}
	if o.Client == nil {
		for _, k := range []string{"token_url", "scope"} {
			if c.doc.Has(path + "." + k) {
				c.fault(path+"."+k, "add client, or remove the key", "%s goes with client", k)
			}
		}
	}
	c.nodeOr(path+".node", o.Node)
	c.levels(path+".levels", o.Levels)
	between(c, path+".poll", o.Poll, time.Second, time.Hour)
	c.webhook(path, o)
	c.lostSignal(path+".lost", o.Lost)
}

// levels checks the limits of the SIMPLE levels.
func (c *checker) levels(path string, levels map[int]unit.Power) {
	last := unit.Power(-1)
	for _, k := range slices.Sorted(maps.Keys(levels)) {
		at := strictyaml.Join(path, strconv.Itoa(k))
		switch p := levels[k]; {
		case k < 0 || k > 3:
			c.fault(at, "SIMPLE has the levels 0 to 3", "there is no level %d", k)
		case p < 0:
			c.fault(at, `write it like "2 MW"`, "%v is below zero", p)
		case last >= 0 && p > last:
			c.warn(at, "a higher level asks for more", "level %d allows more than the one before it", k)
			last = p
		default:
			last = p
			c.beyond(at, p)
		}
	}
}

func (c *checker) webhook(path string, o *OpenADR) {
	keys := []string{"webhook", "webhook_listen", "webhook_token"}
	if o.Webhook == "" {
		for _, k := range keys[1:] {
			if c.doc.Has(path + "." + k) {
				c.fault(path+"."+k, "add webhook, the address that the VTN is to call", "%s goes with webhook", k)
			}
		}
		return
	}
	c.url(path+".webhook", o.Webhook)
	if c.need(path+".webhook_listen", `write where to listen, like "10.0.0.5:8419"`) {
		c.listen(path+".webhook_listen", o.WebhookListen)
	}
	if c.need(path+".webhook_token", `write "env:NAME" or "file:PATH" of what the VTN must show`) {
		c.reference(path+".webhook_token", o.WebhookToken)
	}
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
				c.fault(a.path, "choose another port", "%s listens on %s already", b.path, b.listen)
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

// listen says that the text must be an address and a port; it returns the host.
func (c *checker) listen(path, s string) (host string) {
	host, port, err := net.SplitHostPort(s)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		c.fault(path, `write it like "127.0.0.1:1502"`, "%q is not an address and a port", s)
		return ""
	}
	return host
}

func (c *checker) mqtt(path string, m *MQTT, names map[string]string) {
	c.signalName(path+".name", m.Name, names)
	if c.need(path+".broker", `write it like "ssl://broker.example:8883"`) {
		c.broker(path+".broker", m.Broker)
	}
	c.credentials(path+".credentials", m.Credentials)
	for _, k := range []struct{ key, file string }{{"ca", m.CA}, {"cert", m.Cert}} {
		if k.file != "" {
			c.file(path+"."+k.key, k.file)
		}
	}
	if (m.Cert == "") != (m.Key == "") {
		missing := "key"
		if m.Cert == "" {
			missing = "cert"
		}
		c.need(path+"."+missing, "a client's certificate and its key belong together")
	}
	c.reference(path+".key", m.Key)
	switch c.exactlyOne(path, "topic", "dsx") {
	case "topic":
		c.topic(path+".topic", m.Topic)
		if m.Status != "" {
			c.topic(path+".status", m.Status)
			if m.Status == m.Topic {
				c.fault(path+".status", "choose another topic", "what is told would come back as what is asked")
			}
		}
	case "dsx":
		if c.doc.Has(path + ".status") {
			c.fault(path+".status", "remove the key", "status goes with topic: DSX Flex has topics of its own")
		}
		if m.DSX != nil {
			c.dsx(path+".dsx", m.DSX)
		}
	}
	c.nodeOr(path+".node", m.Node)
	c.lostSignal(path+".lost", m.Lost)
}

func (c *checker) broker(path, s string) {
	const hint = `write it like "tcp://10.0.0.7:1883" or "ssl://broker.example:8883"`
	u, err := url.Parse(s)
	schemes := []string{"tcp", "mqtt", "ssl", "tls", "mqtts"}
	if err == nil {
		_, err = strconv.ParseUint(u.Port(), 10, 16)
	}
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) || u.Path != "" && u.Path != "/" {
		c.fault(path, hint, "%q is not a broker's address", s)
		return
	}
	if u.User != nil {
		c.fault(path, "write them under credentials", "a user stands in the address")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); (u.Scheme == "tcp" || u.Scheme == "mqtt") && u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.warn(path, "use ssl:// where the broker offers it", "what the broker says comes without encryption")
	}
}

// topic says that a topic must be one, without wildcards.
func (c *checker) topic(path, s string) {
	if s == "" || len(s) > 1024 || strings.ContainsAny(s, "#+\x00") || strings.HasPrefix(s, "$") {
		c.fault(path, `write one topic, like "site/curtailment"`, "%q is no topic to follow", s)
	}
}

func (c *checker) dsx(path string, x *DSX) {
	for _, k := range []struct{ key, value, hint string }{{"isv", x.ISV, "whose load targets are followed"}, {"agent", x.Agent, "our own identifier"}} {
		if c.need(path+"."+k.key, k.hint) && (k.value == "" || strings.ContainsAny(k.value, "/+#\x00")) {
			c.fault(path+"."+k.key, `it stands in topics: without "/", "+" and "#"`, "%q cannot be an identifier", k.value)
		}
	}
	if c.need(path+".feeds", `write it like "feeds: {main: connection}"`) && len(x.Feeds) == 0 {
		c.fault(path+".feeds", `write it like "feeds: {main: connection}"`, "no feed is named")
	}
	for _, tag := range slices.Sorted(maps.Keys(x.Feeds)) {
		c.nodeRef(strictyaml.Join(path+".feeds", tag), x.Feeds[tag])
	}
	if c.need(path+".keys", "the path of the JWK set that signs load targets: an unsigned target is not followed") {
		c.file(path+".keys", x.Keys)
	}
	c.reference(path+".sign", x.Sign)
	if x.Sign != "" {
		c.need(path+".key_id", "the kid of our signing key")
	} else if c.doc.Has(path + ".key_id") {
		c.need(path+".sign", `write "env:NAME" or "file:PATH" of our private key (PEM)`)
	}
}

func (c *checker) face(path string, m *Face) {
	host := c.listen(path+".listen", m.Listen)
	between(c, path+".unit", m.Unit, 1, 247)
	for i, a := range m.Allow {
		_, err := netip.ParseAddr(a)
		if _, perr := netip.ParsePrefix(a); err != nil && perr != nil {
			c.fault(fmt.Sprintf("%s.allow[%d]", path, i), `write it like "10.0.0.7" or "10.0.0.0/28"`, "%q is no address", a)
		}
	}
	if ip, err := netip.ParseAddr(host); host != "" && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		if len(m.Allow) == 0 {
			c.warn(path+".listen", "name those that may write with allow", "others can connect and read, and only this machine may write")
		} else {
			c.warn(path+".listen", "keep it in a network of its own", "Modbus has no encryption and no passwords")
		}
	}
	c.nodeOr(path+".node", m.Node)
	c.lostSignal(path+".lost", m.Lost)
}
