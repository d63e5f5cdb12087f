package reconcile

import (
	"math"
	"time"

	"switchyard/unit"
)

// openInrush works out how much may still be started below each node now. What was started
// exactly a window ago has left the window.
func (st *step) openInrush() {
	tree := st.in.Tree
	st.room = make([]unit.Power, tree.Len())
	longest := time.Duration(0)
	for n := range st.room {
		node := tree.Node(n)
		st.room[n] = math.MaxInt64
		if node.Inrush > 0 {
			st.room[n] = node.Inrush
			longest = max(longest, node.InrushWindow)
		}
	}
	kept := st.s.starts[:0]
	for _, a := range st.s.starts {
		age := st.in.At.Sub(a.At)
		if age >= longest {
			continue
		}
		kept = append(kept, a)
		n, ok := tree.Index(a.Node)
		for ; ok && n >= 0; n = tree.Node(n).Parent {
			if node := tree.Node(n); node.Inrush > 0 && age < node.InrushWindow {
				st.room[n] -= a.Power
			}
		}
	}
	st.s.starts = kept
}

// mayStart says whether every allowance on the device's path has room for its nameplate.
func (st *step) mayStart(d *Device) bool {
	if d.Node < 0 || d.Node >= st.in.Tree.Len() {
		return false
	}
	for n := d.Node; n >= 0; n = st.in.Tree.Node(n).Parent {
		if st.room[n] < d.nameplate() {
			return false
		}
	}
	return true
}

// useInrush books a start, also one that the limiter or a retry made without asking.
func (st *step) useInrush(d *Device) {
	if d.Node < 0 || d.Node >= st.in.Tree.Len() {
		return
	}
	bounded := false
	for n := d.Node; n >= 0; n = st.in.Tree.Node(n).Parent {
		if st.room[n] != math.MaxInt64 {
			st.room[n] -= d.nameplate()
			bounded = true
		}
	}
	if bounded {
		st.s.starts = append(st.s.starts, start{At: st.in.At, Node: st.in.Tree.Node(d.Node).ID, Power: d.nameplate()})
	}
}
