package braiins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
	"switchyard/unit"
)

// The questions. One asks for all that moves; the others are asked rarely.
const (
	askVersion = `{ bos { info { version { full } } } }`
	askModel   = `{ bosminer { info { modelName } } }`
	askAll     = `{
  bos { hostname info { version { full } } uptime { durationS } }
  bosminer { info {
    workSolver {
      realHashrate { mhs5S } nominalMhs
      childSolvers { name realHashrate { mhs5S } nominalMhs hwDetails { chips frequencyMhz voltageV } temperatures { name degreesC } }
    }
    fans { name speed rpm }
    summary { power { limitW approxConsumptionW } }
  } }
}`
	askPools = `{ bosminer { info { poolGroups { name pools { url user status active } } } } }`

	tellLogin = `mutation ($username: String!, $password: String!) { auth { login(username: $username, password: $password) {
  ... on VoidResult { void } } } }`
	tellStop   = `mutation { bosminer { stop { ... on VoidResult { void } ... on BosminerError { message } } } }`
	tellStart  = `mutation { bosminer { start { ... on VoidResult { void } ... on BosminerError { message } } } }`
	tellTarget = `mutation ($limit: Int!) { bosminer { config { updateAutotuning(input: {mode: POWER_TARGET, powerTarget: $limit}, apply: true) {
  ... on AutotuningOut { autotuning { mode powerTarget } } ... on AutotuningError { message } ... on AttributeError { message } } } } }`
)

// session asks the GraphQL API, with a cookie once it has logged in.
type session struct {
	d       *device
	cookie  string
	version string
}

// Sign puts the cookie on; Renew is not wanted: GraphQL refuses inside its answers.
func (s *session) Sign(r *http.Request) error {
	if s.cookie != "" {
		r.Header.Set("Cookie", "session_id="+s.cookie)
	}
	return nil
}

// Renew logs in anew after a 401.
func (s *session) Renew(ctx context.Context, _ *httpx.Client, _ *http.Response) (bool, error) {
	return true, s.login(ctx)
}

const gqlPath = "/graphql"

// gqlReply is any answer, as far as it is used; see the questions.
type gqlReply struct {
	Data *struct {
		BOS      *gqlBOS      `json:"bos"`
		Bosminer *gqlBosminer `json:"bosminer"`
	} `json:"data"`
	Errors []struct{ Message string } `json:"errors"`
}

type gqlBOS struct {
	Info struct {
		Version struct{ Full string }
	}
	Uptime struct {
		Seconds *figure `json:"durationS"`
	}
}

type gqlBosminer struct {
	Info *struct {
		Model  string `json:"modelName"`
		Solver *struct {
			gqlRate
			Children []gqlBoard `json:"childSolvers"`
		} `json:"workSolver"`
		Fans    []struct{ RPM *figure }
		Summary struct {
			Power struct {
				Limit *figure `json:"limitW"`
				Draw  *figure `json:"approxConsumptionW"`
			}
		}
		Groups []poolGroup `json:"poolGroups"`
	} `json:"info"`
	Stop, Start *gqlDone
	Config      *struct {
		Update *gqlDone `json:"updateAutotuning"`
	}
}

// gqlDone is what a mutation says: a message is an error.
type gqlDone struct{ Message string }

type gqlRate struct {
	Real struct {
		MHS *figure `json:"mhs5S"`
	} `json:"realHashrate"`
}

func (r gqlRate) rate() site.Opt[unit.Hashrate] {
	return (&gigahash{Mega: r.Real.MHS}).known()
}

type gqlBoard struct {
	gqlRate
	Hardware struct{ Chips *figure } `json:"hwDetails"`
	Temps    []struct {
		Name string
		C    *figure `json:"degreesC"`
	} `json:"temperatures"`
}

// ask asks; where the device says that it does not know us it logs in and asks again.
func (s *session) ask(ctx context.Context, query string, variables map[string]any) (gqlReply, error) {
	for again := false; ; again = true {
		r, err := s.once(ctx, query, variables)
		if err != nil || len(r.Errors) == 0 && r.Data != nil {
			return r, err
		}
		why := "no data"
		if len(r.Errors) > 0 {
			why = r.Errors[0].Message
		}
		if again || !denied(why) && s.cookie != "" {
			kind := driver.ErrRefused
			if denied(why) {
				kind = driver.ErrUnauthorized
			}
			return r, fmt.Errorf("graphql: %q: %w", why, kind)
		}
		if err := s.login(ctx); err != nil {
			return r, err
		}
	}
}

func denied(why string) bool {
	why = strings.ToLower(why)
	return strings.Contains(why, "auth") || strings.Contains(why, "denied") || strings.Contains(why, "login")
}

func (s *session) once(ctx context.Context, query string, variables map[string]any) (gqlReply, error) {
	var out gqlReply
	body := map[string]any{"query": query}
	if variables != nil {
		body["variables"] = variables
	}
	r, err := s.d.web.With(s).Do(ctx, http.MethodPost, gqlPath, body)
	if err == nil {
		err = r.Check(http.MethodPost, gqlPath)
	}
	if err == nil {
		err = r.JSON(gqlPath, &out)
	}
	if err == nil && out.Data == nil && len(out.Errors) == 0 {
		err = fmt.Errorf("%s answers neither data nor errors: %w", gqlPath, driver.ErrUnreachable)
	}
	return out, err
}

// login fetches the session's cookie. Without one in the answer the password is wrong.
func (s *session) login(ctx context.Context) error {
	s.cookie = ""
	r, err := s.d.web.Plain(ctx, http.MethodPost, gqlPath, map[string]any{
		"query":     tellLogin,
		"variables": map[string]string{"username": s.d.t.User, "password": string(s.d.t.Password)},
	})
	if err == nil {
		err = r.Check(http.MethodPost, gqlPath)
	}
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	for _, line := range r.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err == nil && c.Name == "session_id" && c.Value != "" {
			s.cookie = c.Value
			return nil
		}
	}
	return fmt.Errorf("log in: no session: %w", driver.ErrUnauthorized)
}

// there says whether the API is there, which it tells without a login.
func (s *session) there(ctx context.Context) bool {
	r, err := s.once(ctx, askVersion, nil)
	if errors.Is(err, driver.ErrUnauthorized) {
		return false
	}
	if err != nil || r.Data == nil || r.Data.BOS == nil {
		return false
	}
	s.version = r.Data.BOS.Info.Version.Full
	return s.version != ""
}

// modelName returns the model, empty where the firmware does not tell it.
func (s *session) modelName(ctx context.Context) string {
	r, err := s.once(ctx, askModel, nil)
	if err != nil || r.Data == nil || r.Data.Bosminer == nil || r.Data.Bosminer.Info == nil {
		return ""
	}
	_, model := driver.SplitBrand(r.Data.Bosminer.Info.Model)
	return model
}

func (s *session) identity(ctx context.Context) (site.Identity, error) {
	r, err := s.ask(ctx, askVersion, nil)
	if err != nil {
		return site.Identity{}, err
	}
	if r.Data.BOS != nil {
		s.version = r.Data.BOS.Info.Version.Full
	}
	if m := s.modelName(ctx); m != "" {
		s.d.model = m
	}
	return s.known(), nil
}

// known is the identity as far as it was told; the site file's model fills in.
func (s *session) known() site.Identity {
	id := site.Identity{Make: "Antminer", Model: s.d.model, Firmware: s.version}
	if id.Model == "" {
		_, id.Model = driver.SplitBrand(s.d.t.Model)
	}
	return id
}

func (s *session) read(ctx context.Context, _, slow bool) (site.Sample, error) {
	r, err := s.ask(ctx, askAll, nil)
	if err != nil {
		return site.Sample{}, err
	}
	out, ok := r.sample()
	if !ok {
		return out, fmt.Errorf("%s tells nothing: %w", gqlPath, driver.ErrUnreachable)
	}
	s.version = r.Data.BOS.Info.Version.Full
	out.Pools = s.d.last.Pools
	if slow {
		if r, err := s.ask(ctx, askPools, nil); err == nil {
			out.Pools = r.pools()
		}
		if s.d.model == "" {
			s.d.model = s.modelName(ctx)
		}
	}
	out.Identity = s.known()
	return out, nil
}

func (r gqlReply) pools() []site.Pool {
	if r.Data == nil || r.Data.Bosminer == nil || r.Data.Bosminer.Info == nil {
		return nil
	}
	return pools(r.Data.Bosminer.Info.Groups)
}

// sample reads the answer to askAll, or to a part of it. Without a work solver the mining
// process does not run: it was stopped, which is how this API rests.
func (r gqlReply) sample() (site.Sample, bool) {
	var s site.Sample
	if r.Data == nil || r.Data.BOS == nil {
		return s, false
	}
	s.Identity.Firmware = r.Data.BOS.Info.Version.Full
	s.Uptime = r.Data.BOS.Uptime.Seconds.duration()
	if r.Data.Bosminer == nil || r.Data.Bosminer.Info == nil {
		s.State = site.StateSleeping
		return s, true
	}
	info := r.Data.Bosminer.Info
	s.Power = (&watt{info.Summary.Power.Draw}).known()
	s.Target = (&watt{info.Summary.Power.Limit}).known()
	for _, f := range info.Fans {
		if rpm := f.RPM.count(); rpm.OK {
			s.Fans = append(s.Fans, rpm.V)
		}
	}
	if info.Solver == nil {
		s.State = site.StateSleeping
		return s, true
	}
	s.Hashrate = info.Solver.rate()
	for _, b := range info.Solver.Children {
		s.Boards = append(s.Boards, b.board(&s.Intake))
	}
	switch {
	case s.Hashrate.OK && s.Hashrate.V > 0:
		s.State = site.StateHashing
	case s.Hashrate.OK:
		s.State = site.StateStarting
	}
	return s, true
}

// board reads one board; intake becomes the coolest inlet so far.
func (b gqlBoard) board(intake *site.Opt[float64]) site.Board {
	out := site.Board{Hashrate: b.rate()}
	out.Working = out.Hashrate.OK && out.Hashrate.V > 0
	out.Chips = b.Hardware.Chips.count()
	for _, t := range b.Temps {
		c := celsius(t.C)
		switch {
		case !c.OK:
		case strings.Contains(t.Name, "Board"):
			out.PCBTemp = c
		case strings.Contains(t.Name, "Chip"):
			out.ChipTemp = c
		case t.Name == "Inlet" && (!intake.OK || c.V < intake.V):
			*intake = c
		}
	}
	return out
}

// apply stops the mining process, or sets the target and starts it.
func (s *session) apply(ctx context.Context, mode site.Mode, watts int64) error {
	if s.cookie == "" {
		if err := s.login(ctx); err != nil {
			return err
		}
	}
	if mode == site.ModeSleep {
		return s.tell(ctx, tellStop, nil)
	}
	if watts > 0 {
		if err := s.tell(ctx, tellTarget, map[string]any{"limit": watts}); err != nil {
			return err
		}
	}
	return s.tell(ctx, tellStart, nil)
}

// tell runs a mutation; a message in its answer is a refusal.
func (s *session) tell(ctx context.Context, mutation string, variables map[string]any) error {
	r, err := s.ask(ctx, mutation, variables)
	if err != nil {
		return err
	}
	m := r.Data.Bosminer
	if m == nil {
		return fmt.Errorf("graphql: an answer that is none: %w", driver.ErrUnreachable)
	}
	done := []*gqlDone{m.Stop, m.Start}
	if m.Config != nil {
		done = append(done, m.Config.Update)
	}
	for _, d := range done {
		if d == nil || d.Message == "" {
			continue
		}
		if strings.Contains(strings.ToLower(d.Message), "already") {
			return nil
		}
		return fmt.Errorf("graphql: %q: %w", d.Message, driver.ErrRefused)
	}
	return nil
}
