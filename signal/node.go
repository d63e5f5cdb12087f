package signal

import (
	"switchyard/site"
	"switchyard/unit"
)

// NodeHost is a Host that tells of single nodes as well. It is apart from Host because most
// sources speak of the connection only.
type NodeHost interface {
	Host
	// MeterOf is the newest state of one node: what enters it, the limit in force there, and
	// the firm and flexible load below it. False where the site has no such node. It never blocks.
	MeterOf(node site.NodeID) (Meter, bool)
}

// MeterAt is the newest state of a node, or of the connection for an empty one; false where
// the host cannot tell of that node. It never blocks.
func MeterAt(h Host, node site.NodeID) (Meter, bool) {
	if node == "" {
		return h.Meter(), true
	}
	if n, ok := h.(NodeHost); ok {
		return n.MeterOf(node)
	}
	return Meter{}, false
}

// Able is the flexible load that could run: its nameplate, or where that is not told what
// could be shed now.
func (m Meter) Able() unit.Power { return max(m.Nameplate, m.Flexible) }

// Known says whether the site has told anything of its load yet: just after a start it has not.
func (m Meter) Known() bool { return !m.At.IsZero() && (m.Power.OK || m.Able() > 0) }

// Resumer is a Source whose counterpart does not say again what stands. Without Resume its
// first update after a restart would take back what the book has kept.
type Resumer interface {
	Source
	// Resume hands over what the book has kept of what the source said. It is called before
	// Run, if at all, and does not block.
	Resume([]Signal)
}
