package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Site is everything that the API shows and hands wishes to.
type Site struct {
	Screens  Screens
	Records  Records
	Operator Operator
	Stream   Stream
	Audit    Auditor
	Tokens   *Tokens
	Metrics  prometheus.Gatherer
	History  Querier // nil serves no PromQL
	// The devices one by one, and what people do for them; of what is nil nothing is served.
	Devices  Devices
	Rollouts Rollouts
	Care     Care
	Silences Silences
	Ahead    Ahead // what is planned and asked for; nil serves none of it
	// GPU clusters, what tenants see of their own, and what they were billed; of what is nil
	// nothing is served. Bills needs Tenancy.
	Clusters Clusters
	Tenancy  Tenancy
	Bills    Bills
	// Power taken back from hosted tenants; needs Tenancy.
	Curtailments Curtailments
	Studies      Studies // investment studies; nil serves none
	Page         fs.FS   // the built dashboard; nil serves none
	Version      string
	Log          *slog.Logger
}

// Handler returns the whole HTTP face.
func Handler(s Site) http.Handler {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("Switchyard", s.Version)
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/api/openapi", "", "/api/schemas"
	cfg.Info.Description = "A compute site on one grid connection: what it does, why, and what it earns. " +
		"Power is in watts and positive when consumed; times are RFC 3339 in UTC; null is unknown, never zero."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "made at the first start, or by `switchyard token new`"},
	}
	cfg.Security = []map[string][]string{{"token": {}}}
	cfg.CreateHooks = nil // no $schema links in the answers
	a := humago.New(mux, cfg)
	a.UseMiddleware(s.authorise(a))
	s.screens(a)
	s.records(a)
	s.changes(a)
	s.tokens(a)
	s.stream(a)
	s.fleet(a)
	if s.Ahead != nil {
		s.ahead(a)
	}
	if s.Clusters != nil {
		s.clusters(a)
	}
	if s.Tenancy != nil {
		s.tenancy(a)
		if s.Bills != nil {
			s.bills(a)
		}
		if s.Curtailments != nil {
			s.curtailments(a)
		}
	}
	if s.Studies != nil {
		s.studies(a)
	}
	mux.HandleFunc("GET /api/v1/session", s.whoAmI)
	mux.HandleFunc("POST /api/v1/session", s.logIn)
	mux.HandleFunc("DELETE /api/v1/session", s.logOut)
	if s.Metrics != nil {
		mux.Handle("GET /metrics", s.needs(Viewer, promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{})))
	}
	if s.History != nil {
		s.promql(mux)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	if s.Page != nil {
		mux.Handle("GET /", page(s.Page))
	} else {
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "this build carries no page: run `make build`, which builds it first", http.StatusNotFound)
		})
	}
	return guard(mux)
}

// Serve answers on the listener until ctx ends, then lets running answers finish for two seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
	}()
	err := srv.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return fmt.Errorf("serve the API on %s: %w", l.Addr(), err)
}

// guard sets the headers that keep a browser honest and bounds every request's body.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, bodyBound(r))
		h.ServeHTTP(w, r)
	})
}

// page serves the dashboard's files and no list of them; built assets carry their hash in the
// name and may be kept.
func page(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		if r.URL.Path != "/" && strings.HasSuffix(r.URL.Path, "/") {
			w.Header().Del("Cache-Control")
			http.NotFound(w, r)
			return
		}
		server.ServeHTTP(w, r)
	})
}

type (
	whoKey   struct{}
	stillKey struct{}
)

func asker(ctx context.Context) Who {
	w, _ := ctx.Value(whoKey{}).(Who)
	return w
}

// still says whether who asked may still do so, for answers that last.
func still(ctx context.Context) bool {
	ask, ok := ctx.Value(stillKey{}).(func() bool)
	return ok && ask()
}

// authorise lets an operation run only for a role that includes the one in its metadata.
func (s Site) authorise(a huma.API) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		needed, _ := c.Operation().Metadata["role"].(Role)
		if needed == "" {
			needed = Admin // an operation that names no role is not open by accident
		}
		r, _ := humago.Unwrap(c)
		who, ok := s.Tokens.Identify(r)
		switch {
		case !ok:
			_ = huma.WriteErr(a, c, http.StatusUnauthorized, "a token is needed: send it as \"Authorization: Bearer …\"; `switchyard token new` makes one")
		case !who.Role.May(needed):
			s.Audit.Audit(c.Context(), who.Name, c.Operation().OperationID, "refused: role "+string(who.Role))
			_ = huma.WriteErr(a, c, http.StatusForbidden, fmt.Sprintf("the role %s may not do this; it takes %s", who.Role, needed))
		default:
			c = huma.WithValue(c, stillKey{}, func() bool {
				now, ok := s.Tokens.Identify(r)
				return ok && now == who
			})
			next(huma.WithValue(c, whoKey{}, who))
		}
	}
}

// needs is authorise for plain handlers.
func (s Site) needs(role Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := s.Tokens.Identify(r)
		switch {
		case !ok:
			http.Error(w, "a token is needed: send it as \"Authorization: Bearer …\"", http.StatusUnauthorized)
			return
		case !who.Role.May(role):
			s.Audit.Audit(r.Context(), who.Name, r.URL.Path, "refused: role "+string(who.Role))
			http.Error(w, fmt.Sprintf("the role %s may not do this; it takes %s", who.Role, role), http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// status maps the rooms' errors to HTTP answers; it is the only place that does. What nobody
// foresaw may name paths and parts: it goes to the log, and its asker is told so.
func (s Site) status(err error) error {
	switch {
	case err == nil:
		return nil
	case faultsOf(err) != nil:
		return faulty(faultsOf(err))
	case errors.Is(err, errNotYours):
		return huma.Error403Forbidden(err.Error())
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrInvalid):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, ErrUnavailable):
		return huma.Error503ServiceUnavailable(err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return huma.Error503ServiceUnavailable("this took too long; try again, or ask for less")
	}
	s.Log.Error("the API could not answer", "reason", err.Error())
	return huma.Error500InternalServerError("this went wrong inside; the controller's log says what")
}
