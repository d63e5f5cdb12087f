package exporter_test

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/exporter"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func cluster(t *testing.T, f ...gpus.Fault) *gpus.Cluster {
	m := gpus.Model{Name: "h100", Product: "NVIDIA H100 80GB HBM3", Idle: 70 * unit.Watt, Full: 700 * unit.Watt}
	c, err := gpus.New(gpus.Config{ID: "c", Seed: 4, Faults: f, Nodes: []gpus.NodeConfig{{Name: "gpu1", Model: m, GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt}}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	c.Step(noon.Add(time.Minute), true)
	return c
}

func TestTextIsReadBack(t *testing.T) {
	c := cluster(t, gpus.Fault{Kind: gpus.OffTheBus, Node: "gpu1", GPU: 7, From: noon})
	n := c.Node("gpu1")
	c.SetOwner("gpu1", 2, gpus.Owner{Namespace: "t", Pod: "p", Container: "main"})
	s := httptest.NewServer(exporter.Handler(n, 1))
	defer s.Close()
	res, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	all, err := p.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	power := all["DCGM_FI_DEV_POWER_USAGE"].Metric
	if len(power) != 7 || len(all["DCGM_FI_DEV_XID_ERRORS"].Metric) != 8 {
		t.Fatalf("%d powers, %d errors", len(power), len(all["DCGM_FI_DEV_XID_ERRORS"].Metric))
	}
	g, _ := n.GPU(2)
	labels := map[string]string{}
	for _, l := range power[2].Label {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["UUID"] != g.UUID || labels["gpu"] != "2" || labels["pod"] != "p" || labels["Hostname"] != "gpu1" || labels["modelName"] != g.Product {
		t.Errorf("%v", labels)
	}
	if math.Abs(power[2].Gauge.GetValue()-g.Power.Watts()) > 1e-6 || all["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"].Metric[2].Counter.GetValue() != float64(g.Energy) {
		t.Error("the figures are not the GPU's")
	}
	if x := all["DCGM_FI_DEV_XID_ERRORS"].Metric[7].Gauge.GetValue(); x != 79 {
		t.Errorf("the lost GPU tells %v", x)
	}
	n.PowerOff()
	if _, err := http.Get(s.URL + "/metrics"); err == nil {
		t.Error("a node without power answers")
	}
}

func TestFaults(t *testing.T) {
	c := cluster(t, gpus.Fault{Kind: gpus.ExporterGarbled, Node: "gpu1"}, gpus.Fault{Kind: gpus.ExporterHangs, Node: "gpu1", From: noon.Add(time.Hour)})
	s := httptest.NewServer(exporter.Handler(c.Node("gpu1"), 1))
	defer s.Close()
	get := func() ([]byte, error) {
		client := &http.Client{Timeout: 100 * time.Millisecond}
		res, err := client.Get(s.URL + "/metrics")
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	a, err := get()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := get(); string(a) == string(b) {
		t.Error("it is not garbled")
	}
	c.Step(noon.Add(2*time.Hour), true)
	if _, err := get(); err == nil {
		t.Error("it does not hang")
	}
}
