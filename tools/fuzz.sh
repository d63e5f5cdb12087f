#!/usr/bin/env bash
# Runs every fuzz test for FUZZTIME each (default 60s).
set -euo pipefail
cd "$(dirname "$0")/.."
for file in $(git grep -l '^func Fuzz' -- '*_test.go'); do
  for name in $(grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | cut -d' ' -f2); do
    echo "== $name in $(dirname "$file"), ${FUZZTIME:-60s}"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-60s}" "./$(dirname "$file")"
  done
done
