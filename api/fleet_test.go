package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// yard stands for the devices and the care of them.
type yard struct{ *fakes }

func (y yard) Devices(_ context.Context, r DevicesRequest) (DevicesView, error) {
	return DevicesView{At: siteTime, Total: 1, Devices: []DeviceRow{{ID: "s21-001"}}}, y.tell("devices %q %s %d %d", r.Query, r.Sort, r.Offset, r.Limit)
}

func (y yard) Device(_ context.Context, id string) (DeviceView, error) {
	return DeviceView{DeviceRow: DeviceRow{ID: id}}, y.tell("device %s", id)
}

func (y yard) DeviceHistory(_ context.Context, id string, from, to time.Time, step time.Duration) (DeviceHistoryView, error) {
	return DeviceHistoryView{Device: id}, y.tell("history of %s, %s to %s in %s", id, from.Format(time.DateTime), to.Format(time.DateTime), step)
}

func (y yard) Adopt(_ context.Context, who, id, note string) (AdoptedView, error) {
	return AdoptedView{Device: id}, y.tell("%s adopts %s: %s", who, id, note)
}

func (y yard) Preview(_ context.Context, r RolloutRequest) (PreviewView, error) {
	return PreviewView{Do: 3}, y.tell("preview %s", r.Words())
}

func (y yard) Begin(_ context.Context, who string, r RolloutRequest) (RolloutView, error) {
	return RolloutView{ID: 7, By: who}, y.tell("%s begins %s", who, r.Words())
}

func (y yard) Rollouts(_ context.Context, n int) ([]RolloutView, error) {
	return nil, y.tell("%d rollouts", n)
}

func (y yard) Rollout(_ context.Context, id int64) (RolloutView, error) {
	return RolloutView{ID: id}, y.tell("rollout %d", id)
}

func (y yard) Steer(_ context.Context, who string, id int64, what string) error {
	return y.tell("%s: %s %d", who, what, id)
}
func (y yard) HealthAlerts(context.Context) ([]HealthAlert, error) { return nil, y.tell("health") }
func (y yard) Repairs(context.Context) ([]RepairView, error)       { return nil, y.tell("repairs") }
func (y yard) Repaired(_ context.Context, who, device, note string) error {
	return y.tell("%s repaired %s: %s", who, device, note)
}
func (y yard) Silences(context.Context) ([]SilenceView, error) { return nil, y.tell("silences") }
func (y yard) Silence(_ context.Context, who string, r SilenceRequest) (SilenceView, error) {
	return SilenceView{ID: 4, By: who}, y.tell("%s silences %s", who, r.Query)
}

func (y yard) Unsilence(_ context.Context, who string, id int64) error {
	return y.tell("%s ends %d", who, id)
}

func newYard(t *testing.T) *face {
	t.Helper()
	f := newFace(t)
	y := yard{f.fakes}
	f.site.Devices, f.site.Rollouts, f.site.Care, f.site.Silences = y, y, y, y
	f.h = Handler(f.site)
	return f
}

// fleetOperations are those of the devices; told is what reaches the site.
func fleetOperations() []struct {
	operationCase
	told string
} {
	type op = struct {
		operationCase
		told string
	}
	return []op{
		{operationCase{"GET", "/api/v1/devices?q=model%3DS19*&sort=-power&offset=10&limit=20", "", Viewer, ""}, `devices "model=S19*" -power 10 20`},
		{operationCase{"GET", "/api/v1/devices", "", Viewer, ""}, `devices ""  0 100`},
		{operationCase{"GET", "/api/v1/devices/s21-001", "", Viewer, ""}, "device s21-001"},
		{operationCase{"GET", "/api/v1/devices/s21-001/history?step=60", "", Viewer, ""}, "history of s21-001, 2026-03-01 12:00:00 to 2026-03-02 12:00:00 in 1m0s"},
		{operationCase{"POST", "/api/v1/devices/s21-001/adopt", `{"note":"a spare"}`, Operates, "adopt s21-001: a spare"}, " adopts s21-001: a spare"},
		{operationCase{"POST", "/api/v1/rollouts/preview", `{"action":"reboot","query":"state=fault"}`, Viewer, ""}, "preview reboot where state=fault"},
		{operationCase{"POST", "/api/v1/rollouts", `{"action":"reboot","devices":["a","b","c","d"]}`, Operates, "begin rollout: reboot on a, b, c and 1 more"}, " begins reboot on a, b, c and 1 more"},
		{operationCase{"GET", "/api/v1/rollouts?limit=5", "", Viewer, ""}, "5 rollouts"},
		{operationCase{"GET", "/api/v1/rollouts/7", "", Viewer, ""}, "rollout 7"},
		{operationCase{"POST", "/api/v1/rollouts/7/steer", `{"what":"pause"}`, Operates, "pause rollout 7"}, ": pause 7"},
		{operationCase{"GET", "/api/v1/health", "", Viewer, ""}, "health"},
		{operationCase{"GET", "/api/v1/repairs", "", Viewer, ""}, "repairs"},
		{operationCase{"POST", "/api/v1/repairs/s21-001/done", `{"note":"new fan"}`, Operates, "repaired s21-001: new fan"}, " repaired s21-001: new fan"},
		{operationCase{"GET", "/api/v1/silences", "", Viewer, ""}, "silences"},
		{operationCase{"POST", "/api/v1/silences", `{"query":"rack=A","note":"cleaning","for_s":60,"maintenance":true}`, Operates, `maintenance where "rack=A", rules [], for 60 s: cleaning`}, " silences rack=A"},
		{operationCase{"DELETE", "/api/v1/silences/4", "", Operates, "end silence 4"}, " ends 4"},
	}
}

func TestFleetOperationsKeepTheirRoles(t *testing.T) {
	f := newYard(t)
	for _, c := range fleetOperations() {
		for _, role := range []Role{"", Viewer, Operates, Admin} {
			name := fmt.Sprintf("%s %s as %q", c.method, c.path, role)
			f.take()
			w := f.ask(role, c.method, c.path, c.body)
			told, audit := f.take()
			switch {
			case role == "":
				if w.Code != http.StatusUnauthorized || len(told) > 0 {
					t.Errorf("%s: %d, told %v", name, w.Code, told)
				}
			case !role.May(c.role):
				if w.Code != http.StatusForbidden || len(told) > 0 || len(audit) != 1 {
					t.Errorf("%s: %d, told %v, audit %v", name, w.Code, told, audit)
				}
			default:
				var want []string
				if c.audit != "" {
					want = []string{"the " + string(role) + ": " + c.audit + ": done"}
					c.told = strings.TrimPrefix(c.told, "the "+string(role))
				}
				if w.Code != http.StatusOK || !cmp.Equal(want, audit) || len(told) != 1 || !strings.HasSuffix(told[0], c.told) || strings.TrimSpace(w.Body.String()) == "null" {
					t.Errorf("%s: %d %s, told %q, audit %q", name, w.Code, w.Body, told, audit)
				}
			}
		}
	}
}

func TestFleetRequestsNameTheirFaults(t *testing.T) {
	f := newYard(t)
	for _, c := range []struct{ method, path, body, says string }{
		{"GET", "/api/v1/devices?limit=0", "", "limit"},
		{"GET", "/api/v1/devices?limit=1001", "", "limit"},
		{"GET", "/api/v1/devices?offset=-1", "", "offset"},
		{"GET", "/api/v1/devices?q=" + strings.Repeat("a", 2001), "", "q"},
		{"GET", "/api/v1/devices/x/history?from=2026-03-02T12:00:00Z&to=2026-03-02T11:00:00Z", "", "is not before"},
		{"GET", "/api/v1/devices/x/history?from=2020-03-02T12:00:00Z&step=1", "", "ask for longer steps"},
		{"POST", "/api/v1/rollouts", `{"action":"explode"}`, "action"},
		{"POST", "/api/v1/rollouts", `{"action":"reboot","wave":-1}`, "wave"},
		{"POST", "/api/v1/rollouts", `{}`, "action"},
		{"POST", "/api/v1/rollouts/7/steer", `{"what":"hurry"}`, "what"},
		{"GET", "/api/v1/rollouts/x", "", "id"},
		{"POST", "/api/v1/silences", `{"query":"a"}`, "note"},
	} {
		f.take()
		w := f.ask(Admin, c.method, c.path, c.body)
		if told, _ := f.take(); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), c.says) || len(told) > 0 {
			t.Errorf("%s %.60s: %d %s, told %v", c.method, c.path, w.Code, w.Body, told)
		}
	}
	f.err = fmt.Errorf("%w: query, character 1: there is no field", ErrInvalid)
	if w := f.ask(Viewer, "GET", "/api/v1/devices?q=modle%3Dx", ""); w.Code != 422 || !strings.Contains(w.Body.String(), "character 1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A secret that is typed in where its name belongs must not get into the record.
func TestAuditLinesHoldNoSecrets(t *testing.T) {
	f := newYard(t)
	f.take()
	f.ask(Admin, "POST", "/api/v1/rollouts", `{"action":"password","password_ref":"hunter2","query":"a"}`)
	f.ask(Admin, "POST", "/api/v1/rollouts", `{"action":"pools","pools":[{"url":"stratum+tcp://p:1","worker":"w","password_ref":"hunter2"}],"query":"a"}`)
	f.ask(Admin, "POST", "/api/v1/rollouts", `{"action":"password","password_ref":"env:NEW","query":"a"}`)
	_, audit := f.take()
	all := strings.Join(audit, "\n")
	if len(audit) != 3 || strings.Contains(all, "hunter2") || !strings.Contains(all, "env:NEW") || !strings.Contains(all, "stratum+tcp://p:1 as w") {
		t.Errorf("audit lines:\n%s", all)
	}
}

func TestWhatIsNotThereIsNotServed(t *testing.T) {
	f := newFace(t)
	for _, c := range fleetOperations() {
		if w := f.ask(Admin, c.method, c.path, c.body); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
	}
}

func TestTheFleetsViewsPromiseNothingThatIsNotThere(t *testing.T) {
	f := newYard(t)
	doc := decode[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](t, f.ask("", "GET", "/api/openapi.json", ""))
	src, err := os.ReadFile("fleetview.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(GET|POST|DELETE) (/api/v1/[a-z/{}]+)`).FindAllStringSubmatch(string(src), -1)
	if len(found) < 5 {
		t.Fatalf("only %d promises found", len(found))
	}
	for _, m := range found {
		if _, ok := doc.Paths[m[2]][strings.ToLower(m[1])]; !ok {
			t.Errorf("fleetview.go speaks of %s, which the description does not have", m[0])
		}
	}
}
