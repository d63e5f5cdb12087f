package input

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns the commented study file that `switchyard study init` writes where there is no
// site: 100 MW in four halls, each with five options, twelve years from 2027. It passes Parse as it
// is, without a warning, and reads no other file.
func Example() []byte { return slices.Clone(example) }

// Sample is Example, for tests of what reads a File.
func Sample() []byte { return Example() }
