//go:build !unix

package bench

import (
	"testing"
	"time"
)

func cpu() time.Duration         { return 0 }
func checkFiles(*testing.B, int) {}
func resident() int              { return 0 }
