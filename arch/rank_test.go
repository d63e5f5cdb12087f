package arch

// rank is the order of the rooms: one imports only rooms of a lower rank.
var rank = map[string]int{
	"unit": 0, "clock": 0, "strictyaml": 0,
	"site":     1,
	"sitefile": 2, "driver": 2, "dispatch": 2, "limiter": 2, "reconcile": 2, "store": 2,
	"query": 2, "estimate": 2, "health": 2,
	"fleet": 3, "telemetry": 3, "market": 3, "journal": 3, "ledger": 3,
	"discover": 3, "rollout": 3, "notify": 3, "signal": 3, "compute": 3,
	"billing": 4, "backtest": 4, "study": 4,
	"api": 5, "web": 5,
	"care":    6,
	"emulate": 6,
	"app":     7,
	"demo":    8,
	"bench":   8,
	"cmd":     9,
	"arch":    10,
}

// transports are the folders below driver that several drivers share.
var transports = map[string]bool{"rpc": true, "conform": true, "httpx": true}

// emulateMayImport is what emulated devices may know.
var emulateMayImport = map[string]bool{"unit": true, "clock": true, "site": true, "sitefile": true, "strictyaml": true}
