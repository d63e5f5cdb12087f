package journal

import (
	"context"
	"fmt"
	"slices"
)

// LastSeq returns the number of the newest entry that was appended; zero if there is none.
func (j *Journal) LastSeq() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// After returns the entries on disk that came after seq, oldest first, of the kinds given or
// of all, at most a hundred thousand.
func (j *Journal) After(ctx context.Context, seq int64, kinds ...Kind) ([]Entry, error) {
	all, err := j.query(ctx, "SELECT "+columns+" FROM journal_entry WHERE seq > ? ORDER BY seq LIMIT 100000", seq)
	if err != nil {
		return nil, fmt.Errorf("read the journal after %d: %w", seq, err)
	}
	return slices.DeleteFunc(all, func(e Entry) bool { return len(kinds) > 0 && !slices.Contains(kinds, e.Kind) }), nil
}
