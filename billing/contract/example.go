package contract

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns the commented contract file that `switchyard contract init` writes: a
// colocation lease with an amendment. It passes Parse as it is, without a warning.
func Example() []byte { return slices.Clone(example) }
