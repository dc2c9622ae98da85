package harness

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// InNamespace runs a script of bash as root in a mount namespace of its own: what it
// mounts over /sbin, /dev and /etc/fstab nobody else sees, and ends with it. $1, $2 … are
// args. Copies of the mounts of other tests are taken out of the namespace first: their
// daemons would not end before it does.
func InNamespace(t testing.TB, script string, args ...string) Result {
	t.Helper()
	const private = "umount --all --lazy --internal-only --no-canonicalize --types fuse.wfs,fuse.failing\n"
	return Run(t, time.Minute, AsRoot(append([]string{"unshare", "--mount", "bash", "-euc", private + script, "bash"}, args...)...))
}

// HelperDir is a directory with mount.wfs alone, to stand in for /sbin.
func HelperDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	Must(t, os.Symlink(binaryPath, filepath.Join(dir, "mount.wfs")))
	return dir
}
