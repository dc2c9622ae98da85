package views

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"wfs/integration/harness"
)

// TestAttributes checks what stat says of a mount: modes, times, sizes, and inode
// numbers that are the same after a remount.
func TestAttributes(t *testing.T) {
	source := harness.Large(t)
	info, err := os.Stat(source)
	harness.Must(t, err)
	first := attributes(t, harness.Mount(t, source))
	var blocks int64
	seen := map[uint64]bool{}
	for name, st := range first {
		want := uint32(syscall.S_IFREG | 0o444)
		if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			want = syscall.S_IFDIR | 0o555
		}
		if st.Mode != want {
			t.Errorf("%s has mode %o, want %o", name, st.Mode, want)
		}
		if st.Mtim.Nano() != info.ModTime().UnixNano() {
			t.Errorf("%s has mtime %d, and the source %d", name, st.Mtim.Nano(), info.ModTime().UnixNano())
		}
		if !seen[st.Ino] {
			blocks += st.Blocks
		}
		seen[st.Ino] = true
	}
	if got, want := blocks*512, info.Size(); got < want*9/10 || got > want*11/10 {
		t.Errorf("du counts %d bytes, and the source has %d", got, want)
	}
	second := attributes(t, harness.Mount(t, source))
	if len(first) != len(second) || len(first) < 3*16 {
		t.Errorf("%d files, then %d", len(first), len(second))
	}
	for name, st := range first {
		if second[name].Ino != st.Ino || second[name].Size != st.Size {
			t.Errorf("%s is inode %d of %d bytes, and was %d of %d",
				name, second[name].Ino, second[name].Size, st.Ino, st.Size)
		}
	}
}

func attributes(t *testing.T, mount string) map[string]syscall.Stat_t {
	t.Helper()
	all := map[string]syscall.Stat_t{}
	harness.Must(t, filepath.WalkDir(mount, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		name, err := filepath.Rel(mount, path)
		all[name] = st
		return err
	}))
	return all
}

// TestLayout checks that --layout shows one half of the tree.
func TestLayout(t *testing.T) {
	for layout, want := range map[string]string{"hf": "model.safetensors", "tensors": "tensors"} {
		path := harness.Mount(t, harness.Small(t), "--layout", layout)
		for _, name := range []string{"model.safetensors", "tensors", "tree", "raw", "meta"} {
			_, err := os.Stat(filepath.Join(path, name))
			shown := (name == "model.safetensors") == (want == "model.safetensors")
			if shown != (err == nil) {
				t.Errorf("--layout %s: %s: %v", layout, name, err)
			}
		}
	}
}
