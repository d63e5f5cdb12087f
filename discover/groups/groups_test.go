package groups

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/discover"
	"switchyard/site"
	"switchyard/sitefile"
)

const scanSite = `# my site
site: {name: x} # its name
connection: {limit: 1 MW, meter: {address: 10.9.9.9, profile: generic}}
nodes:
  - {id: hall-a}
  - {id: hall-b} # the new one
groups:
    # the old ones
    - id: antminer-s21 # bought in May
      node: hall-a
      driver: antminer
      model: S21
      addresses: [10.0.1.1-10.0.1.9]
      nameplate: 3500 W
      hashrate: 200 TH/s

# what the market is
market: {price: {fixed: 45 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}
`

func foundAt(model string, hosts ...string) []discover.Found {
	var out []discover.Found
	for _, h := range hosts {
		out = append(out, discover.Found{Address: netip.MustParseAddr(h), Driver: "antminer", Identity: site.Identity{Make: "Antminer", Model: model}})
	}
	return out
}

func load(path string) (*sitefile.File, error) { return sitefile.Load(path, sitefile.Known{}) }

func open(path, node string) (*File, error) {
	return Open(path, Style{Node: node}, sitefile.Known{}, load)
}

func scanTo(t *testing.T, path, node string, list []discover.Found) (string, error) {
	t.Helper()
	f, err := open(path, node)
	if err != nil {
		return "", err
	}
	n, devices, err := f.Add(list)
	return fmt.Sprintf("%d groups with %d devices", n, devices), err
}

// The groups stand behind the old ones, and not another byte of the file is changed.
func TestAddGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(scanSite), 0o640); err != nil {
		t.Fatal(err)
	}
	list := append(foundAt("S21", "10.0.1.20", "10.0.1.21", "10.0.2.7"), foundAt("Mystery 5", "10.0.1.30")...)
	notes, err := scanTo(t, path, "hall-b", list)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(got), "    - id: antminer-s21-2\n")
	if at < 0 {
		t.Fatalf("no group was added:\n%s", got)
	}
	end := strings.Index(string(got), "\n# what the market is")
	if string(got[:at])+string(got[end:]) != scanSite || !strings.Contains(notes, "3 groups with 4 devices") {
		t.Errorf("more than lines was changed (%s):\n%s", notes, got)
	}
	if _, err := sitefile.Load(path, sitefile.Known{}); err == nil || !strings.Contains(err.Error(), "no nameplate power") {
		t.Errorf("the figures of a model that nobody knows are made up: %v", err)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(got), " 0 W ", " 900 W "), " 0 TH/s ", " 30 TH/s ")
	f, err := sitefile.Parse(path, []byte(text), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Groups) != 4 || f.Groups[1].Node != "hall-b" || len(f.Groups[1].Targets()) != 2 || f.Groups[2].ID != "antminer-s21-3" || f.Groups[3].Model != "Antminer Mystery 5" {
		t.Errorf("%+v", f.Groups)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o640 {
		t.Errorf("the file's rights became %v", st.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".site-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What cannot be done leaves the file as it is and says why.
func TestAddRefuses(t *testing.T) {
	list := foundAt("S21", "10.0.5.5")
	for what, c := range map[string]struct {
		file, node string
		list       []discover.Found
		want       string
	}{
		"an address twice":     {scanSite, "hall-b", foundAt("S21", "10.0.5.5", "10.0.1.3"), "10.0.1.3 (group antminer-s21)"},
		"a meter's address":    {scanSite, "hall-b", foundAt("S21", "10.9.9.9"), "the meter of connection"},
		"no node named":        {scanSite, "", list, "--node"},
		"a node that is not":   {scanSite, "hall-x", list, `no node "hall-x"`},
		"nothing found":        {scanSite, "hall-b", nil, "found no device"},
		"a file with a fault":  {strings.Replace(scanSite, "1 MW", "1 MWW", 1), "hall-b", list, "MWW"},
		"groups in one line":   {scanSite[:strings.Index(scanSite, "groups:")] + "groups: [{id: a, node: hall-a, driver: auto, addresses: [10.0.1.1], nameplate: 1 kW, hashrate: 30 TH/s}]\n" + scanSite[strings.Index(scanSite, "market:"):], "hall-b", list, "on one line"},
		"a group over columns": {strings.Replace(scanSite, "      hashrate: 200 TH/s\n", "      hashrate: 200 TH/s\n      name: \"two\n\n        - lines\"\n", 1), "hall-b", list, ""},
	} {
		path := filepath.Join(t.TempDir(), "site.yaml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := scanTo(t, path, c.node, c.list)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", what, c.want, err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.file {
			t.Errorf("%s: the file was changed:\n%s", what, got)
		}
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(scanSite), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&File{}).HasAll(nil); err != nil {
		t.Error(err)
	}
	f, err := open(path, "hall-b")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(scanSite+"# a word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Add(list); err == nil || !strings.Contains(err.Error(), "changed during the scan") {
		t.Errorf("a file that changed meanwhile: %v", err)
	}
	if err := f.HasAll([]netip.Addr{netip.MustParseAddr("10.0.1.1")}); err == nil || !strings.Contains(err.Error(), "has all of these addresses") {
		t.Errorf("nothing could be added: %v", err)
	}
}

// A file that is not there is begun, and `check` says what a scan cannot know.
func TestAddBeginsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.yaml")
	if _, err := scanTo(t, path, "", foundAt("S21", "10.0.5.5", "10.0.5.6")); err != nil {
		t.Fatal(err)
	}
	if _, err := load(path); err == nil || !strings.Contains(err.Error(), "limit is missing") || strings.Contains(err.Error(), "groups[0]") {
		t.Errorf("check says %v", err)
	}
	if _, err := scanTo(t, path, "", foundAt("S21", "10.0.5.7")); err == nil {
		t.Error("a file with faults is added to")
	}
}

// Where groups stand in a text, and how it is indented and ended, is kept.
func TestAppendGroups(t *testing.T) {
	items := []string{"- id: b", "  node: n"}
	for text, want := range map[string]string{
		"a: 1\n":                              "a: 1\n\ngroups:\n  - id: b\n    node: n\n",
		"a: 1":                                "a: 1\n\ngroups:\n  - id: b\n    node: n\n",
		"groups: [] # none\nz: 1\n":           "groups:  # none\n  - id: b\n    node: n\nz: 1\n",
		"groups:\n- id: a\n  node: n\nz: 1\n": "groups:\n- id: a\n  node: n\n- id: b\n  node: n\nz: 1\n",
		"groups:\n  - id: a\n\n  # more\n\nz: 1\n": "groups:\n  - id: a\n  - id: b\n    node: n\n\n  # more\n\nz: 1\n",
		"groups:\r\n  - id: a\r\nz: 1\r\n":         "groups:\r\n  - id: a\r\n  - id: b\r\n    node: n\r\nz: 1\r\n",
	} {
		got, err := appendGroups([]byte(text), items)
		if err != nil || string(got) != want {
			t.Errorf("%q became\n%q, want\n%q, %v", text, got, want, err)
		}
	}
}
