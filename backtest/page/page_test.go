package page

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/backtest"
	"switchyard/sitefile"
)

const site = `
site: {name: "Tom & <b>Jerry</b>", timezone: America/Chicago}
connection: {limit: 9 MW, meter: {address: 10.0.9.9, profile: generic}}
groups: [{id: m, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1-10.0.0.9], nameplate: 3500 W, hashrate: 140 TH/s}]
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}
`

func report(t *testing.T, days int, o backtest.Options) *backtest.Report {
	t.Helper()
	var b strings.Builder
	b.WriteString("time,price\n")
	for i := range days * 24 {
		p := 40 + 30*math.Sin(float64(i)/4)
		if i%67 == 0 {
			p = 900
		}
		fmt.Fprintf(&b, "%s,%.2f\n", time.Date(2024, 2, 27, 6+i, 0, 0, 0, time.UTC).Format(time.RFC3339), p)
	}
	path := filepath.Join(t.TempDir(), "p.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := sitefile.Parse("s.yaml", []byte(site), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := backtest.Open(f, backtest.Sources{Prices: path})
	if err != nil {
		t.Fatal(err)
	}
	r, err := backtest.Run(context.Background(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Command, r.Version = "switchyard backtest 's <1>.yaml' --prices p.csv", "v1"
	return r
}

// TestPageStandsAlone: well formed, nothing fetched, nothing of a name taken for markup, and
// the figures and the command are there.
func TestPageStandsAlone(t *testing.T) {
	r := report(t, 40, backtest.Options{})
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, bad := range []string{"http:", "https:", "src=", "@import", "url(", "<script", "<b>Jerry", "NaN", "Inf", "%!"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, want := range []string{"Tom &amp; &lt;b&gt;Jerry", "Price duration curve", "Curtailed hours", "Earnings by source", "Regret by day", "2024-03", "&#39;s &lt;1&gt;.yaml&#39; --prices p.csv", "always-on", "last-price"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	for _, svg := range strings.SplitAfter(text, "</svg>") {
		from := strings.Index(svg, "<svg")
		if from < 0 {
			continue
		}
		d := xml.NewDecoder(strings.NewReader(svg[from:]))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a chart is not well formed: %v", err)
			}
		}
	}
}

// TestPageOfVeryLittle: one day, and without the site's own policy.
func TestPageOfVeryLittle(t *testing.T) {
	for _, o := range []backtest.Options{{}, {Policies: []string{backtest.LastPrice}, Information: []backtest.Information{backtest.Late}}, {Policies: []string{backtest.AlwaysOn}}} {
		var b bytes.Buffer
		if err := Write(&b, report(t, 1, o)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "NaN") {
			t.Error("the page holds NaN")
		}
	}
}

func TestDollars(t *testing.T) {
	for v, want := range map[float64]string{0: "$0", 999: "$999", -1500: "-$1500", 12_345: "$12.3k", 999_900: "$1M", 2_345_678: "$2.35M"} {
		if got := dollars(v); got != want {
			t.Errorf("%v is printed %q, want %q", v, got, want)
		}
	}
}
