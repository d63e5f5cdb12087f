// Package web owns the built dashboard: the files that `npm run build` leaves in dist, carried
// inside the binary.
//
// It never serves them, never talks to the API and never reads a file at run time; serving,
// caching and the content policy are the API's.
//
// Concurrency: everything here is constant after the program starts and safe for concurrent use.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist returns the dashboard's files with index.html at the root. Paths under assets carry a
// hash of their content and may be cached for ever; index.html may not. It does not block.
func Dist() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // "dist" is a constant valid path: this cannot depend on outside data
	}
	return sub
}

// Built reports whether the dashboard was built before the binary was. When it was not, Dist
// has no index.html and the answer to a browser is to run `npm ci && npm run build` in web.
func Built() bool {
	f, err := files.Open("dist/index.html")
	if err != nil {
		return false
	}
	_ = f.Close() // an embedded file: closing cannot lose anything
	return true
}
