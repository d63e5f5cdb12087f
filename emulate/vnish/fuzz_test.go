package vnish

import "testing"

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"miner":{"overclock":{"preset":"2600"},"pools":[{"url":"a:1","user":"u","pass":"x"}]},"password":{"current":"a","pw":"b"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := parseSettings(data)
		if err == nil && in.Miner != nil && in.Miner.Pools != nil && len(*in.Miner.Pools) > 3 {
			t.Fatal("more pools than there is room for")
		}
	})
}
