package kube

import (
	"slices"
	"sync"
	"time"
)

// The bounds of what is kept for people.
const (
	maxNotices = 50
	noticeFor  = time.Hour // site time
)

// notices are what happened once and a person should know: the newest maxNotices, for an hour.
type notices struct {
	mu  sync.Mutex
	all []notice
}

type notice struct {
	at   time.Time
	text string
}

// add keeps a text; the same text again only moves its time.
func (n *notices) add(at time.Time, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = slices.DeleteFunc(n.all, func(o notice) bool { return o.text == text || at.Sub(o.at) > noticeFor })
	if len(n.all) >= maxNotices {
		n.all = n.all[1:]
	}
	n.all = append(n.all, notice{at, text})
}

func (n *notices) list(now time.Time) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, o := range n.all {
		if now.Sub(o.at) <= noticeFor {
			out = append(out, o.text)
		}
	}
	return out
}
