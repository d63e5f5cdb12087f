package epic

import "testing"

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"param":{"algo":"Power","target":2000},"password":"letmein"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, err := parseRequest(data); err != nil && q.Param != nil && q.Password != "" && len(data) == 0 {
			t.Fatal("a request of nothing")
		}
	})
}
