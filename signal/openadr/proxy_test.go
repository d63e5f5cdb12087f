package openadr_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/vtn"
	"switchyard/signal"
	"switchyard/signal/openadr"
	"switchyard/sitefile"
	"switchyard/unit"
)

// TestTheEmulatedVTNKeepsToTheSpecification looks at each exchange with the emulated VTN
// through a proxy that is made from the published interface, so that client and VTN cannot
// share a mistake: requests of business logic and of a VEN to every address, and then our
// client's whole life.
func TestTheEmulatedVTNKeepsToTheSpecification(t *testing.T) {
	for _, version := range []string{"3.1", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			spec := openadr.Specification(t, version)
			s := serve(t, version, func(c *vtn.Config) {
				c.MQTT = "mqtts://broker.example"
				c.TokenURL = "https://tokens.example/token"
			})
			direct := s.url
			s.url = openadr.StartPrism(t, "proxy", spec, direct)
			rec := &openadr.Recorder{}
			x := exchanges{t: t, base: s.url, client: rec.Client(), version: version}
			x.everything()
			x.followed(s, direct)
			seen := map[string]bool{}
			for _, c := range rec.All() {
				seen[c.Method+" "+strings.SplitN(c.Path, "-", 2)[0]] = true
				for _, v := range c.Violations {
					if !contradiction(version, c, v) {
						t.Errorf("%s %s (%d): %s at %v", c.Method, c.Path, c.Status, v.Message, v.Location)
					}
				}
			}
			if len(rec.All()) < 40 {
				t.Errorf("only %d exchanges: %v", len(rec.All()), seen)
			}
			t.Logf("%d exchanges", len(rec.All()))
		})
	}
}

// contradiction is the one place where no answer could be right: in 3.1.0 a ven and a resource
// must have the objectType of all objects and that of the request both.
func contradiction(version string, c openadr.Call, v openadr.Violation) bool {
	return version == "3.1" && (strings.HasPrefix(c.Path, "/vens") || strings.HasPrefix(c.Path, "/resources")) &&
		len(v.Location) > 1 && v.Location[0] == "response" && v.Location[len(v.Location)-1] == "objectType" && v.Code == "enum"
}

type exchanges struct {
	t       *testing.T
	base    string
	client  *http.Client
	version string
	token   string
}

// do asks and returns the answer; the status must be as wanted.
func (x *exchanges) do(method, path, body string, status int) map[string]any {
	x.t.Helper()
	req, err := http.NewRequest(method, x.base+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/auth/token") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if x.token != "" {
		req.Header.Set("Authorization", "Bearer "+x.token)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	if resp.StatusCode != status {
		x.t.Errorf("%s %s: status %d, want %d: %.300s", method, path, resp.StatusCode, status, b)
	}
	var one map[string]any
	_ = json.Unmarshal(b, &one) // a list is looked at by the proxy alone
	return one
}

func (x *exchanges) as(client, secret string) {
	x.token = ""
	got := x.do("POST", "/auth/token", "grant_type=client_credentials&client_id="+client+"&client_secret="+secret, 200)
	x.token, _ = got["access_token"].(string)
}

// everything goes through all addresses, with what is right and what is wrong.
func (x *exchanges) everything() {
	old := x.version == "3.0"
	x.t.Helper()
	if !old {
		x.do("GET", "/auth/server", "", 200)
	}
	x.as("bl", "bl")
	program, _ := x.do("POST", "/programs", `{"programName":"p1","payloadDescriptors":[{"objectType":"EVENT_PAYLOAD_DESCRIPTOR","payloadType":"PRICE","units":"KWH","currency":"USD"}]}`, 201)["id"].(string)
	x.do("POST", "/programs", `{"programName":"p1"}`, 409)
	x.do("GET", "/programs?skip=0&limit=10", "", 200)
	x.do("GET", "/programs/"+program, "", 200)
	x.do("PUT", "/programs/"+program, `{"programName":"p1"}`, 200)
	x.do("GET", "/programs/none", "", 404)
	event := `{"programID":"` + program + `","eventName":"e","priority":1,"intervalPeriod":{"start":"2026-03-01T12:00:00Z","duration":"PT1H","randomizeStart":"PT5M"},
		"reportDescriptors":[{"payloadType":"USAGE"}],"intervals":[{"id":0,"payloads":[{"type":"PRICE","values":[0.17]}]}]}`
	id, _ := x.do("POST", "/events", event, 201)["id"].(string)
	x.do("GET", "/events?programID="+program, "", 200)
	x.do("GET", "/events/"+id, "", 200)
	x.do("PUT", "/events/"+id, event, 200)
	x.as("ven-1", secret)
	x.do("POST", "/events", event, 403)
	x.do("DELETE", "/events/"+id, "", 403)
	ven, resource := `{"venName":"v1"}`, `{"resourceName":"r1"}`
	if !old {
		ven = `{"objectType":"VEN_VEN_REQUEST","venName":"v1"}`
	}
	venID, _ := x.do("POST", "/vens", ven, 201)["id"].(string)
	x.do("POST", "/vens", ven, map[bool]int{true: 409, false: 400}[old]) // 3.1 lists no 409 here
	x.do("GET", "/vens?venName=v1", "", 200)
	x.do("GET", "/vens/"+venID, "", 200)
	x.do("PUT", "/vens/"+venID, ven, 200)
	path := "/vens/" + venID + "/resources"
	if !old {
		path, resource = "/resources", `{"objectType":"VEN_RESOURCE_REQUEST","resourceName":"r1","venID":"`+venID+`"}`
	}
	res, _ := x.do("POST", path, resource, 201)["id"].(string)
	x.do("GET", path+"?resourceName=r1", "", 200)
	x.do("GET", path+"/"+res, "", 200)
	x.do("PUT", path+"/"+res, resource, 200)
	sub := `{"clientName":"v1","programID":"` + program + `","objectOperations":[{"objects":["EVENT"],"operations":["CREATE","UPDATE","DELETE"],"callbackUrl":"http://127.0.0.1:9/hook","bearerToken":"x"}]}`
	subID, _ := x.do("POST", "/subscriptions", sub, 201)["id"].(string)
	x.do("GET", "/subscriptions?clientName=v1&objects=EVENT", "", 200)
	x.do("GET", "/subscriptions/"+subID, "", 200)
	x.do("PUT", "/subscriptions/"+subID, sub, 200)
	report := `{"programID":"` + program + `","eventID":"` + id + `","clientName":"v1","resources":[{"resourceName":"r1","intervals":[{"id":0,"payloads":[{"type":"USAGE","values":[1]}]}]}]}`
	if !old {
		report = strings.Replace(report, `"programID":"`+program+`",`, "", 1)
		x.do("GET", "/notifiers", "", 200)
	}
	rep, _ := x.do("POST", "/reports", report, 201)["id"].(string)
	x.do("GET", "/reports?eventID="+id, "", 200)
	x.do("GET", "/reports/"+rep, "", 200)
	x.do("PUT", "/reports/"+rep, report, 200)
	x.as("ven-2", "other")
	wantOther := 404
	if old {
		wantOther = 200 // any VEN reads everything
	}
	x.do("GET", "/vens/"+venID, "", wantOther)
	x.do("GET", "/reports/"+rep, "", wantOther)
	x.as("bl", "bl")
	for _, p := range []string{"/reports/" + rep, "/subscriptions/" + subID, path + "/" + res, "/vens/" + venID, "/events/" + id, "/programs/" + program} {
		x.do("DELETE", p, "", 200)
		x.do("GET", p, "", 404)
	}
	x.token = "worthless"
	x.do("GET", "/events", "", map[bool]int{true: 403, false: 401}[old]) // 3.0 lists no 401
}

// followed lets our client live through the proxy: registration, a subscription, an event
// that is pushed and taken back, a report.
func (x *exchanges) followed(s *stand, direct string) {
	t := x.t
	program, err := s.vtn.Program("demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.follow(t, x.version, webhook(t), func(c *sitefile.OpenADR, o *openadr.Options) {
		c.TokenURL = direct + "/auth/token" // the proxy would go to the address that the VTN names
		c.Poll = 300 * time.Millisecond
		o.HTTP = x.client
	})
	s.host.await(t, "the subscription", func(signal.Update) bool { return s.client.Status().Notified })
	e := event(time.Now().Add(-time.Minute), "PT1H", "IMPORT_CAPACITY_LIMIT", 3000)
	e["programID"] = program
	e["reportDescriptors"] = []any{
		vtn.Object{"payloadType": "OPERATING_STATE", "frequency": 0},
		vtn.Object{"payloadType": "LOAD_SHED_DELTA_AVAILABLE", "historical": false},
	}
	id := s.push(t, e)
	s.host.await(t, "the limit", limited(3*unit.Megawatt))
	deadline := time.Now().Add(10 * time.Second)
	for len(s.vtn.All(vtn.Report)) < 2 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	var names []string
	for _, r := range s.vtn.All(vtn.Report) {
		names = append(names, r["reportName"].(string))
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"LOAD_SHED_DELTA_AVAILABLE-1-0", "OPERATING_STATE-0-0"}) {
		t.Errorf("reports %q", names)
	}
	if err := s.vtn.Withdraw(id); err != nil {
		t.Fatal(err)
	}
	s.host.await(t, "the end", limited())
	s.stop()
}
