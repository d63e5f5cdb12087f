// Package studies owns what the API shows of investment studies: the views, and the questions that
// they answer.
//
// It never runs a study and never decides who may ask: app/studies runs them, api asks who it is.
//
// Concurrency: the views are plain data; who answers the questions must be safe for concurrent use.
package studies

import (
	"context"
	"time"
)

// Studies keeps investment studies and runs new ones, one at a time. An id that is not known is
// ErrNotFound.
type Studies interface {
	// Studies returns all of them, the newest first. It never blocks.
	Studies() []View
	// Document returns one as it is kept: "json" is its report, "html" the same for people, "yaml"
	// the file that it was made from. It reads the disk.
	Document(ctx context.Context, id, format string) (Document, error)
	// Compare draws several side by side, as HTML. It reads the disk.
	Compare(ctx context.Context, ids []string) (Document, error)
	// Add checks a study file and has it run when those before it are done; what is wrong with it
	// is told as strictyaml.Faults. It returns at once.
	Add(ctx context.Context, who string, r Request) (View, error)
	// Remove takes a study away, and stops it where it still runs.
	Remove(ctx context.Context, who, id string) error
}

// Request is a study file to be run. POST /api/v1/studies (operator)
type Request struct {
	Name string `json:"name" minLength:"1" maxLength:"120" doc:"of the file, for the words of its faults"`
	Text string `json:"text" minLength:"1" maxLength:"1048576" doc:"the study file itself"`
	// Files are those that it names, as text, by their name as it stands in it.
	Files map[string]string `json:"files,omitempty" maxProperties:"4"`
}

// View is a study in short. GET /api/v1/studies
type View struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Site  string    `json:"site"`
	Note  string    `json:"note"`
	By    string    `json:"by"`    // who had it run
	Asked time.Time `json:"asked"` // when
	// State: waiting, running, interrupted, done, failed. While it runs, Stage says what is reckoned, and
	// Done of Total how far it is. Interrupted: the controller stopped while it ran, and it is run again
	// from the beginning by itself; after the third time it has failed.
	State string `json:"state"`
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
	Error string `json:"error"` // why it failed
	// Interrupted is how often the controller stopped while it ran; while it runs anew, too.
	Interrupted int `json:"interrupted"`
	// Of one that is done; the rest is empty before.
	TookS     float64 `json:"took_s"`
	Start     string  `json:"start"` // "2027-01"
	Months    int     `json:"months"`
	Paths     int     `json:"paths"`
	Seed      uint64  `json:"seed"`
	NPV       *Spread `json:"npv_usd"`           // of the best choices together
	MiningOn  *Spread `json:"npv_mining_on_usd"` // of mining on everywhere
	Best      []Best  `json:"best"`
	Findings  int     `json:"findings"` // what a reader must not miss
	Assumed   int     `json:"assumed"`  // figures that nobody gave
	Workbook  bool    `json:"workbook"` // the format xlsx is there
	SizeBytes int64   `json:"size_bytes"`
}

// Spread is a figure over all worlds.
type Spread struct {
	Mean float64 `json:"mean"`
	P10  float64 `json:"p10"`
	P90  float64 `json:"p90"`
}

// Best is what one hall should do.
type Best struct {
	Hall  string `json:"hall"`
	Title string `json:"title"`
	NPV   Spread `json:"npv_usd"`
	// Over is what it is worth over mining on, in the mean.
	Over float64 `json:"npv_over_mining_usd"`
}

// Document is a file.
type Document struct {
	Type, Name string
	Body       []byte
}
