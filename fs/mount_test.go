package fs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/tree"
)

// TestCycles mounts, reads and unmounts many times, and counts what is left.
func TestCycles(t *testing.T) {
	path, _ := randomFile(t, 1<<20)
	src := open(t, path)
	tree := treeOf(t, modelOf(src, ranges(src, 4)...))
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	cycle := func() {
		dir := t.TempDir()
		s, err := Mount(tree, dir, Options{Source: path})
		must(t, err)
		defer unix.Unmount(dir, unix.MNT_DETACH)
		for _, name := range []string{"model.safetensors", "sub/source.bin"} {
			_, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
		}
		must(t, s.Unmount(false))
		select {
		case <-s.Done():
		case <-time.After(30 * time.Second):
			t.Fatal("the server does not end")
		}
	}
	cycle()
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	cycles := 50
	if os.Getenv("SOAK") != "" {
		cycles = 1000
	}
	for range cycles {
		cycle()
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "no descriptor is left", func() bool { return descriptors(t) <= files })
}

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// TestBusy unmounts while a file is open: refused, and possible lazily; the file then
// goes on until it is closed, and the server ends with it.
func TestBusy(t *testing.T) {
	path, b := randomFile(t, 1<<20)
	src := open(t, path)
	s, dir := mount(t, treeOf(t, modelOf(src, ranges(src, 1)...)), Options{})
	f, err := os.Open(filepath.Join(dir, "raw/layer.0.weight.bin"))
	must(t, err)
	if err := s.Unmount(false); !errors.Is(err, unix.EBUSY) {
		t.Errorf("unmount of a busy mount: %v", err)
	}
	must(t, s.Unmount(true))
	if entries, err := os.ReadDir(dir); len(entries) != 0 || err != nil {
		t.Errorf("the name is not free: %v, %v", entries, err)
	}
	got, err := io.ReadAll(f)
	if err != nil || string(got) != string(b) {
		t.Errorf("the open file has %d bytes, %v", len(got), err)
	}
	select {
	case <-s.Done():
		t.Error("the server has ended with a file open")
	default:
	}
	must(t, f.Close())
	<-s.Done()
}

// TestDevice checks what /proc/mounts says of a source with an awkward name, and how
// far the kernel reads ahead.
func TestDevice(t *testing.T) {
	path, _ := randomFile(t, 4096)
	src := open(t, path)
	for name, want := range map[string]string{
		"/a b,c\\d":                     `wfs:/a\040b,c\134d`,
		"/" + strings.Repeat("x", 5000): "wfs:/" + strings.Repeat("x", 4090),
	} {
		_, dir := mount(t, treeOf(t, modelOf(src)), Options{Source: name})
		mounts, err := os.ReadFile("/proc/self/mounts")
		must(t, err)
		if line := want + " " + dir + " fuse.wfs ro,nosuid,nodev,"; !strings.Contains(string(mounts), line) {
			t.Errorf("no %.80q in\n%.2000s", line, mounts)
		}
	}
}

// TestRefused checks that a mount that fails says why, and leaves nothing.
func TestRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	empty := &tree.Tree{Root: &tree.Dir{Ino: 1}}
	empty.Nodes = []tree.Node{{Dir: empty.Root}}
	files := descriptors(t)
	if _, err := Mount(empty, filepath.Join(t.TempDir(), "missing"), Options{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a mountpoint that is missing: %v", err)
	}
	if now := descriptors(t); now > files {
		t.Errorf("%d descriptors, and %d before", now, files)
	}
}

func TestMayAllowOther(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "fuse.conf")
	for text, want := range map[string]bool{"": false, "# user_allow_other\n": false, "mount_max = 1\n user_allow_other \n": true} {
		must(t, os.WriteFile(conf, []byte(text), 0o644))
		if err := mayAllowOther(conf); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	if mayAllowOther(conf+"x") == nil {
		t.Error("allowed by a file that is not there")
	}
}
