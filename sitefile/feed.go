package sitefile

import (
	"net/url"
	"strings"
)

// Local returns the path that the feed's url names, if it is one: "file:reports", or a plain
// path; else it is an address of HTTP, or empty.
func (d Feed) Local() (path string, ok bool) {
	if path, ok := strings.CutPrefix(d.URL, "file:"); ok {
		return strings.TrimPrefix(path, "//"), true
	}
	u, err := url.Parse(d.URL)
	return d.URL, d.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https")
}
