package antminer

import (
	"context"
	"time"

	"switchyard/site"
)

const (
	// jump is by how much more than the time between two readings an uptime may grow, site time.
	jump = 30 * time.Second
	// mostVain is how often it is asked in a row for nothing, until its turn comes.
	mostVain = 3
)

// marks is a sum of what a reply tells of which machine sent it; 0 where its end is missing.
func (st stats) marks(s site.Sample) uint64 {
	if st.body == nil || st.cut {
		return 0
	}
	h := sum(14695981039346656037)
	n := st.named()
	h.text(n.model)
	h.text(n.miner)
	h.text(n.compiled)
	h.text(st.body.Text("miner_id"))
	for _, c := range st.body.Objects("chain") {
		h.text(c.Text("sn"))
	}
	for i := range s.Boards {
		h.add(uint64(s.Boards[i].Chips.V))
	}
	return uint64(h)
}

// sum is an FNV-1a sum; the library's would be a piece of garbage each poll.
type sum uint64

func (h *sum) add(v uint64) { *h = (*h ^ sum(v)) * 1099511628211 }

func (h *sum) text(s string) {
	for i := range len(s) {
		h.add(uint64(s[i]))
	}
	h.add(256)
}

// noticeOther looks for signs that another machine answers than at the last reading.
func (d *device) noticeOther(st stats, s site.Sample) {
	m := st.marks(s)
	other := m != 0 && d.marks != 0 && m != d.marks
	if m != 0 {
		d.marks = m
	}
	if s.Uptime.OK && !d.upAt.IsZero() {
		other = other || s.Uptime.V < d.uptime || s.Uptime.V-d.uptime > s.Asked.Sub(d.upAt)+jump
	}
	if other && d.vain < mostVain { // one that shows signs for nothing is not asked each time
		d.doubt = true
		d.drop() // it may be laid out for the other one
	}
}

// identify asks who it is: in its turn, when it was never told, and where that is in doubt.
// failed is the error of what the web server was asked before.
func (d *device) identify(ctx context.Context, turn, due bool, failed error) {
	if turn {
		d.vain = 0
	}
	never := d.slow.info.Type == ""
	if never {
		d.doubt = false // there is nobody that it could be taken for
	}
	if ask := turn || never && due || d.doubt && d.vain < mostVain; !ask {
		return
	}
	d.vain++
	if failed != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	var info systemInfo
	if d.web.Get(ctx, "/cgi-bin/get_system_info.cgi", &info) == nil && info.Type != "" {
		d.met(info)
	}
}

// met takes up who it says it is. What was known of another machine says nothing of this one.
func (d *device) met(info systemInfo) {
	was := d.slow.info
	d.doubt = false
	if was.Type != "" && was.MAC != info.MAC {
		d.slow, d.ready, d.posted, d.pools, d.pending = slow{}, staged{}, site.Opt[mode]{}, nil, 0
		d.awake, d.modes, d.idleAt, d.failed = 0, [modeLow + 1]bool{}, time.Time{}, time.Time{}
		d.dirty, d.vain = true, 0
	}
	d.slow.info = info
}
