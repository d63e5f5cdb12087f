package exact

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// fused finds, in the compiler's listing, instructions that add a product without rounding it.
var fused = regexp.MustCompile(`(?m)^\s*0x\S+ \d+ \((\S+:\d+)\)\s+(F[N]?M(?:ADD|SUB)[DS]|VFN?M(?:ADD|SUB)\S*)\s`)

// pathPackages run in a random path: their results must not depend on the processor.
var pathPackages = []string{
	"switchyard/study/world/exact", "switchyard/study/world", "switchyard/study/exercise", "switchyard/study/power",
	"switchyard/study/mining", "switchyard/study/venture", "switchyard/study/finance", "switchyard/study",
}

// TestNoFusedProducts reads what the compiler makes of the packages on processors where it may
// fuse a product with a sum: nowhere may it have done so.
func TestNoFusedProducts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for two processors")
	}
	for _, env := range []string{"GOARCH=arm64", "GOARCH=amd64 GOAMD64=v3"} {
		args := append([]string{"build", "-gcflags=-S"}, pathPackages...)
		out := goTool(t, env, args...)
		if !strings.Contains(out, "exact.Exp STEXT") {
			t.Fatalf("%s: the compiler gave no listing:\n%.500s", env, out)
		}
		for _, m := range fused.FindAllStringSubmatch(out, -1) {
			t.Errorf("%s: %s at %s: round the product, float64(a*b) + c", env, m[2], m[1])
		}
	}
	if line := "\t0x01f0 00496 (/x/normal.go:96)\tFMSUBD\tF4, F2, F3, F6\n"; !fused.MatchString(line) {
		t.Error("the pattern finds no fused instruction")
	}
}

// TestGoldenWithFMA runs TestGolden in a build that uses whatever the processor has.
func TestGoldenWithFMA(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another processor")
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" || !regexp.MustCompile(`\bfma\b`).Match(info) || !regexp.MustCompile(`\bbmi2\b`).Match(info) {
		t.Skip("needs an amd64 processor with FMA")
	}
	if out := goTool(t, "GOAMD64=v3", "test", "-v", "-count=1", "-run", "^TestGolden$", "switchyard/study/world/exact", "-digest"); !strings.Contains(out, "digest "+golden) {
		t.Errorf("a build with FMA says %s", out)
	}
}

// goTool runs the go command in an environment and returns all that it says.
func goTool(t *testing.T, env string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), strings.Fields(env)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s go %s: %v\n%s", env, strings.Join(args, " "), err, out)
	}
	return string(out)
}
