#!/bin/bash
# leftovers.sh check COMMAND...
# Runs COMMAND and fails if it left a wfs mount or a wfs daemon that was not there before.
set -euo pipefail

leftovers() {
	awk '$3 == "fuse.wfs" { print "mount " $2 }' /proc/self/mounts
	local exe
	for exe in /proc/[0-9]*/exe; do
		if [[ $(readlink "$exe" 2>/dev/null || true) =~ /wfs(\ \(deleted\))?$ ]]; then
			echo "process $(basename "$(dirname "$exe")")"
		fi
	done
}

[[ ${1-} == check && $# -gt 1 ]] || { echo "usage: $0 check COMMAND..." >&2; exit 2; }
shift
before=$(leftovers | sort)
status=0
"$@" || status=$?
after=$(leftovers | sort)
left=$(comm -13 <(echo "$before") <(echo "$after"))
if [[ -n $left ]]; then
	echo "left behind:" >&2
	echo "$left" >&2
	exit 1
fi
exit $status
