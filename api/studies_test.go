package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"switchyard/api/studies"
	"switchyard/strictyaml"
)

// room stands for the studies of a site.
type room struct{ *fakes }

func (r room) Studies() []StudyView { return []StudyView{{ID: "1", Name: "of all"}} }

func (r room) Document(_ context.Context, id, format string) (studies.Document, error) {
	if id != "1" {
		return studies.Document{}, fmt.Errorf("study %q: %w", id, ErrNotFound)
	}
	return studies.Document{Type: "text/html; charset=utf-8", Name: id + "." + format, Body: []byte("<html>of all")}, r.tell("%s as %s", id, format)
}

func (r room) Compare(_ context.Context, ids []string) (studies.Document, error) {
	return studies.Document{Type: "text/html", Name: "x.html", Body: []byte("both")}, r.tell("compare %v", ids)
}

func (r room) Add(_ context.Context, who string, q StudyRequest) (StudyView, error) {
	if q.Text == "bad" {
		return StudyView{}, strictyaml.Faults{{File: "a.yaml", Line: 3, Column: 1, Path: "years", Message: "is missing", Suggestion: "write how many"}}
	}
	return StudyView{ID: "2", State: "waiting"}, r.tell("%s adds %s with %d files", who, q.Name, len(q.Files))
}

func (r room) Remove(_ context.Context, who, id string) error {
	return r.tell("%s removes %s", who, id)
}

func newRoom(t *testing.T) *face {
	t.Helper()
	f := newFace(t)
	f.site.Studies = room{f.fakes}
	f.h = Handler(f.site)
	return f
}

func TestStudiesKeepTheirRoles(t *testing.T) {
	f := newRoom(t)
	body := `{"name":"a.yaml","text":"study: x","files":{"p.csv":"1"}}`
	for _, c := range []operationCase{
		{"GET", "/api/v1/studies", "", Viewer, ""},
		{"GET", "/api/v1/studies/1", "", Viewer, ""},
		{"GET", "/api/v1/studies/1/report", "", Viewer, ""},
		{"GET", "/api/v1/studies/1/report?with=2,3", "", Viewer, ""},
		{"POST", "/api/v1/studies", body, Operates, "study a.yaml"},
		{"DELETE", "/api/v1/studies/1", "", Operates, "remove study 1"},
	} {
		for _, role := range []Role{"", Viewer, Operates, Admin} {
			f.take()
			w := f.ask(role, c.method, c.path, c.body)
			told, audit := f.take()
			want := http.StatusOK
			switch {
			case role == "":
				want = http.StatusUnauthorized
			case !role.May(c.role):
				want = http.StatusForbidden
			}
			if w.Code != want || want != http.StatusOK && len(told) > 0 {
				t.Errorf("%s %s as %q: %d %s, told %v", c.method, c.path, role, w.Code, w.Body, told)
			}
			if want == http.StatusOK && c.audit != "" && (len(audit) != 1 || audit[0] != "the "+string(role)+": "+c.audit+": done") {
				t.Errorf("%s %s as %q: audit %v", c.method, c.path, role, audit)
			}
		}
	}
}

// A report brings its own style and runs nothing, whatever stands in it.
func TestAReportRunsNothing(t *testing.T) {
	f := newRoom(t)
	w := f.ask(Viewer, "GET", "/api/v1/studies/1/report", "")
	policy := w.Header().Get("Content-Security-Policy")
	if w.Body.String() != "<html>of all" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || len(w.Header().Values("Content-Security-Policy")) != 1 {
		t.Errorf("policy %q", w.Header().Values("Content-Security-Policy"))
	}
	if told, _ := f.take(); len(told) != 1 || told[0] != "1 as html" {
		t.Error(told)
	}
	if w := f.ask(Viewer, "GET", "/api/v1/studies/1/report?format=xlsx&with=2", ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(Viewer, "GET", "/api/v1/studies/9", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAFaultyStudyIsToldByLineAndKey(t *testing.T) {
	f := newRoom(t)
	w := f.ask(Operates, "POST", "/api/v1/studies", `{"name":"a.yaml","text":"bad"}`)
	got := decode[struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}](t, w)
	if w.Code != http.StatusUnprocessableEntity || got.Detail != "the file has 1 fault" || len(got.Errors) != 1 || got.Errors[0].Location != "years" || got.Errors[0].Message != "a.yaml:3:1: is missing; write how many" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, audit := f.take(); len(audit) != 1 || !strings.Contains(audit[0], "study a.yaml: refused: ") {
		t.Error(audit)
	}
	// A year of prices may come with it; what is larger than any is refused.
	large := func(n int) string {
		return `{"name":"a.yaml","text":"x","files":{"p.csv":"` + strings.Repeat("1", n) + `"}}`
	}
	if w := f.ask(Operates, "POST", "/api/v1/studies", large(4<<20)); w.Code != http.StatusOK {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
	if w := f.ask(Operates, "POST", "/api/v1/studies", large(13<<20)); w.Code/100 != 4 {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
	if w := f.ask(Operates, "POST", "/api/v1/limits", large(2<<20)); w.Code/100 != 4 {
		t.Errorf("another operation took 2 MiB: %d", w.Code)
	}
}
