package api

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Counters are what a running controller counts since its start, by name: "commands" and the like.
type Counters interface{ Counters() map[string]int64 }

// Metrics returns the site's figures for Prometheus: read from the newest screen when asked.
func Metrics(s Screens, c Counters) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), exporter{s, c})
	return r
}

type exporter struct {
	screens  Screens
	counters Counters
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchyard_"+name, help, labels, nil)
}

// Describe sends nothing: the series depend on the site, so the collector is an unchecked one.
func (exporter) Describe(chan<- *prometheus.Desc) {}

// Collect sends the present figures. What is unknown is left out, never sent as zero.
func (e exporter) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v *float64, labels ...string) {
		if v != nil {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, *v, labels...)
		}
	}
	v := e.screens.Live()
	gauge(desc("price_usd_mwh", "Power price at the connection, $/MWh."), v.PriceUSDMWh)
	gauge(desc("hashprice_usd_ph_day", "Hashprice, $/PH/day."), v.HashpriceUSD)
	gauge(desc("marginal_usd_mwh", "The site's marginal price, $/MWh."), v.MarginalUSD)
	gauge(desc("profit_usd_hour", "Profit at the present rates, $/h."), v.ProfitUSDHour)
	for _, n := range v.Nodes {
		gauge(desc("node_power_watts", "Metered power entering a node.", "node"), n.PowerW, n.ID)
		gauge(desc("node_limit_watts", "Limit in force at a node.", "node"), n.LimitW, n.ID)
		gauge(desc("node_reading_age_seconds", "Age of the node's meter reading, site time.", "node"), n.AgeS, n.ID)
	}
	for _, g := range v.Groups {
		gauge(desc("group_power_watts", "Power of a mining group.", "group"), &g.PowerW, g.ID)
		gauge(desc("group_award_watts", "Power awarded to a mining group above standby.", "group"), &g.AwardW, g.ID)
		gauge(desc("group_hashrate_ph_s", "Hashrate of a mining group, PH/s.", "group"), &g.Hashrate, g.ID)
		for state, n := range g.States {
			count := float64(n)
			gauge(desc("group_miners", "Miners of a group by state.", "group", "state"), &count, g.ID, state)
		}
	}
	for _, t := range v.Tenants {
		gauge(desc("tenant_power_watts", "Metered power of a tenant.", "tenant"), t.PowerW, t.ID)
		gauge(desc("tenant_reserve_watts", "Power kept for a tenant.", "tenant"), &t.ReserveW, t.ID)
		gauge(desc("tenant_shed_watts", "Firm power not delivered to a tenant.", "tenant"), &t.ShedW, t.ID)
	}
	alerts := float64(len(v.Alerts))
	gauge(desc("alerts", "Alerts that stand."), &alerts)
	for name, n := range e.counters.Counters() {
		out <- prometheus.MustNewConstMetric(desc(name+"_total", "Count of "+strings.ReplaceAll(name, "_", " ")+" since the start."), prometheus.CounterValue, float64(n))
	}
}
