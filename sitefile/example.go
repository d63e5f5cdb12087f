package sitefile

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns the commented site file that `switchyard init` writes: a small mixed
// site. It passes Parse and Load as it is.
func Example() []byte { return slices.Clone(example) }
