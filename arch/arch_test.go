package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "switchyard"

type pkg struct {
	ImportPath                string
	Dir                       string
	GoFiles                   []string
	Imports                   []string
	TestGoFiles, XTestGoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestGoFiles,XTestGoFiles", module+"/...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.ImportPath, "node_modules") {
			all = append(all, p)
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// TestImportsPointDownwards holds the rank table: a room imports only rooms of a lower rank.
func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		room, sub := split(p.ImportPath)
		r, ok := rank[room]
		if !ok {
			t.Errorf("%s has no rank: add it to the table in arch/rank.go", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			to, toSub := split(imp)
			switch {
			case to == room && room == "driver":
				if err := driverImport(sub, toSub); err != "" {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, err)
				}
			case to == room: // a room's own folders
			case to == "emulate" && room != "demo" && room != "cmd" && room != "bench":
				t.Errorf("%s imports %s: only the demo, the benchmarks and the command may know emulated devices", p.ImportPath, imp)
			case room == "emulate" && !emulateMayImport[to]:
				t.Errorf("%s imports %s: emulated devices are written from the protocol, not from our code", p.ImportPath, imp)
			case to == "driver" && toSub != "" && room != "driver" && (toSub != "all" || r <= rank["driver"]):
				t.Errorf("%s imports %s: drivers are known only to driver/all", p.ImportPath, imp)
			case rank[to] >= r:
				t.Errorf("%s (rank %d) imports %s (rank %d): imports point downwards only", p.ImportPath, r, imp, rank[to])
			}
		}
	}
}

// driverImport says what is wrong with folder from importing folder to, both below driver.
func driverImport(from, to string) string {
	if from == "all" || to == "" || transports[to] {
		return ""
	}
	return "a driver may import the contract and the transports, never another driver"
}

func split(path string) (room, sub string) {
	room, sub, _ = strings.Cut(strings.TrimPrefix(path, module+"/"), "/")
	return room, sub
}

// TestPackagesSayWhatTheyAre wants each package to say what it owns, what it never does and
// how it may be used concurrently.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		doc := packageDoc(t, p)
		for _, want := range []string{"own", "never", "Concurrency:"} {
			if !strings.Contains(doc, want) {
				t.Errorf("%s: the package comment does not say %q (what it owns, what it never does, its concurrency rule)", p.ImportPath, want)
			}
		}
	}
}

func packageDoc(t *testing.T, p pkg) string {
	t.Helper()
	var all strings.Builder
	for _, f := range p.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(tree.Doc.Text())
	}
	return all.String()
}

// TestSizes holds the house's measures: files under 500 lines, functions under 70, packages
// under 3,000, interfaces of at most 5 methods. A longer one says why in a comment with "Length:".
func TestSizes(t *testing.T) {
	for _, p := range packages(t) {
		total := 0
		for _, f := range p.GoFiles {
			path := filepath.Join(p.Dir, f)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(src, []byte("\n"))
			total += lines
			if lines >= 500 && !bytes.Contains(src, []byte("// Length:")) {
				t.Errorf("%s: %d lines, 500 is the house's measure", path, lines)
			}
			checkDecls(t, path, src)
		}
		if total >= 3000 {
			t.Errorf("%s: %d lines, 3,000 is the house's measure", p.ImportPath, total)
		}
	}
}

func checkDecls(t *testing.T, path string, src []byte) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
			if lines >= 70 && !strings.Contains(n.Doc.Text(), "Length:") {
				t.Errorf("%s: %s has %d lines, 70 is the house's measure", path, n.Name.Name, lines)
			}
		case *ast.TypeSpec:
			if i, ok := n.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > 5 {
				t.Errorf("%s: interface %s has %d methods, 5 is the house's measure", path, n.Name.Name, i.Methods.NumFields())
			}
		}
		return true
	})
}

// TestNoGlobalsAtWork forbids init functions and rooms with names that say nothing.
func TestNoGlobalsAtWork(t *testing.T) {
	for _, p := range packages(t) {
		switch filepath.Base(p.ImportPath) {
		case "util", "utils", "common", "types", "manager", "helpers":
			t.Errorf("%s: this name says nothing of what the package owns", p.ImportPath)
		}
		for _, f := range p.GoFiles {
			tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s/%s: init functions hide wiring", p.ImportPath, f)
				}
			}
		}
	}
}

// TestArchitecturePageNamesEveryRoom keeps docs/ARCHITECTURE.md true.
func TestArchitecturePageNamesEveryRoom(t *testing.T) {
	page, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal("docs/ARCHITECTURE.md is missing")
	}
	for room := range rank {
		if !bytes.Contains(page, []byte("`"+room+"`")) {
			t.Errorf("docs/ARCHITECTURE.md does not name the room `%s`", room)
		}
	}
}
