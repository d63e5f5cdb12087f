package antminer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

// The modes of the configuration.
const (
	modeNormal = 0
	modeSleep  = 1
	modeHigh   = 2
	modeLow    = 3
)

// lowPercent is what the low-power mode draws, of nameplate.
const lowPercent = 80

// maxConf bounds a posted configuration; real ones have under 1 KB.
const maxConf = 16 << 10

// conf is the stored configuration: all of it, there is nothing beside it.
type conf struct {
	pools                              [3]pool
	fanCtrl                            bool
	fanPWM, freq, voltage, freqLevel   string
	mode                               int
	vil, apiListen                     bool
	apiGroups, apiAllow, ccdelay, pwth string
}

type pool struct {
	URL  string `json:"url"`
	User string `json:"user"`
	Pass string `json:"pass"`
}

// factoryConf is what the device has before anybody posts one.
func factoryConf(v plant.View) conf {
	c := conf{
		fanPWM: "100", freq: "675", voltage: "1400", freqLevel: "100", ccdelay: "0", pwth: "0",
		vil: true, apiListen: true, apiGroups: "A:stats:pools:devs:summary:version", apiAllow: "A:0/0,W:*",
	}
	for i, p := range v.Pools {
		if i < len(c.pools) {
			c.pools[i] = pool{p.URL, p.Worker, "123"}
		}
	}
	if v.Mode == plant.ModeSleep {
		c.mode = modeSleep
	}
	return c
}

// text takes a JSON string, number or boolean for its text: pages post all three.
type text string

// UnmarshalJSON reads a scalar.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = text(s)
		return nil
	}
	if len(b) == 0 || b[0] == '{' || b[0] == '[' {
		return errors.New("a scalar is wanted")
	}
	*t = text(b)
	return nil
}

// posted is the body of set_miner_conf.cgi.
type posted struct {
	Pools     []pool `json:"pools"`
	FanCtrl   text   `json:"bitmain-fan-ctrl"`
	FanPWM    text   `json:"bitmain-fan-pwm"`
	Freq      text   `json:"bitmain-freq"`
	Voltage   text   `json:"bitmain-voltage"`
	CCDelay   text   `json:"bitmain-ccdelay"`
	Pwth      text   `json:"bitmain-pwth"`
	VIL       text   `json:"bitmain-use-vil"`
	MinerMode *text  `json:"miner-mode"`
	WorkMode  *text  `json:"bitmain-work-mode"`
	FreqLevel *text  `json:"freq-level"`
	Level     text   `json:"bitmain-freq-level"`
	APIListen text   `json:"api-listen"`
	Groups    text   `json:"api-groups"`
	Allow     text   `json:"api-allow"`
}

// parseConf reads a posted configuration. What it does not hold becomes empty.
func parseConf(body []byte) (conf, error) {
	if len(body) > maxConf {
		return conf{}, face.ErrTooLong
	}
	var p posted
	if err := json.Unmarshal(body, &p); err != nil {
		return conf{}, fmt.Errorf("read configuration: %w", err)
	}
	c := conf{
		fanCtrl: p.FanCtrl == "true", fanPWM: string(p.FanPWM), freq: string(p.Freq), voltage: string(p.Voltage),
		ccdelay: string(p.CCDelay), pwth: string(p.Pwth), vil: p.VIL == "true", freqLevel: string(p.Level),
		apiListen: p.APIListen == "true", apiGroups: string(p.Groups), apiAllow: string(p.Allow),
	}
	if p.FreqLevel != nil {
		c.freqLevel = string(*p.FreqLevel)
	}
	copy(c.pools[:], p.Pools) // a fourth pool is lost
	mode := p.MinerMode       // what the page posts; the other is what it reads
	if mode == nil {
		mode = p.WorkMode
	}
	if mode != nil && *mode != "" {
		n, err := strconv.Atoi(string(*mode))
		if err != nil || n < modeNormal || n > modeLow {
			return conf{}, fmt.Errorf("read configuration: no mode is called %q", *mode)
		}
		c.mode = n
	}
	return c, nil
}

// store keeps a configuration and starts the reload that makes it true.
func (d *device) store(c conf) {
	now := d.m.Now()
	d.mu.Lock()
	before := d.settled(now)
	if !d.reloadAt.IsZero() { // one reload follows the other
		before = d.next
	}
	d.conf = d.settled(now)
	d.next = c
	d.reloadAt = now.Add(time.Second + time.Duration(d.seed%1000)*time.Millisecond)
	d.mu.Unlock()
	d.tell(before, c)
}

// tell tells the plant what differs.
func (d *device) tell(before, c conf) {
	if c.pools != before.pools {
		var pools []plant.PoolView
		for _, p := range c.pools {
			if p.URL != "" {
				pools = append(pools, plant.PoolView{URL: p.URL, Worker: p.User})
			}
		}
		d.m.SetPools(pools)
	}
	if c.mode == modeSleep {
		d.m.Sleep()
		return
	}
	percent := 100
	if c.mode == modeLow {
		percent = lowPercent
	}
	if d.m.View().Percent != percent {
		d.m.SetPercent(percent)
	}
	d.m.Wake()
}

// current returns what the pages show now.
func (d *device) current() conf {
	now := d.m.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settled(now)
}

// settled applies a reload that is over. The caller holds the lock.
func (d *device) settled(now time.Time) conf {
	if !d.reloadAt.IsZero() && !now.Before(d.reloadAt) {
		d.conf, d.next, d.reloadAt = d.next, conf{}, time.Time{}
	}
	return d.conf
}

// confReply is the body of get_miner_conf.cgi.
func (d *device) confReply(c conf) []byte {
	b := append(make([]byte, 0, 1024), "{\n\"pools\" : [\n"...)
	for i, p := range c.pools {
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = append(b, "{\n\"url\" : "...)
		b = append(face.Quote(b, p.URL), ",\n\"user\" : "...)
		b = append(face.Quote(b, p.User), ",\n\"pass\" : "...)
		b = append(face.Quote(b, p.Pass), "\n}"...)
	}
	b = append(b, "\n]\n"...)
	field := func(name, value string) {
		b = append(face.Quote(append(b, ',', '\n'), name), " : "...)
		b = face.Quote(b, value)
	}
	b = fmt.Appendf(b, ",\"api-listen\" : %t,\n\"api-network\" : true", c.apiListen)
	field("api-groups", c.apiGroups)
	field("api-allow", c.apiAllow)
	b = fmt.Appendf(b, ",\n\"bitmain-fan-ctrl\" : %t", c.fanCtrl)
	field("bitmain-fan-pwm", c.fanPWM)
	b = fmt.Appendf(b, ",\n\"bitmain-use-vil\" : %t", c.vil)
	field("bitmain-freq", c.freq)
	field("bitmain-voltage", c.voltage)
	field("bitmain-ccdelay", c.ccdelay)
	field("bitmain-pwth", c.pwth)
	if d.modeNumber {
		b = fmt.Appendf(b, ",\n\"bitmain-work-mode\" : %d,\n\"miner-mode\" : %d", c.mode, c.mode)
	} else {
		field("bitmain-work-mode", strconv.Itoa(c.mode))
	}
	field("bitmain-freq-level", c.freqLevel)
	return append(b, "\n}\n"...)
}
