package iso

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Place is an address that reports are at.
type Place struct {
	URL string
	// Listing says that the answer is a list of reports: Listed reads it.
	Listing bool
	// Late says that the report may not be out yet, or no longer: that it is not there is no fault.
	Late bool
}

// Interval returns how long a figure of the operator usually holds.
func (a Ask) Interval() time.Duration {
	switch {
	case a.Operator == "octopus" || a.Operator == "aemo" && a.Kind == DayAhead:
		return 30 * time.Minute
	case a.Operator == "ercot" && a.Kind == RealTime:
		return 15 * time.Minute
	case a.Operator == "csv" || a.Operator == "json":
		if a.Map.Length > 0 {
			return a.Map.Length
		}
		return time.Hour
	case a.Kind == DayAhead, a.Kind == Reserve && a.Ahead, a.Operator == "entsoe", a.Operator == "ercot", a.Operator == "caiso" && a.Kind == Load, a.Operator == "pjm" && a.Kind == Reserve:
		return time.Hour
	}
	return 5 * time.Minute
}

// Day returns the zone in which the operator's reports begin a new day.
func (a Ask) Day() *time.Location {
	name := map[string]string{
		"nyiso": newYork, "pjm": newYork, "ercot": "America/Chicago", "caiso": "America/Los_Angeles",
		"entsoe": "Europe/Brussels", "octopus": "Europe/London",
	}[a.Operator]
	switch {
	case a.Operator == "miso":
		return est()
	case a.Operator == "aemo":
		return nem()
	case name == "" && a.Map.Zone != nil:
		return a.Map.Zone
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Pause returns how long to wait between two questions to the operator.
func (a Ask) Pause() time.Duration {
	if a.Operator == "caiso" {
		return 5 * time.Second // OASIS refuses more
	}
	return 0
}

// Keyed returns how a key is shown to the operator: a header, or a parameter of the address.
func (a Ask) Keyed() (header, parameter string) {
	switch a.Operator {
	case "pjm", "ercot":
		return "Ocp-Apim-Subscription-Key", ""
	case "entsoe":
		return "", "securityToken"
	}
	return "Authorization", ""
}

// HasPlaces says whether Places knows the operator's own addresses of the kind.
func (a Ask) HasPlaces() bool {
	p := a.own(time.Unix(0, 0), time.Unix(0, 0))
	return len(p) > 0
}

// Places returns the addresses of the reports about the days around now: the last so many
// days back, today, and for the day-ahead market tomorrow. pattern replaces the operator's own
// address; in it {date}, {day} and {zone} are filled in.
func (a Ask) Places(pattern string, now time.Time, back int) []Place {
	y, m, d := now.In(a.Day()).Date()
	midnight := func(n int) time.Time { return time.Date(y, m, d+n, 0, 0, 0, 0, a.Day()) }
	ahead := 0
	if a.Kind == DayAhead || a.Kind == Reserve && a.Ahead {
		ahead = 1
	}
	of := func(n int) []Place {
		if pattern != "" {
			return []Place{{URL: fill(pattern, midnight(n), a.Zone)}}
		}
		return a.own(midnight(n), midnight(n+1))
	}
	if today := of(0); slices.Equal(today, of(1)) {
		return today // the same address every day
	}
	var out []Place
	for n := -back; n <= ahead; n++ {
		for _, p := range of(n) {
			p.Late = n != 0 || now.Sub(midnight(0)) < time.Hour
			out = append(out, p)
		}
	}
	return out
}

// fill fills in a pattern for the day that begins at from.
func fill(pattern string, from time.Time, zone string) string {
	return strings.NewReplacer("{date}", from.Format("20060102"), "{day}", from.Format(time.DateOnly), "{zone}", url.QueryEscape(zone)).Replace(pattern)
}

// own returns the operator's addresses for the day from from to to.
func (a Ask) own(from, to time.Time) []Place {
	one := func(s string) []Place { return []Place{{URL: s}} }
	list := func(s string) []Place { return []Place{{URL: s, Listing: true}} }
	date := from.Format("20060102")
	switch a.Operator {
	case "nyiso":
		report := map[Kind]string{RealTime: "realtime/%srealtime_zone.csv", DayAhead: "damlbmp/%sdamlbmp_zone.csv", Load: "pal/%spal.csv", Reserve: "rtasp/%srtasp.csv"}[a.Kind]
		if a.Kind == Reserve && a.Ahead {
			report = "damasp/%sdamasp.csv"
		}
		return one("http://mis.nyiso.com/public/csv/" + fmt.Sprintf(report, date))
	case "ercot":
		report := map[Kind]string{RealTime: "12301", DayAhead: "12331", Load: "13101", Reserve: "12329"}[a.Kind]
		return list("https://www.ercot.com/misapp/servlets/IceDocListJsonWS?reportTypeId=" + report)
	case "caiso":
		return one(a.oasis(from, to))
	case "pjm":
		return one(a.dataMiner(from, to))
	case "miso":
		switch a.Kind {
		case RealTime:
			return one("https://public-api.misoenergy.org/api/MarketPricing/GetRealTimeFiveMinExPost/Current")
		case DayAhead:
			return one("https://docs.misoenergy.org/marketreports/" + date + "_da_expost_lmp.csv")
		case Load:
			return one("https://public-api.misoenergy.org/api/RealTimeTotalLoad")
		}
	case "entsoe":
		return a.platform(from, to)
	case "aemo":
		switch {
		case a.Kind == DayAhead, a.Kind == Reserve && a.Ahead:
			return list("https://www.nemweb.com.au/Reports/Current/PredispatchIS_Reports/")
		case a.Kind == Reserve:
			return list("https://www.nemweb.com.au/Reports/Current/DispatchIS_Reports/")
		}
		return one("https://visualisations.aemo.com.au/aemo/apps/api/report/ELEC_NEM_SUMMARY")
	}
	return nil
}

func (a Ask) oasis(from, to time.Time) string {
	q := map[Kind]string{
		RealTime: "queryname=PRC_INTVL_LMP&version=3&market_run_id=RTM&node=" + url.QueryEscape(a.Zone),
		DayAhead: "queryname=PRC_LMP&version=12&market_run_id=DAM&node=" + url.QueryEscape(a.Zone),
		Load:     "queryname=SLD_FCST&version=1&market_run_id=ACTUAL",
		Reserve:  "queryname=PRC_AS&version=12&market_run_id=DAM&anc_type=ALL&anc_region=" + url.QueryEscape(a.Zone),
	}[a.Kind]
	const form = "20060102T15:04-0000"
	return "https://oasis.caiso.com/oasisapi/SingleZip?resultformat=6&" + q +
		"&startdatetime=" + from.UTC().Format(form) + "&enddatetime=" + to.UTC().Format(form)
}

func (a Ask) dataMiner(from, to time.Time) string {
	feed := map[Kind]string{RealTime: "rt_unverified_fivemin_lmps", DayAhead: "da_hrl_lmps", Load: "inst_load", Reserve: "ancillary_services"}[a.Kind]
	if a.Kind == Reserve && a.Ahead {
		feed = "da_ancillary_services"
	}
	q := url.Values{"rowCount": {"50000"}, "startRow": {"1"}}
	q.Set("datetime_beginning_ept", from.Format("2006-01-02 15:04")+" to "+to.Add(-time.Minute).Format("2006-01-02 15:04"))
	if a.Kind == RealTime || a.Kind == DayAhead {
		q.Set("pnode_id", a.Zone)
	}
	return "https://api.pjm.com/api/v1/" + feed + "?" + q.Encode()
}

func (a Ask) platform(from, to time.Time) []Place {
	q := "documentType=A44&in_Domain=%[1]s&out_Domain=%[1]s"
	switch a.Kind {
	case Load:
		q = "documentType=A65&processType=A16&outBiddingZone_Domain=%[1]s"
	case Reserve:
		return nil
	}
	const form = "200601021504"
	return []Place{{URL: "https://web-api.tp.entsoe.eu/api?" + fmt.Sprintf(q, url.QueryEscape(EIC(a.Zone))) +
		"&periodStart=" + from.UTC().Format(form) + "&periodEnd=" + to.UTC().Format(form)}}
}

// listed bounds how many reports of a list are looked at.
const listed = 20_000

// Listed returns the addresses of the reports in a list, oldest first, at most the newest so
// many. The list stands at base.
func Listed(base string, body []byte, most int) ([]string, error) {
	if page(body) || strings.Contains(strings.ToLower(string(body[:min(len(body), 4096)])), "<a href") {
		return listedPage(base, body, most)
	}
	var in struct {
		Res struct {
			List []struct {
				Document struct {
					Name      string `json:"FriendlyName"`
					File      string `json:"ConstructedName"`
					ID        string `json:"DocID"`
					Published string `json:"PublishDate"`
				} `json:"Document"`
			} `json:"DocumentList"`
		} `json:"ListDocsByRptTypeRes"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("the list of reports cannot be read: %w", err)
	}
	root, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the list's address cannot be read: %w", err)
	}
	type doc struct {
		at  time.Time
		url string
	}
	var docs []doc
	for _, l := range in.Res.List[:min(len(in.Res.List), listed)] {
		d := l.Document
		if !strings.HasSuffix(d.Name, "csv") && !strings.HasSuffix(strings.TrimSuffix(d.File, ".zip"), "csv") || !digits.MatchString(d.ID) {
			continue // each report is there as XML too
		}
		at, err := time.Parse(time.RFC3339, d.Published)
		if err != nil {
			continue
		}
		get := *root
		get.Path, get.RawQuery = "/misdownload/servlets/mirDownload", "doclookupId="+d.ID
		docs = append(docs, doc{at, get.String()})
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("%w: the list names no report as CSV", ErrNone)
	}
	slices.SortStableFunc(docs, func(a, b doc) int { return a.at.Compare(b.at) })
	var out []string
	for _, d := range docs[max(len(docs)-most, 0):] {
		out = append(out, d.url)
	}
	return out, nil
}

var (
	digits = regexp.MustCompile(`^[0-9]{1,20}$`)
	links  = regexp.MustCompile(`(?i)<a\s+href="([^"]{1,300}\.zip)"`)
)

// listedPage reads NEMWEB's page of links, whose names begin with the time of the run.
func listedPage(base string, body []byte, most int) ([]string, error) {
	root, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the list's address cannot be read: %w", err)
	}
	var out []string
	for _, m := range links.FindAllSubmatch(body, listed) {
		u, err := root.Parse(string(m[1]))
		if err == nil && u.Host == root.Host {
			out = append(out, u.String())
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the answer is a web page (HTML) without reports: check the address")
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[max(len(out)-most, 0):], nil
}
