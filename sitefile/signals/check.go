package signals

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// ModbusSource is what the Modbus face is called among the sources of signals.
const ModbusSource = "modbus"

// Defaults sets what the file leaves out.
func Defaults(file interface{ Has(path string) bool }, s *Signals) {
	for i := range s.OpenADR {
		o, path := &s.OpenADR[i], fmt.Sprintf("signals.openadr[%d]", i)
		check.Or(file, path+".version", &o.Version, "3.1")
		check.Or(file, path+".poll", &o.Poll, 30*time.Second)
		o.Lost.defaults(file, path+".lost", max(5*time.Minute, 5*o.Poll))
	}
	for i := range s.MQTT {
		s.MQTT[i].Lost.defaults(file, fmt.Sprintf("signals.mqtt[%d].lost", i), 5*time.Minute)
	}
	if m := s.Modbus; m != nil {
		check.Or(file, "signals.modbus.listen", &m.Listen, "127.0.0.1:1502")
		check.Or(file, "signals.modbus.unit", &m.Unit, 1)
		m.Lost.defaults(file, "signals.modbus.lost", time.Minute)
	}
}

func (l *Lost) defaults(file interface{ Has(path string) bool }, path string, after time.Duration) {
	check.Or(file, path+".after", &l.After, after)
	check.Or(file, path+".then", &l.Then, "keep")
}

// checks are those of one file's signals; limit is the connection's.
type checks struct {
	check.Check
	limit unit.Power
}

// Check checks the grid's ways to a site whose connection may draw limit.
func Check(to check.Reporter, s *Signals, limit unit.Power) {
	c, names := checks{check.Check{To: to}, limit}, map[string]string{}
	for i := range s.OpenADR {
		c.openADR(fmt.Sprintf("signals.openadr[%d]", i), &s.OpenADR[i], names)
	}
	for i := range s.MQTT {
		c.mqtt(fmt.Sprintf("signals.mqtt[%d]", i), &s.MQTT[i], names)
	}
	if m := s.Modbus; m != nil {
		c.face("signals.modbus", m)
	}
}

// nodeOr checks a node that may be left out.
func (c checks) nodeOr(path, id string) {
	if c.To.Has(path) {
		c.To.Node(path, id)
	}
}

// name says that a source must have a name of its own.
func (c checks) name(path, name string, names map[string]string) {
	if !c.ID(path, name) {
		return
	}
	if name == ModbusSource {
		c.To.Fault(path, "choose another name", "the name %q is the Modbus server's", name)
	}
	if other, twice := names[name]; twice {
		c.To.Fault(path, "give each its own name", "the name %q is taken by %s", name, other)
	}
	names[name] = strings.TrimSuffix(path, ".name")
}

// lost checks what holds once a source is not heard of.
func (c checks) lost(path string, l Lost) {
	check.Between(c.Check, path+".after", l.After, time.Second, 7*24*time.Hour)
	c.OneOf(path+".then", "choice", l.Then, "keep", "release", "limit")
	switch has := c.To.Has(path + ".limit"); {
	case l.Then == "limit" && !has:
		c.To.Fault(path, `write it like "limit: 2 MW", or choose keep or release`, "limit is missing: what the connection may draw meanwhile")
	case l.Then != "limit" && has:
		c.To.Fault(path+".limit", `write "then: limit" too, or remove the key`, "limit means nothing with %s", l.Then)
	case has && l.Limit < 0:
		c.To.Fault(path+".limit", `write it like "2 MW"`, "%v is below zero", l.Limit)
	case has && c.limit > 0 && l.Limit >= c.limit:
		c.To.Warn(path+".limit", "", "the limit of %v changes nothing: the connection has %v anyway", l.Limit, c.limit)
	}
}

func (c checks) openADR(path string, o *OpenADR, names map[string]string) {
	c.name(path+".name", o.Name, names)
	if c.Need(path+".url", `write the VTN's base address, like "https://vtn.example/openadr3/3.1.0"`) {
		c.URL(path+".url", o.URL)
	}
	c.OneOf(path+".version", "version", o.Version, "3.1", "3.0")
	c.Credentials(path+".client", o.Client)
	if o.Client != nil && o.Client.User == "" {
		c.Need(path+".client.user", "write the client id, or a reference to it")
	}
	if o.TokenURL != "" {
		c.URL(path+".token_url", o.TokenURL)
	}
	if o.Client == nil {
		for _, k := range []string{"token_url", "scope"} {
			if c.To.Has(path + "." + k) {
				c.To.Fault(path+"."+k, "add client, or remove the key", "%s goes with client", k)
			}
		}
	}
	c.nodeOr(path+".node", o.Node)
	c.levels(path+".levels", o.Levels)
	check.Between(c.Check, path+".poll", o.Poll, time.Second, time.Hour)
	c.webhook(path, o)
	c.lost(path+".lost", o.Lost)
}

// levels checks the limits of the SIMPLE levels.
func (c checks) levels(path string, levels map[int]unit.Power) {
	last := unit.Power(-1)
	for _, k := range slices.Sorted(maps.Keys(levels)) {
		at := strictyaml.Join(path, strconv.Itoa(k))
		switch p := levels[k]; {
		case k < 0 || k > 3:
			c.To.Fault(at, "SIMPLE has the levels 0 to 3", "there is no level %d", k)
		case p < 0:
			c.To.Fault(at, `write it like "2 MW"`, "%v is below zero", p)
		case last >= 0 && p > last:
			c.To.Warn(at, "a higher level asks for more", "level %d allows more than the one before it", k)
			last = p
		default:
			last = p
			if c.limit > 0 && p > c.limit {
				c.To.Warn(at, "", "%v is above the %v that the connection may carry", p, c.limit)
			}
		}
	}
}

func (c checks) webhook(path string, o *OpenADR) {
	keys := []string{"webhook", "webhook_listen", "webhook_token"}
	if o.Webhook == "" {
		for _, k := range keys[1:] {
			if c.To.Has(path + "." + k) {
				c.To.Fault(path+"."+k, "add webhook, the address that the VTN is to call", "%s goes with webhook", k)
			}
		}
		return
	}
	c.URL(path+".webhook", o.Webhook)
	if c.Need(path+".webhook_listen", `write where to listen, like "10.0.0.5:8419"`) {
		c.Listen(path+".webhook_listen", o.WebhookListen)
	}
	if c.Need(path+".webhook_token", `write "env:NAME" or "file:PATH" of what the VTN must show`) {
		c.Reference(path+".webhook_token", o.WebhookToken)
	}
}

func (c checks) mqtt(path string, m *MQTT, names map[string]string) {
	c.name(path+".name", m.Name, names)
	if c.Need(path+".broker", `write it like "ssl://broker.example:8883"`) {
		c.broker(path+".broker", m.Broker)
	}
	c.Credentials(path+".credentials", m.Credentials)
	for _, k := range []struct{ key, file string }{{"ca", m.CA}, {"cert", m.Cert}} {
		if k.file != "" {
			c.To.File(path+"."+k.key, k.file)
		}
	}
	if (m.Cert == "") != (m.Key == "") {
		missing := "key"
		if m.Cert == "" {
			missing = "cert"
		}
		c.Need(path+"."+missing, "a client's certificate and its key belong together")
	}
	c.Reference(path+".key", m.Key)
	switch c.ExactlyOne(path, "topic", "dsx") {
	case "topic":
		c.topic(path+".topic", m.Topic)
		if m.Status != "" {
			c.topic(path+".status", m.Status)
			if m.Status == m.Topic {
				c.To.Fault(path+".status", "choose another topic", "what is told would come back as what is asked")
			}
		}
	case "dsx":
		if c.To.Has(path + ".status") {
			c.To.Fault(path+".status", "remove the key", "status goes with topic: DSX Flex has topics of its own")
		}
		if m.DSX != nil {
			c.dsx(path+".dsx", m.DSX)
		}
	}
	c.nodeOr(path+".node", m.Node)
	c.lost(path+".lost", m.Lost)
}

func (c checks) broker(path, s string) {
	const hint = `write it like "tcp://10.0.0.7:1883" or "ssl://broker.example:8883"`
	u, err := url.Parse(s)
	schemes := []string{"tcp", "mqtt", "ssl", "tls", "mqtts"}
	if err == nil {
		_, err = strconv.ParseUint(u.Port(), 10, 16)
	}
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) || u.Path != "" && u.Path != "/" {
		c.To.Fault(path, hint, "%q is not a broker's address", s)
		return
	}
	if u.User != nil {
		c.To.Fault(path, "write them under credentials", "a user stands in the address")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); (u.Scheme == "tcp" || u.Scheme == "mqtt") && u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.To.Warn(path, "use ssl:// where the broker offers it", "what the broker says comes without encryption")
	}
}

// topic says that a topic must be one, without wildcards.
func (c checks) topic(path, s string) {
	if s == "" || len(s) > 1024 || strings.ContainsAny(s, "#+\x00") || strings.HasPrefix(s, "$") {
		c.To.Fault(path, `write one topic, like "site/curtailment"`, "%q is no topic to follow", s)
	}
}

func (c checks) dsx(path string, x *DSX) {
	for _, k := range []struct{ key, value, hint string }{{"isv", x.ISV, "whose load targets are followed"}, {"agent", x.Agent, "our own identifier"}} {
		if c.Need(path+"."+k.key, k.hint) && (k.value == "" || strings.ContainsAny(k.value, "/+#\x00")) {
			c.To.Fault(path+"."+k.key, `it stands in topics: without "/", "+" and "#"`, "%q cannot be an identifier", k.value)
		}
	}
	if c.Need(path+".feeds", `write it like "feeds: {main: connection}"`) && len(x.Feeds) == 0 {
		c.To.Fault(path+".feeds", `write it like "feeds: {main: connection}"`, "no feed is named")
	}
	for _, tag := range slices.Sorted(maps.Keys(x.Feeds)) {
		c.To.Node(strictyaml.Join(path+".feeds", tag), x.Feeds[tag])
	}
	if c.Need(path+".keys", "the path of the JWK set that signs load targets: an unsigned target is not followed") {
		c.To.File(path+".keys", x.Keys)
	}
	c.Reference(path+".sign", x.Sign)
	if x.Sign != "" {
		c.Need(path+".key_id", "the kid of our signing key")
	} else if c.To.Has(path + ".key_id") {
		c.Need(path+".sign", `write "env:NAME" or "file:PATH" of our private key (PEM)`)
	}
}

func (c checks) face(path string, m *Face) {
	host := c.Listen(path+".listen", m.Listen)
	check.Between(c.Check, path+".unit", m.Unit, 1, 247)
	for i, a := range m.Allow {
		_, err := netip.ParseAddr(a)
		if _, perr := netip.ParsePrefix(a); err != nil && perr != nil {
			c.To.Fault(fmt.Sprintf("%s.allow[%d]", path, i), `write it like "10.0.0.7" or "10.0.0.0/28"`, "%q is no address", a)
		}
	}
	if ip, err := netip.ParseAddr(host); host != "" && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		if len(m.Allow) == 0 {
			c.To.Warn(path+".listen", "name those that may write with allow", "others can connect and read, and only this machine may write")
		} else {
			c.To.Warn(path+".listen", "keep it in a network of its own", "Modbus has no encryption and no passwords")
		}
	}
	c.nodeOr(path+".node", m.Node)
	c.lost(path+".lost", m.Lost)
}
