#!/usr/bin/env bash
# Installs Debian packages and leaves none of their daemons running or to be started at the next
# boot: the tests start their own. Services that were there before stay as they are.
set -euo pipefail
command -v apt-get >/dev/null
s=
[ "$(id -u)" = 0 ] || s=$(command -v sudo)
policy=/usr/sbin/policy-rc.d
services() { systemctl list-unit-files --type=service --no-legend 2>/dev/null | cut -d' ' -f1 | sort || true; }
before=$(services)
if [ ! -e $policy ]; then
  # What packages ask before they start a daemon; 101 is no.
  printf '#!/bin/sh\nexit 101\n' | $s tee $policy >/dev/null
  $s chmod 755 $policy
  trap '$s rm -f $policy' EXIT
fi
$s apt-get update -qq
$s env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
for unit in $(comm -13 <(echo "$before") <(services)); do
  $s systemctl disable --quiet "$unit" 2>/dev/null || true
done
