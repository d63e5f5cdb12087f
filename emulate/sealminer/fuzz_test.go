package sealminer

import "testing"

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"command":"ascset","parameter":"0,suspend"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, err := parseRequest(data); err == nil && len(data) == 0 && q.Command != "" {
			t.Fatal("a command of nothing")
		}
	})
}

func FuzzPools(f *testing.F) {
	f.Add([]byte(`{"poolurl1":"stratum+tcp://a:1","pooluser1":"w","poolpwd1":"x","poolurl2":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePools(data)
		if err != nil {
			return
		}
		for _, one := range p {
			if one.URL == "" || len(p) > 3 {
				t.Fatalf("%+v", p)
			}
		}
	})
}
