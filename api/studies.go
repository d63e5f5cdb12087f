package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/api/studies"
	"switchyard/strictyaml"
)

// What is shown of investment studies, and who answers it.
type (
	Studies      = studies.Studies
	StudyView    = studies.View
	StudyRequest = studies.Request
)

const (
	studiesPath = "/api/v1/studies"
	// maxStudy bounds a study file with the files that it names: a year of hourly prices has some
	// 300 kB, one of five minutes 4 MB.
	maxStudy = 12 << 20
	// reportPolicy is for a report, which holds its own style and runs no script.
	reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-popups"
)

// bodyBound is how much a request may bring.
func bodyBound(r *http.Request) int64 {
	if r.Method == http.MethodPost && r.URL.Path == studiesPath {
		return maxStudy
	}
	return 1 << 20
}

// faulty makes the answer to a file with faults: each with its line and key.
func faulty(faults strictyaml.Faults) error {
	details := make([]error, 0, len(faults))
	for _, f := range faults {
		text := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
		if f.Suggestion != "" {
			text += "; " + f.Suggestion
		}
		details = append(details, &huma.ErrorDetail{Message: text, Location: f.Path})
	}
	what := "1 fault"
	if len(faults) != 1 {
		what = fmt.Sprintf("%d faults", len(faults))
	}
	return huma.Error422UnprocessableEntity("the file has "+what, details...)
}

type studyID struct {
	ID string `path:"id" maxLength:"80"`
}

type studyFile struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

// studies registers what people may do with investment studies.
func (s Site) studies(a huma.API) {
	read(s, a, studiesPath, "studies", "Investment studies, the newest first", func(context.Context, *struct{}) ([]StudyView, error) {
		all := slices.Clone(some(s.Studies.Studies()))
		for i := range all {
			all[i].Best = some(all[i].Best)
		}
		return all, nil
	})
	add := operation(http.MethodPost, studiesPath, "new-study", "Run a study file; it is done when its state says so", Operates)
	add.MaxBodyBytes, add.BodyReadTimeout = maxStudy, 30*time.Second
	change(s, a, add, func(in *body[StudyRequest]) string { return "study " + in.Body.Name },
		func(ctx context.Context, who string, in *body[StudyRequest]) (StudyView, error) {
			v, err := s.Studies.Add(ctx, who, in.Body)
			v.Best = some(v.Best)
			return v, err
		})
	change(s, a, operation(http.MethodDelete, studiesPath+"/{id}", "remove-study", "Take a study away", Operates),
		func(in *studyID) string { return "remove study " + in.ID },
		func(ctx context.Context, who string, in *studyID) (struct{}, error) {
			return struct{}{}, s.Studies.Remove(ctx, who, in.ID)
		})
	op := operation(http.MethodGet, studiesPath+"/{id}", "study", "A study's report as JSON", Viewer)
	huma.Register(a, op, func(ctx context.Context, in *studyID) (*studyFile, error) { return s.study(ctx, in.ID, "json") })
	type shown struct {
		ID     string `path:"id" maxLength:"80"`
		Format string `query:"format" enum:"html,yaml,xlsx" default:"html"`
		With   string `query:"with" maxLength:"1000" doc:"ids of others, separated by commas, to stand beside it; HTML only"`
	}
	op = operation(http.MethodGet, studiesPath+"/{id}/report", "study-report", "A study's report for people, or the file that it was made from", Viewer)
	huma.Register(a, op, func(ctx context.Context, in *shown) (*studyFile, error) {
		if in.With == "" {
			return s.study(ctx, in.ID, in.Format)
		}
		if in.Format != "html" {
			return nil, s.status(fmt.Errorf("%w: several studies are compared as html only", ErrInvalid))
		}
		doc, err := s.Studies.Compare(ctx, append([]string{in.ID}, strings.Split(in.With, ",")...))
		return s.file(doc, err)
	})
}

func (s Site) study(ctx context.Context, id, format string) (*studyFile, error) {
	doc, err := s.Studies.Document(ctx, id, format)
	return s.file(doc, err)
}

func (s Site) file(doc studies.Document, err error) (*studyFile, error) {
	if err != nil {
		return nil, s.status(err)
	}
	return &studyFile{Type: doc.Type, Disposition: fmt.Sprintf("inline; filename=%q", doc.Name), Policy: reportPolicy, Body: doc.Body}, nil
}

// faultsOf returns the faults of a file that an error tells of; nil: it tells of none.
func faultsOf(err error) strictyaml.Faults {
	var faults strictyaml.Faults
	if errors.As(err, &faults) {
		return faults
	}
	return nil
}
