#!/usr/bin/env bash
# Looks for known vulnerabilities where a vulnerability database can be read: a folder or an
# address in GOVULNDB. Without one it says so; it never claims a check that did not run.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/versions.env
if [ -z "${GOVULNDB:-}" ]; then
  echo "govulncheck: not run: set GOVULNDB to a database (file:///path or an address) to check"
  exit 0
fi
mkdir -p .tools
[ -x .tools/govulncheck ] || GOBIN="$PWD/.tools" go install "golang.org/x/vuln/cmd/govulncheck@$GOVULNCHECK"
.tools/govulncheck -db "$GOVULNDB" ./...
