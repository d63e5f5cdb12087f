package tenancy

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Clusters gives the GPU clusters to those who operate the site. A cluster or a node that is not
// known is ErrNotFound.
type Clusters interface {
	// Clusters returns all clusters as they are now. It never blocks.
	Clusters() []ClusterView
	// ClusterJobs returns a cluster's jobs, those that ended of late too. It never blocks.
	ClusterJobs(cluster string) ([]ClusterJob, error)
	// HoldNodes keeps nodes as a person wants them and returns how many; it returns once the wish
	// is kept on disk.
	HoldNodes(ctx context.Context, who, cluster string, r NodeHold) (int, error)
	// ReleaseNode lets a held node go.
	ReleaseNode(ctx context.Context, who, cluster, node string) error
}

// ClusterView is one GPU cluster now. GET /api/v1/clusters
type ClusterView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Node      string     `json:"node"`   // what feeds it
	Engine    string     `json:"engine"` // "slurm 22.05.8", "kubernetes v1.36.3, kueue v0.14.0"
	At        *time.Time `json:"at"`     // when its engine was last heard of; null: never
	Reachable bool       `json:"reachable"`
	Err       string     `json:"error"`    // why it is not reachable
	Headline  string     `json:"headline"` // one sentence: what it does now and why
	// PowerW is metered at its node; AwardW is what clearing gave it; NameplateW is the most that
	// it draws, FirmW the part that never yields; LimitW bounds its node now.
	PowerW     *float64        `json:"power_w"`
	Quality    string          `json:"quality"` // measured, estimated, missing
	AwardW     *float64        `json:"award_w"`
	NameplateW float64         `json:"nameplate_w"`
	FirmW      float64         `json:"firm_w"`
	LimitW     *float64        `json:"limit_w"`
	Reason     string          `json:"reason"` // of the award
	GPUs       int             `json:"gpus"`
	Used       int             `json:"gpus_used"` // given to jobs
	Nodes      []ClusterNode   `json:"nodes"`
	Classes    []ClusterClass  `json:"classes"` // firmest first
	Effects    []ClusterEffect `json:"effects"` // newest first
	Blocks     []ClusterBlock  `json:"blocks"`  // best value first
	Queues     []ClusterQueue  `json:"queues"`
	Notes      []string        `json:"notes"` // what a person should know
}

// ClusterInfo is what does not change of a cluster while the controller runs.
type ClusterInfo struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Node       string  `json:"node"` // what feeds it
	GPUs       int     `json:"gpus"`
	NameplateW float64 `json:"nameplate_w"`
}

// ClusterLive is a cluster's present state in short, for the first screen.
type ClusterLive struct {
	ID        string   `json:"id"`
	PowerW    *float64 `json:"power_w"`   // metered at its node
	AwardW    *float64 `json:"award_w"`   // its firm part and what clearing gave it beside; null: not cleared yet
	FirmW     *float64 `json:"firm_w"`    // the part that never yields
	Used      *int     `json:"gpus_used"` // given to jobs; null: its engine does not answer
	Reachable bool     `json:"reachable"`
	Stage     string   `json:"stage"`  // a few words: "nothing held back", "6 jobs paused"
	Reason    string   `json:"reason"` // why it is held back; empty where it is not
}

// ClusterNode is one machine.
type ClusterNode struct {
	Name   string     `json:"name"`
	Model  string     `json:"model"`
	State  string     `json:"state"` // up, fenced, stopping, off, starting, down
	GPUs   int        `json:"gpus"`
	Used   int        `json:"gpus_used"`
	PowerW *float64   `json:"power_w"`
	Source string     `json:"source"` // of PowerW: agent, dcgm-exporter, redfish, pdu; empty: not known
	CapW   *float64   `json:"cap_w"`  // each GPU is held to it; null: not held
	FullW  float64    `json:"full_w"` // of one GPU, uncapped
	Lease  *time.Time `json:"lease"`  // until when the cap holds unrenewed
	Use    *float64   `json:"use"`    // of its GPUs' time with work on it, 0 to 1
	TempC  *float64   `json:"temp_c"` // of its hottest GPU
	Ours   bool       `json:"ours"`   // we fenced it or took its power
	Held   string     `json:"held"`   // by a person: keep, fence; empty: not held
	Jobs   []string   `json:"jobs"`   // that run on it
	Note   string     `json:"note"`   // faults, or why it is as it is
}

// ClusterClass is a workload class with what runs of it.
type ClusterClass struct {
	Name    string         `json:"name"`
	Kind    string         `json:"kind"` // firm, semi, cap, pause, spot
	Queues  []string       `json:"queues"`
	GPUs    int            `json:"gpus"` // that its running jobs have
	Jobs    map[string]int `json:"jobs"` // by state
	Offered float64        `json:"offered_w"`
}

// ClusterEffect is an act in force, or on its way.
type ClusterEffect struct {
	ID     string     `json:"id"`
	Verb   string     `json:"verb"`   // close, cap, pause, drain, fence, off
	Target string     `json:"target"` // a queue, node or job
	Text   string     `json:"text"`   // "cap gpu-1 to 300 W a GPU"
	Since  time.Time  `json:"since"`
	Plan   int64      `json:"plan"`
	Why    string     `json:"why"`
	State  string     `json:"state"` // asked, acknowledged, seen, late, refused, undoing
	PowerW *float64   `json:"power_w"`
	Until  *time.Time `json:"deadline"` // by when the meter must show it; null: it was seen
	Next   string     `json:"next"`     // what is done if it does not: the step that follows
}

// ClusterBlock is a block of power that the cluster offers, as the newest clearing saw it.
type ClusterBlock struct {
	What     string  `json:"what"`  // "pause train-7", "cap 300 W"
	Class    string  `json:"class"` // firm, flexible, fixed
	PowerW   float64 `json:"power_w"`
	AwardW   float64 `json:"award_w"`
	ValueUSD float64 `json:"value_usd_mwh"`
}

// ClusterQueue is a queue or partition.
type ClusterQueue struct {
	Name     string `json:"name"`
	Class    string `json:"class"` // the workload class's name; empty: none names it
	Open     bool   `json:"open"`
	Ours     bool   `json:"ours"` // we closed it
	GPUs     int    `json:"gpus"` // of its own quota; 0: none is set
	Borrowed int    `json:"gpus_borrowed"`
}

// ClusterJob is one job. GET /api/v1/clusters/{id}/jobs
type ClusterJob struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Account    string     `json:"account"`
	Tenant     string     `json:"tenant"` // its id; empty: nobody's of the site file
	TenantName string     `json:"tenant_name"`
	Queue      string     `json:"queue"`
	Class      string     `json:"class"` // the workload class's name
	Kind       string     `json:"kind"`  // firm, semi, cap, pause, spot
	State      string     `json:"state"` // pending, running, stopping, paused, frozen, done, failed
	GPUs       int        `json:"gpus"`
	Nodes      []string   `json:"nodes"`
	Submitted  *time.Time `json:"submitted"`
	Started    *time.Time `json:"started"`
	Saved      *time.Time `json:"saved"` // its last checkpoint; null: not known
	Deadline   *time.Time `json:"deadline"`
	Restarts   int        `json:"restarts"`
	Ours       bool       `json:"ours"` // held because we paused it, and not by its owner
	PowerW     *float64   `json:"power_w"`
	Slowed     float64    `json:"slowed"` // share of its work that a cap costs now
	PausedS    float64    `json:"paused_s"`
	PauseLeftS *float64   `json:"pause_left_s"` // null: no bound, or it is never paused
	Why        string     `json:"why"`
	// Not in JSON: why in one word, a site.Code, the node that it is about, since when, and the
	// power that is not drawn for it, of what is in force now; zero where nothing is.
	Cause  string    `json:"-"`
	Place  string    `json:"-"`
	Since  time.Time `json:"-"`
	SavesW float64   `json:"-"`
}

// NodeHold is a person's wish for nodes. POST /api/v1/clusters/{id}/holds (operator);
// DELETE /api/v1/clusters/{id}/holds/{node} releases.
type NodeHold struct {
	Nodes []string `json:"nodes" minItems:"1" maxItems:"1000"`
	// Mode: "keep" asks nothing of the node, its GPUs and its jobs; "fence" lets nothing new onto it.
	Mode string `json:"mode" enum:"keep,fence"`
	Note string `json:"note,omitempty" maxLength:"500"`
}

// First returns the first n of jobs in the order in which people look at them: those held back,
// what runs, what waits, what ended; of each the largest first. It leaves jobs as they are.
func First(jobs []ClusterJob, n int) []ClusterJob {
	rank := func(j ClusterJob) int {
		at := slices.Index([]string{"stopping", "paused", "frozen", "running", "pending", "failed", "done"}, j.State)
		if j.State == "running" && j.Slowed > 0 {
			return 2*at - 1
		}
		return 2 * at
	}
	out := slices.Clone(jobs)
	slices.SortStableFunc(out, func(a, b ClusterJob) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.GPUs, a.GPUs), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(n, len(out))]
}

// Whole is v with an empty list wherever there is none: a null would be unknown.
func (v ClusterView) Whole() ClusterView {
	v.Effects, v.Blocks, v.Queues, v.Notes = some(v.Effects), some(v.Blocks), some(v.Queues), some(v.Notes)
	nodes := make([]ClusterNode, len(v.Nodes))
	for i, n := range v.Nodes {
		n.Jobs = some(n.Jobs)
		nodes[i] = n
	}
	classes := make([]ClusterClass, len(v.Classes))
	for i, c := range v.Classes {
		if c.Queues = some(c.Queues); c.Jobs == nil {
			c.Jobs = map[string]int{}
		}
		classes[i] = c
	}
	v.Nodes, v.Classes = nodes, classes
	return v
}
