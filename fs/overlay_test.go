package fs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"wfs/formats/checkpoint"
)

// overlay lays a directory in memory over lower, for the time of a test.
func overlay(t *testing.T, lower string) string {
	t.Helper()
	memory, dir := t.TempDir(), t.TempDir()
	must(t, unix.Mount("none", memory, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(memory, 0)) })
	for _, name := range []string{"upper", "work"} {
		must(t, os.Mkdir(filepath.Join(memory, name), 0o755))
	}
	options := "lowerdir=" + lower + ",upperdir=" + memory + "/upper,workdir=" + memory + "/work"
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		t.Fatalf("overlayfs over %s: %v", lower, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	return dir
}

// TestOverlay lays an overlay over a mount that passes a file through, writes beside what
// the mount shows, and reads that through both.
func TestOverlay(t *testing.T) {
	server, dir, _, b := standard(t)
	if !passesThrough(server.fs.tree) {
		t.Log("the sources of this test are on a file system that is stacked")
	}
	above := overlay(t, dir)
	must(t, os.WriteFile(filepath.Join(above, "sub/cache"), []byte("beside"), 0o644))
	for _, name := range []string{"sub/source.bin", "raw/layer.1.weight.bin"} {
		got, err := os.ReadFile(filepath.Join(above, name))
		must(t, err)
		if want := b; name == "sub/source.bin" && !bytes.Equal(got, want) || len(got) == 0 || !bytes.Contains(b, got) {
			t.Errorf("%s has other bytes", name)
		}
	}
	must(t, os.WriteFile(filepath.Join(above, "sub/source.bin"), []byte("mine"), 0o644))
	got, err := os.ReadFile(filepath.Join(dir, "sub/source.bin"))
	must(t, err)
	if !bytes.Equal(got, b) {
		t.Error("what was written above is seen below")
	}
	if _, err := os.Stat(filepath.Join(dir, "sub/cache")); !os.IsNotExist(err) {
		t.Errorf("what was written above is below: %v", err)
	}
}

// TestOverlaySource has the sources on overlayfs, which are read as any others; another
// overlay over that mount works too.
func TestOverlaySource(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	path, b := randomFile(t, 1<<20)
	src := open(t, filepath.Join(overlay(t, filepath.Dir(path)), filepath.Base(path)))
	t.Cleanup(func() { src.Close() }) // before the overlay is unmounted
	tree := treeOf(t, modelOf(src, ranges(src, 2)...))
	if passesThrough(tree) {
		t.Error("sources on overlayfs are passed through: no overlay could be laid over the mount")
	}
	_, dir := mount(t, tree, Options{Log: testLog(t)})
	above := overlay(t, dir)
	for _, dir := range []string{dir, above} {
		if got, err := os.ReadFile(filepath.Join(dir, "sub/source.bin")); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

// TestPassesThrough has trees with and without a file that is a source byte for byte.
func TestPassesThrough(t *testing.T) {
	path, _ := randomFile(t, 4096)
	src := open(t, path)
	if stacked(src.File()) {
		t.Skip("the directory of this test is on overlayfs")
	}
	m := modelOf(src, ranges(src, 1)...)
	if !passesThrough(treeOf(t, m)) {
		t.Error("a file on an ordinary file system is not passed through")
	}
	m.Files = []checkpoint.File{}
	if passesThrough(treeOf(t, m)) {
		t.Error("there is nothing to pass through")
	}
}
