package api

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type operationCase struct {
	method, path, body string
	role               Role
	audit              string // of a change, without who and outcome
}

func operations() []operationCase {
	return []operationCase{
		{"GET", "/api/v1/site", "", Viewer, ""},
		{"GET", "/api/v1/live", "", Viewer, ""},
		{"GET", "/api/v1/curve", "", Viewer, ""},
		{"GET", "/api/v1/groups/hall-a/map", "", Viewer, ""},
		{"GET", "/api/v1/history", "", Viewer, ""},
		{"GET", "/api/v1/decisions?limit=10", "", Viewer, ""},
		{"GET", "/api/v1/why/s21-001", "", Viewer, ""},
		{"GET", "/api/v1/report/day?date=2026-03-01", "", Viewer, ""},
		{"GET", "/metrics", "", Viewer, ""},
		{"POST", "/api/v1/limits", `{"node":"tx-1","power_w":1000,"for_s":60}`, Operates, "limit tx-1 to 1000 W for 60 s"},
		{"DELETE", "/api/v1/limits/op-1", "", Operates, "clear limit op-1"},
		{"POST", "/api/v1/holds", `{"devices":["s21-001"],"mode":"sleep"}`, Operates, "hold [s21-001] in sleep"},
		{"DELETE", "/api/v1/holds/s21-001", "", Operates, "release s21-001"},
		{"GET", "/api/v1/tokens", "", Admin, ""},
		{"POST", "/api/v1/tokens", `{"name":"eva","role":"viewer"}`, Admin, "new token eva, viewer"},
		{"DELETE", "/api/v1/tokens/eva", "", Admin, "revoke token eva"},
	}
}

func TestEveryOperationKeepsItsRole(t *testing.T) {
	f := newFace(t)
	for _, c := range operations() {
		f.take()
		for _, role := range []Role{"", Viewer, Operates, Admin} {
			name := fmt.Sprintf("%s %s as %q", c.method, c.path, role)
			w := f.ask(role, c.method, c.path, c.body)
			told, audit := f.take()
			switch {
			case role == "":
				if w.Code != http.StatusUnauthorized || len(told)+len(audit) > 0 {
					t.Errorf("%s: %d, told %v, audit %v", name, w.Code, told, audit)
				}
			case !role.May(c.role):
				if w.Code != http.StatusForbidden || len(told) > 0 || len(audit) != 1 || !strings.Contains(audit[0], "refused: role "+string(role)) || !strings.HasPrefix(audit[0], "the "+string(role)) {
					t.Errorf("%s: %d, told %v, audit %v", name, w.Code, told, audit)
				}
			case c.audit != "":
				if w.Code == http.StatusUnprocessableEntity && strings.Contains(w.Body.String(), "exists") {
					continue // made by the role before
				}
				want := []string{"the " + string(role) + ": " + c.audit + ": done"}
				if w.Code/100 != 2 || !cmp.Equal(want, audit) {
					t.Errorf("%s: %d %s, audit %v, want %v", name, w.Code, w.Body, audit, want)
				}
			default:
				if w.Code != http.StatusOK || len(audit) != 0 {
					t.Errorf("%s: %d %s, audit %v", name, w.Code, w.Body, audit)
				}
			}
		}
	}
}

// The table above must not miss an operation, nor may the events.
func TestTheTableOfOperationsIsWhole(t *testing.T) {
	f := newFace(t)
	doc := decode[struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Description string `json:"description"`
		} `json:"paths"`
	}](t, f.ask("", "GET", "/api/openapi.json", ""))
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	var described, tabled []string
	for p, ms := range doc.Paths {
		for m, op := range ms {
			described = append(described, strings.ToUpper(m)+" "+p)
			if !strings.Contains(op.Description, "Needs the role ") {
				t.Errorf("%s %s does not say which role it takes", m, p)
			}
		}
	}
	for _, c := range operations() {
		if strings.HasPrefix(c.path, "/api") {
			p, _, _ := strings.Cut(c.path, "?")
			p = regexp.MustCompile(`/s21-001$`).ReplaceAllString(p, "/{device}")
			p = strings.NewReplacer("/op-1", "/{id}", "/eva", "/{name}", "/hall-a/", "/{group}/").Replace(p)
			tabled = append(tabled, c.method+" "+p)
		}
	}
	tabled = append(tabled, "GET /api/v1/events")
	slices.Sort(described)
	slices.Sort(tabled)
	if diff := cmp.Diff(described, tabled); diff != "" {
		t.Errorf("described (-) and tested (+):\n%s", diff)
	}
	// And what the views' comments promise exists.
	for _, file := range []string{"view.go", "tokens.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(GET|POST|DELETE) (/api/v1/[a-z/{}]+)`).FindAllStringSubmatch(string(src), -1) {
			if _, ok := doc.Paths[m[2]][strings.ToLower(m[1])]; !ok {
				t.Errorf("%s speaks of %s, which the description does not have", file, m[0])
			}
		}
	}
}

func TestATokenThatIsNotOneOpensNothing(t *testing.T) {
	f := newFace(t)
	good := f.tokens[Admin]
	for name, header := range map[string]string{
		"unknown":          "Bearer sy_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"empty":            "Bearer ",
		"cut short":        "Bearer " + good[:len(good)-1],
		"longer":           "Bearer " + good + "x",
		"its hash":         "Bearer " + hashOf(good),
		"its name":         "Bearer the admin",
		"another scheme":   "Basic " + good,
		"without a scheme": good,
		"nothing":          "",
	} {
		if w := f.ask("", "GET", "/api/v1/tokens", "", "Authorization", header); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := f.ask("", "GET", "/api/v1/live?token="+good, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("a token in the address was taken: %d", w.Code)
	}
}

func TestARefusedChangeLeavesItsLine(t *testing.T) {
	f := newFace(t)
	f.err = fmt.Errorf("%w: no node is called tx-1", ErrInvalid)
	for _, c := range operations() {
		if c.audit == "" || strings.Contains(c.path, "tokens/") {
			continue
		}
		f.take()
		w := f.ask(Admin, c.method, c.path, c.body)
		_, audit := f.take()
		if w.Code != http.StatusUnprocessableEntity || len(audit) != 1 || !strings.Contains(audit[0], c.audit+": refused: ") {
			t.Errorf("%s %s: %d, audit %v", c.method, c.path, w.Code, audit)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, s := range []string{"viewer", "operator", "admin"} {
		if r, err := ParseRole(s); err != nil || string(r) != s {
			t.Errorf("%s: %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "root", "Admin", "viewer "} {
		if _, err := ParseRole(s); err == nil {
			t.Errorf("%q is a role", s)
		}
		if Role(s).May(Viewer) || Role(s).May(Role(s)) {
			t.Errorf("%q may something", s)
		}
	}
	if !Admin.May(Viewer) || !Operates.May(Viewer) || Viewer.May(Operates) || Operates.May(Admin) {
		t.Error("the order of roles")
	}
}
