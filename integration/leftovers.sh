#!/bin/bash
# leftovers.sh check COMMAND...
# Runs COMMAND with a directory of its own for temporary files, where tests build, mount and
# write, and fails if a mount, a process or a file of theirs is left there. What is left is ended. An
# interrupt goes to COMMAND and all that it has started; it may leave files.
set -euo pipefail

[[ ${1-} == check && $# -gt 1 ]] || { echo "usage: $0 check COMMAND..." >&2; exit 2; }
shift
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/wfs-tests.XXXXXX")
export TMPDIR
chmod 755 "$TMPDIR" # tests run as another user too

mounts() { awk -v dir="$TMPDIR/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts; }

processes() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		if [[ $(readlink "$exe" 2>/dev/null || true) == "$TMPDIR"/* ]]; then
			basename "$(dirname "$exe")"
		fi
	done
}

# signal sends a signal to the processes that are left.
signal() { processes | while read -r pid; do kill "-$1" "$pid" 2>/dev/null || true; done; }

left() {
	mounts | sed 's/^/mount /'
	processes | while read -r pid; do echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
	# Not the caches that libraries put there.
	[[ -n $interrupted ]] || find "$TMPDIR" -xdev -mindepth 1 -maxdepth 1 \( -name 'wfs-*' -o -name 'Test*' \) -printf 'file %p\n'
}

# end ends what is left: tests and daemons that get SIGTERM unmount.
end() {
	local try path
	signal TERM
	signal CONT
	for try in {1..100}; do
		[[ -n $(processes) ]] || break
		sleep 0.1
	done
	signal KILL
	mounts | tac | while read -r path; do path=$(printf %b "$path"); umount --lazy "$path" || fusermount3 -u -z "$path" || true; done
	rm -rf --one-file-system "$TMPDIR"
}

interrupted=
set -m # COMMAND in a process group of its own, which an interrupt goes to
"$@" &
command=$!
set +m
trap 'interrupted=yes; kill -INT -- "-$command"' INT TERM HUP
status=0
wait "$command" || status=$?
while kill -0 "$command" 2>/dev/null; do # a trapped signal ends wait
	status=0
	wait "$command" || status=$?
done
left=$(left)
end
if [[ -n $left ]]; then
	echo "left behind:" >&2
	echo "$left" >&2
	exit 1
fi
exit "$status"
