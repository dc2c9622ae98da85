package fs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// TestDirectory mounts on a directory that is open, after its path has come to lead
// elsewhere.
func TestDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	path, b := randomFile(t, 1<<16)
	src := open(t, path)
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	one, two := filepath.Join(base, "one"), filepath.Join(base, "two")
	must(t, os.Mkdir(one, 0o755))
	dir, err := os.Open(one)
	must(t, err)
	defer dir.Close()
	must(t, os.Rename(one, two))
	must(t, os.Mkdir(one, 0o755))
	tree := treeOf(t, modelOf(src))
	if s, err := Mount(tree, one, Options{Directory: dir}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the path leads elsewhere: %v", err)
		s.Unmount(true)
	}
	if entries, err := os.ReadDir(two); len(entries) > 0 || err != nil {
		t.Errorf("a mount that failed is left: %v, %v", entries, err)
	}
	s, err := Mount(tree, pathOf(dir, one), Options{Directory: dir})
	must(t, err)
	if got, err := os.ReadFile(filepath.Join(two, "sub/source.bin")); err != nil || len(got) != len(b) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if entries, err := os.ReadDir(one); len(entries) > 0 || err != nil {
		t.Errorf("it is mounted where the path leads: %v, %v", entries, err)
	}
	must(t, s.Unmount(false))
	<-s.Done()
}

// TestDirectoryDeleted mounts on a directory that was removed: there is none to mount on.
func TestDirectoryDeleted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	path, _ := randomFile(t, 4096)
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	must(t, os.Mkdir(mountpoint, 0o755))
	dir, err := os.Open(mountpoint)
	must(t, err)
	defer dir.Close()
	must(t, os.Remove(mountpoint))
	if _, err := Mount(treeOf(t, modelOf(open(t, path))), mountpoint, Options{Directory: dir}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

func TestFusermountOptions(t *testing.T) {
	got := fusermountOptions(&fuse.MountOptions{FsName: `wfs:/a,b\c`, Name: "wfs", Options: []string{"ro", "nodev"}, AllowOther: true, MaxWrite: 7})
	if want := `ro,nodev,allow_other,fsname=wfs:/a\,b\\c,subtype=wfs,max_read=7`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
