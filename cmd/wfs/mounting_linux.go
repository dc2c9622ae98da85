package main

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
)

// The first thread is for the main goroutine, which does nothing but wait. A thread that
// hangs in a source cannot end, not even by SIGKILL (fs/fuse/dev.c, request_wait_answer),
// and a process whose first thread has not ended looks alive to ps and to wfs umount.
func init() { runtime.LockOSThread() }

// defaultPath is for fusermount3 where nothing says what PATH is, as for the helper of a
// mount unit (systemd.exec(5)).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func ensurePath() {
	if os.Getenv("PATH") == "" {
		os.Setenv("PATH", defaultPath)
	}
}

// mountCommands are the commands that need FUSE.
func mountCommands(a *app) []*cobra.Command {
	return []*cobra.Command{newMount(a), newUmount(a), newStatus(a)}
}

// mountedAt is what to say of a directory that is to be replaced, and that something is
// mounted on; "" where nothing is.
func mountedAt(path string) string {
	switch m, ok := mountAt(path); {
	case !ok:
		return ""
	case m.fsType == fsType:
		return "is a mount of wfs: name a new directory"
	}
	return "something is mounted there, and cannot be replaced: name a directory in it"
}

// notHere is why a command of other systems is not one of this system, "" where it is.
func notHere(string) string { return "" }

func (a *app) dispatch() error {
	args := a.argv[1:]
	switch filepath.Base(a.argv[0]) {
	case "mount.wfs", "mount.fuse.wfs": // mount(8) and fstab
		return a.mountHelper(args)
	}
	root := newRoot(a)
	if fromMountFuse(root, args) {
		return a.mountHelper(args)
	}
	return execute(root, args)
}
