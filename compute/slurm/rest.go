package slurm

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/compute"
	"switchyard/compute/slurm/loose"
)

// The versions of slurmrestd's interface that are spoken here.
const oldest, newest = 36, 45

// lifespan is how long a token that we make is good. One is made anew when a fifth of it is left.
const lifespan = time.Hour

// rest speaks with slurmrestd.
type rest struct {
	base, user, want string
	client           *http.Client
	timeout          time.Duration
	cmd              *commands // makes tokens; nil: the token given is all there is

	mu      sync.Mutex
	token   string
	version string // empty: not asked yet
	offers  map[string]bool
}

// What newer versions offer beside reading and signalling: a method and the end of a path.
const (
	offerNode          = "post node/{node_name}"
	offerReservation   = "post reservation"
	offerUnreservation = "delete reservation/{reservation_name}"
	offerReservations  = "get reservations"
)

func newREST(c Config, cmd *commands) *rest {
	base, socket, _ := restAddress(c.REST)
	tr := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: c.Timeout}).DialContext,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: c.Timeout,
	}
	if socket != "" {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: c.Timeout}).DialContext(ctx, "unix", socket)
		}
	}
	return &rest{
		base: base, user: c.User, want: c.Version, token: c.Token, cmd: cmd, timeout: c.Timeout,
		client: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token is for the host that was named
		}},
	}
}

// claims reads when a JWT was made and when it expires; zero: it does not say. The signature is
// Slurm's to check.
func claims(token string) (made, until time.Time) {
	p := strings.Split(token, ".")
	if len(p) != 3 || len(p[1]) > 8<<10 {
		return made, until
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(p[1], "="))
	var c struct {
		Exp, Iat loose.Number
	}
	if err != nil || json.Unmarshal(b, &c) != nil {
		return made, until
	}
	return c.Iat.Time(), c.Exp.Time()
}

func goodUntil(token string) time.Time {
	_, until := claims(token)
	return until
}

// auth returns the token to use, made anew where there is none or it is about to expire.
func (r *rest) auth(ctx context.Context, fresh bool) (string, error) {
	r.mu.Lock()
	t := r.token
	r.mu.Unlock()
	made, exp := claims(t)
	left := time.Until(exp)
	given := exp.Sub(made) != lifespan // somebody's own: it is used for as long as it is good
	if r.cmd == nil || !fresh && t != "" && (exp.IsZero() || left > lifespan/5 || left > 0 && given) {
		return t, nil
	}
	t, err := r.cmd.token(ctx, r.user, lifespan)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	r.token = t
	r.mu.Unlock()
	return t, nil
}

// do sends one request and hands a good answer's body to read. An expired token is replaced once,
// where commands are allowed; a connection that could not be made is tried three times.
func (r *rest) do(ctx context.Context, method, path string, body any, read func(io.Reader) (answer, error)) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return fmt.Errorf("slurmrestd %s: %w", path, err)
		}
	}
	fresh := false
	for try := 1; ; try++ {
		token, err := r.auth(ctx, fresh)
		if err != nil {
			return fmt.Errorf("slurmrestd %s: a new token: %w", path, err)
		}
		err = r.once(ctx, method, path, token, payload, read)
		var dial *net.OpError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, compute.ErrUnauthorized) && r.cmd != nil && !fresh:
			fresh = true
		case errors.As(err, &dial) && dial.Op == "dial" && try < 3:
			select {
			case <-ctx.Done():
				return err
			case <-time.After(time.Duration(try*try) * 100 * time.Millisecond):
			}
		default:
			return err
		}
	}
}

func (r *rest) once(ctx context.Context, method, path, token string, payload []byte, read func(io.Reader) (answer, error)) error {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("slurmrestd %s: %w", path, err)
	}
	req.Header.Set("X-SLURM-USER-NAME", r.user)
	req.Header.Set("X-SLURM-USER-TOKEN", token)
	req.Header.Set("Accept", "application/json")
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("slurmrestd %s: no answer within %s: %w", path, r.timeout, compute.ErrUnreachable)
		}
		return fmt.Errorf("slurmrestd %s: %w: %w", path, err, compute.ErrUnreachable)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("slurmrestd %s: it does not take the token of user %s%s: %w", path, r.user, expiry(token), compute.ErrUnauthorized)
	case resp.StatusCode == http.StatusNotFound && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		r.mu.Lock()
		r.version = "" // it may be another one since: ask again next time
		r.mu.Unlock()
		return fmt.Errorf("slurmrestd %s: it knows no such path: %w", path, compute.ErrUnsupported)
	}
	a, err := read(resp.Body)
	if err == nil && len(a.Errors) == 0 && resp.StatusCode < 300 {
		return nil
	}
	return r.fault(ctx, path, token, resp.StatusCode, a, err)
}

// fault turns an answer that is no success into an error. slurmrestd says "Unspecified error" (-1)
// alike where slurmctld is down and where slurmctld does not take the token: its expiry tells which.
func (r *rest) fault(ctx context.Context, path, token string, status int, a answer, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("slurmrestd %s: no answer within %s: %w", path, r.timeout, compute.ErrUnreachable)
	}
	if len(a.Errors) == 0 {
		if err == nil {
			err = errors.New("it says no more")
		}
		return fmt.Errorf("slurmrestd %s: status %d: %w: %w", path, status, err, compute.ErrUnreachable)
	}
	w := a.Errors[0]
	text := strings.Join(strings.Fields(w.Description+": "+w.Error), " ")
	text = strings.Trim(text, ": ")
	if len(text) > 400 {
		text = text[:400]
	}
	if w.Number == -1 || w.Errno == -1 {
		if e := goodUntil(token); !e.IsZero() && !e.After(time.Now()) {
			return fmt.Errorf("slurmrestd %s: the token of user %s%s: %w", path, r.user, expiry(token), compute.ErrUnauthorized)
		}
		return fmt.Errorf("slurmrestd %s: %s: slurmctld does not answer it, or does not take the token: %w", path, text, compute.ErrUnreachable)
	}
	return fmt.Errorf("slurmrestd %s: %s: %w", path, text, meaning(text))
}

func expiry(token string) string {
	if e := goodUntil(token); !e.IsZero() && !e.After(time.Now()) {
		return ", which expired at " + e.Format(time.RFC3339)
	}
	return ""
}

// speak finds out which version to use and what it offers, once.
func (r *rest) speak(ctx context.Context) (version string, offers map[string]bool, err error) {
	r.mu.Lock()
	version, offers = r.version, r.offers
	r.mu.Unlock()
	if version != "" {
		return version, offers, nil
	}
	found := make(map[int]map[string]bool)
	err = r.do(ctx, http.MethodGet, "/openapi/v3", nil, func(body io.Reader) (answer, error) { return readPaths(body, found) })
	if err != nil {
		return "", nil, err
	}
	best := 0
	for v := range found {
		if v >= oldest && v <= newest && v > best && (r.want == "" || versionNumber(r.want) == v) {
			best = v
		}
	}
	if best == 0 {
		return "", nil, fmt.Errorf("slurmrestd offers %s, and %s is spoken here: %w", versions(found), r.wanted(), compute.ErrUnsupported)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.offers = fmt.Sprintf("v0.0.%d", best), found[best]
	return r.version, r.offers, nil
}

func (r *rest) wanted() string {
	if r.want != "" {
		return "by the site file only " + r.want
	}
	return fmt.Sprintf("v0.0.%d to v0.0.%d", oldest, newest)
}

func versions(found map[int]map[string]bool) string {
	var out []string
	for v := range 1000 {
		if found[v] != nil {
			out = append(out, fmt.Sprintf("v0.0.%d", v))
		}
	}
	if out == nil {
		return "no version of its interface"
	}
	return strings.Join(out, ", ")
}

func versionNumber(v string) int {
	n, _ := strconv.Atoi(versionForm.FindStringSubmatch(v)[1])
	return n
}

// readPaths reads from slurmrestd's own description which versions it serves and what each offers.
func readPaths(body io.Reader, found map[int]map[string]bool) (answer, error) {
	d := json.NewDecoder(io.LimitReader(body, 64<<20))
	paths := 0
	err := loose.Object(d, func(k string) error {
		if k != "paths" {
			var skip json.RawMessage
			return d.Decode(&skip)
		}
		return loose.Object(d, func(path string) error {
			var methods map[string]json.RawMessage
			if err := d.Decode(&methods); err != nil {
				return err
			}
			if paths++; paths > 10_000 {
				return loose.ErrTooLong
			}
			rest, ok := strings.CutPrefix(path, "/slurm/")
			version, end, _ := strings.Cut(rest, "/")
			m := versionForm.FindStringSubmatch(version)
			if !ok || m == nil {
				return nil
			}
			v, _ := strconv.Atoi(m[1])
			if found[v] == nil {
				found[v] = make(map[string]bool)
			}
			for method := range methods {
				found[v][strings.ToLower(method)+" "+strings.Trim(end, "/")] = true
			}
			return nil
		})
	})
	return answer{}, err
}

// get reads one list.
func (r *rest) get(ctx context.Context, path, key string, each func(*json.Decoder) error) (answer, error) {
	v, _, err := r.speak(ctx)
	if err != nil {
		return answer{}, err
	}
	var a answer
	err = r.do(ctx, http.MethodGet, "/slurm/"+v+"/"+path, nil, func(body io.Reader) (answer, error) {
		var err error
		a, err = decode(body, key, each)
		return a, err
	})
	return a, err
}

// picture reads the whole cluster.
func (r *rest) picture(ctx context.Context) (*picture, error) {
	var p picture
	a, err := r.get(ctx, "jobs", "jobs", collect(&p.Jobs, wireJob.job))
	if err != nil {
		return nil, err
	}
	p.Version = a.Release
	if _, err := r.get(ctx, "nodes", "nodes", collect(&p.Nodes, wireNode.node)); err != nil {
		return nil, err
	}
	if _, err := r.get(ctx, "partitions", "partitions", collect(&p.Partitions, wirePartition.partition)); err != nil {
		return nil, err
	}
	p.Reservations, err = r.reservations(ctx)
	return &p, err
}

// reservations reads all of them; v0.0.36 tells of none.
func (r *rest) reservations(ctx context.Context) ([]reservation, error) {
	if ok, err := r.offered(ctx, offerReservations); err != nil || !ok {
		return nil, err
	}
	var out []reservation
	_, err := r.get(ctx, "reservations", "reservations", collect(&out, wireReservation.reservation))
	return out, err
}

// job reads one job.
func (r *rest) job(ctx context.Context, id string) (job, error) {
	var js []job
	if _, err := r.get(ctx, "job/"+url.PathEscape(id), "jobs", collect(&js, wireJob.job)); err != nil {
		return job{}, err
	}
	for _, j := range js {
		if j.ID == id {
			return j, nil
		}
	}
	return job{}, fmt.Errorf("job %s: slurmrestd tells of %d others: %w", id, len(js), compute.ErrGone)
}

// write does one act.
func (r *rest) write(ctx context.Context, method, path string, body any) error {
	v, _, err := r.speak(ctx)
	if err != nil {
		return err
	}
	return r.do(ctx, method, "/slurm/"+v+"/"+path, body, func(b io.Reader) (answer, error) {
		a, err := decode(b, "", nil)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil // some say nothing when all is well
		}
		return a, err
	})
}

// signal sends a signal to all of a job's processes.
func (r *rest) signal(ctx context.Context, id string, whom byte, name string) error {
	v, _, err := r.speak(ctx)
	if err != nil {
		return err
	}
	q := url.Values{"signal": {name}}
	if versionNumber(v) >= 40 { // before, it always meant all of the job
		q.Set("flags", map[byte]string{0: "FULL_JOB", 'B': "BATCH_JOB", 'S': "STEPS_ONLY"}[whom])
		if whom == 'S' {
			q.Del("flags")
		}
	} else if whom != 0 {
		return fmt.Errorf("slurmrestd %s signals only all of a job: %w", v, compute.ErrUnsupported)
	}
	return r.write(ctx, http.MethodDelete, "job/"+url.PathEscape(id)+"?"+q.Encode(), nil)
}

// offered says whether this slurmrestd has a path.
func (r *rest) offered(ctx context.Context, what string) (bool, error) {
	_, o, err := r.speak(ctx)
	return o[what], err
}

func (r *rest) power(ctx context.Context, node string, up bool, reason string) error {
	body := map[string]any{"state": []string{"POWER_UP"}}
	if !up {
		body = map[string]any{"state": []string{"POWER_DOWN", "POWERED_DOWN"}, "reason": reason} // both: by force
	}
	return r.write(ctx, http.MethodPost, "node/"+url.PathEscape(node), body)
}

func (r *rest) reserve(ctx context.Context, node string) error {
	return r.write(ctx, http.MethodPost, "reservation", map[string]any{
		"name": fencePrefix + node, "node_list": []string{node}, "users": []string{r.user},
		"flags":      []string{"MAINT", "IGNORE_JOBS"},
		"start_time": map[string]any{"set": true, "number": time.Now().Unix()},
		"duration":   map[string]any{"infinite": true},
	})
}

func (r *rest) unreserve(ctx context.Context, node string) error {
	return r.write(ctx, http.MethodDelete, "reservation/"+url.PathEscape(fencePrefix+node), nil)
}
