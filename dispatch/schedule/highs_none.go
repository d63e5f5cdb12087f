//go:build !cgo || !(linux || darwin) || !(amd64 || arm64)

package schedule

import "errors"

// newEngine has no solver to give in a build without cgo.
func newEngine() (engine, error) {
	return nil, errors.New("this program was built without the solver (cgo was off)")
}
