#!/usr/bin/env bash
# Builds a real Kubernetes with Kueue for the tests into .tools/engines (or $1), from the exact
# versions in the go.mod files beside this script. What is built already is left alone; cold it
# takes some 10 to 16 minutes on two cores and 5 GB of the build cache.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../.tools/engines}
mkdir -p "$out" && out=$(cd "$out" && pwd)
go=${GO:-go}
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

told=

# build MODULE PROGRAM PACKAGE [go build's arguments]
build() {
  local module=$1 program=$2 package=$3 stamp sum begun
  shift 3
  stamp=$out/.$program.sum
  sum=$(cat "$here/$module/go.mod" "$here/$module/go.sum" "$here/build.sh" | sha256sum)
  if [ -x "$out/$program" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ]; then
    return
  fi
  if [ -z "$told" ]; then
    echo "== building a real Kubernetes with Kueue into $out, once: cold some 10 to 16 minutes on two cores"
    told=yes
  fi
  echo "   building $program"
  begun=$SECONDS
  (cd "$here/$module" && "$go" build -trimpath "$@" -o "$out/$program.new" "$package")
  mv "$out/$program.new" "$out/$program"
  echo "$sum" >"$stamp"
  echo "   $((SECONDS - begun)) s"
}

strip='-s -w'
version=$(cd "$here/kube" && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.} && minor=${minor%%.*}
kube="$strip -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"

# Kueue reads the certificate of its metrics from a fixed folder of the machine's, which a test
# has no business in: its main file is built with the one line that names it asking the environment.
own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT
(cd "$here/kueue" && "$go" mod download sigs.k8s.io/kueue)
main=$(cd "$here/kueue" && "$go" list -m -f '{{.Dir}}' sigs.k8s.io/kueue)/cmd/kueue/main.go
sed 's|metricsCertPath := "/etc/kueue/metrics/certs"|metricsCertPath := os.Getenv("KUEUE_METRICS_CERTS")|' "$main" >"$own/main.go"
grep -q KUEUE_METRICS_CERTS "$own/main.go" || { echo "Kueue's main.go is not as expected" >&2; exit 1; }

build etcd etcd go.etcd.io/etcd/server/v3 -ldflags "$strip"
build kwok kwok sigs.k8s.io/kwok/cmd/kwok -ldflags "$strip"
build kueue kueue "$own/main.go" -ldflags "$strip"
for p in kube-apiserver kube-scheduler kube-controller-manager; do
  build kube "$p" "k8s.io/kubernetes/cmd/$p" -ldflags "$kube"
done
