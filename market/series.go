package market

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"switchyard/clock"
	"switchyard/market/iso"
	"switchyard/sitefile"
)

// SeriesOptions say what a series of the site file is for.
type SeriesOptions struct {
	Kind    iso.Kind      // default iso.DayAhead
	Product string        // of a reserve: its name in the site file
	Stale   time.Duration // how long after its interval a figure still counts
	Clock   clock.Clock   // default the system's
	Log     *slog.Logger  // nil: nobody is told
}

// OpenSeries opens a series of prices, such as the day-ahead price or a reserve's. It reads
// files, and no network: that is the feed's Run, if it has one.
func OpenSeries(f *sitefile.File, s sitefile.Series, o SeriesOptions) (PriceFeed, error) {
	if o.Kind == "" {
		o.Kind = iso.DayAhead
	}
	switch {
	case s.CSV != "":
		names := map[iso.Kind][]string{
			iso.DayAhead: {"da_price", "day_ahead", "price"},
			iso.Reserve:  {strings.ToLower(o.Product)},
		}[o.Kind]
		return OpenPriceFile(PriceFile{Path: f.Path(s.CSV), Column: s.Column, Names: names, Stale: o.Stale, Log: o.Log})
	case s.Feed != nil:
		r, err := reportsOf(f, *s.Feed, o)
		if err != nil {
			return nil, err
		}
		return OpenReportPrices(r)
	}
	return nil, fmt.Errorf("the site file names no source")
}

// OpenLoad opens a series of a grid's load in MW, as OpenSeries does.
func OpenLoad(f *sitefile.File, s sitefile.Series, o SeriesOptions) (LoadFeed, error) {
	o.Kind = iso.Load
	switch {
	case s.CSV != "":
		return OpenLoadFile(PriceFile{Path: f.Path(s.CSV), Column: s.Column, Stale: o.Stale, Log: o.Log})
	case s.Feed != nil:
		r, err := reportsOf(f, *s.Feed, o)
		if err != nil {
			return nil, err
		}
		return OpenReportLoad(r)
	}
	return nil, fmt.Errorf("the site file names no source")
}

// reportsOf says how a feed of the site file is followed.
func reportsOf(f *sitefile.File, d sitefile.Feed, o SeriesOptions) (Reports, error) {
	r := Reports{Scale: d.Scale, Poll: d.Poll, Stale: o.Stale, Clock: o.Clock, Log: o.Log}
	if r.Clock == nil {
		r.Clock = clock.System()
	}
	r.Ask = iso.Ask{
		Operator: d.Operator, Kind: o.Kind, Zone: d.Zone, Product: d.Product,
		Map: iso.Map{Time: d.Time, Price: d.Price, Rows: d.Rows, Filter: d.Filter, Format: d.TimeFormat, Length: d.Length, Ending: d.Ending},
	}
	switch {
	case o.Kind == iso.Reserve:
		if r.Ask.Ahead = d.Market != string(iso.RealTime); r.Ask.Product == "" {
			r.Ask.Product = o.Product
		}
	case d.Market != "" && o.Kind != iso.Load:
		r.Ask.Kind = iso.Kind(d.Market)
	}
	if d.TimeZone != "" {
		zone, err := time.LoadLocation(d.TimeZone)
		if err != nil {
			return r, fmt.Errorf("the feed's time zone: %w", err)
		}
		r.Ask.Map.Zone = zone
	}
	if d.Token != "" {
		token, err := f.Secret(d.Token)
		if err != nil {
			return r, err
		}
		r.Token = token
	}
	if path, ok := d.Local(); ok {
		r.Path = f.Path(path)
	} else {
		r.URL = d.URL
	}
	return r, nil
}
