//go:build !cgo || !(linux || darwin) || !(amd64 || arm64)

package linear

import "errors"

// New has no solver to give in a build without cgo.
func New() (Engine, error) {
	return nil, errors.New("this program was built without the solver (cgo was off)")
}
