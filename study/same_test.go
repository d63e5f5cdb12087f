package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"switchyard/study/input"
)

// fewPaths are enough for all parts of a report, that of waiting among them.
const fewPaths = leastPaths

var digest = flag.Bool("digest", false, "print the sums of two studies' reports")

// reportOf is a study's report as machines read it.
func reportOf(t testing.TB, f *input.File, workers, paths int) []byte {
	t.Helper()
	r, err := Run(context.Background(), f, Options{Workers: workers, Paths: &paths})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSameOnAnyCores: how many goroutines share the work changes no byte.
func TestSameOnAnyCores(t *testing.T) {
	for name, f := range studies(t) {
		want := reportOf(t, f, 1, fewPaths)
		if len(want) < 10_000 {
			t.Fatalf("%s: the report has %d bytes", name, len(want))
		}
		for _, workers := range []int{2, 3, 7} {
			if got := reportOf(t, f, workers, fewPaths); string(got) != string(want) {
				t.Errorf("%s: %d workers write another report than one: %s", name, workers, parting(got, want))
			}
		}
	}
}

// parting shows where two texts part.
func parting(a, b []byte) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-80)
	return string(a[from:min(len(a), i+40)]) + "\nbeside\n" + string(b[from:min(len(b), i+40)])
}

// TestDigest prints what TestSameOnOtherProcessors compares, if asked to.
func TestDigest(t *testing.T) {
	if *digest {
		t.Logf("digest %s", sumOf(t))
	}
}

// sumOf is one sum over the reports of both studies.
func sumOf(t testing.TB) string {
	sum := sha256.New()
	for _, name := range []string{"rough", "sample"} {
		sum.Write(reportOf(t, studies(t)[name], 0, fewPaths))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// TestSameOnOtherProcessors: a build that may fuse products with sums, as those for other processors
// do, writes the same bytes.
func TestSameOnOtherProcessors(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another processor")
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" || !regexp.MustCompile(`\bfma\b`).Match(info) || !regexp.MustCompile(`\bbmi2\b`).Match(info) {
		t.Skip("needs an amd64 processor with FMA")
	}
	cmd := exec.Command("go", "test", "-v", "-count=1", "-run", "^TestDigest$", ".", "-digest")
	cmd.Env = append(os.Environ(), "GOAMD64=v3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := sumOf(t); !strings.Contains(string(out), "digest "+want) {
		t.Errorf("a build with FMA says %s\nwant %s", out, want)
	}
}

// fused finds, in the compiler's listing, instructions that add a product without rounding it.
var fused = regexp.MustCompile(`(?m)^\s*0x\S+ \d+ \((\S+:\d+)\)\s+(F[N]?M(?:ADD|SUB)[DS]|VFN?M(?:ADD|SUB)\S*)\s`)

// TestNoFusedProducts reads what the compiler makes of all that computes a figure of the report, for processors
// on which it may fuse a product with a sum: nowhere may it have done so.
func TestNoFusedProducts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for two processors")
	}
	args := []string{"build", "-gcflags=-S", "switchyard/study"}
	for _, name := range []string{"exercise", "finance", "flow", "mining", "power", "venture"} { // world looks after itself
		args = append(args, "switchyard/study/"+name)
	}
	for _, env := range []string{"GOARCH=arm64", "GOARCH=amd64 GOAMD64=v3"} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), strings.Fields(env)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%.2000s", env, err, out)
		}
		if !strings.Contains(string(out), "finance.Run STEXT") {
			t.Fatalf("%s: the compiler gave no listing:\n%.500s", env, out)
		}
		for _, m := range fused.FindAllStringSubmatch(string(out), -1) {
			t.Errorf("%s: %s at %s: round the product, float64(a*b) + c", env, m[2], m[1])
		}
	}
}
