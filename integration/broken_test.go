package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestBroken gives wfs damaged files and files that it does not know: each ends in
// exit code 1 and one line that names the file, from ls and from mount.
func TestBroken(t *testing.T) {
	var cases []struct {
		Name   string   `json:"name"`
		Source string   `json:"source"`
		Says   []string `json:"says"`
	}
	dir := t.TempDir()
	python(t, "torch", "write_broken.py", nil, &cases, dir)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			refused(t, []string{"ls", c.Source}, append(c.Says, c.Name)...)
			mountpoint := filepath.Join(t.TempDir(), "mnt")
			defer unmount(t, mountpoint)
			refused(t, []string{"mount", c.Source, mountpoint}, append(c.Says, c.Name)...)
		})
	}
	t.Run("good", func(t *testing.T) {
		if r := wfs(t, "ls", filepath.Join(dir, "good.pt")); r.code != 0 {
			t.Errorf("the file that the damaged ones were made from: %s", r.stderr)
		}
	})
}

// TestTruncated cuts files short everywhere: a cut file is never taken for a whole one.
func TestTruncated(t *testing.T) {
	for name, whole := range goodFiles(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			for i := range 60 {
				size := len(whole) * i / 60
				if i > 50 {
					size = len(whole) - 60 + i // the last bytes, one by one
				}
				if err := os.WriteFile(path, whole[:size], 0o644); err != nil {
					t.Fatal(err)
				}
				refused(t, []string{"ls", path}, name)
			}
		})
	}
}

// TestFlipped flips bits in files. What still mounts gives bytes or EIO, and the
// daemon lives on; what does not is refused in one line.
func TestFlipped(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewSource(seed))
	for name, whole := range goodFiles(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mounts := 0
			for i := range 80 {
				path := filepath.Join(dir, fmt.Sprintf("%d-%s", i, name))
				flipped := bytes.Clone(whole)
				for range 1 + random.Intn(4) {
					flipped[random.Intn(len(whole))] ^= 1 << random.Intn(8)
				}
				if err := os.WriteFile(path, flipped, 0o644); err != nil {
					t.Fatal(err)
				}
				r := wfs(t, "ls", path)
				switch {
				case r.code != 0:
					if r.code != 1 {
						t.Errorf("seed %d, file %d: exit code %d", seed, i, r.code)
					}
					checkOneLine(t, r, name)
				case mounts < 8:
					mounts++
					readAll(t, mount(t, path))
				}
			}
			if mounts == 0 {
				t.Error("no flipped file mounted: nothing was read")
			}
		})
	}
}

// readAll reads every file of a mount. A file gives its bytes, as many as it is
// long, or EIO.
func readAll(t *testing.T, mount string) {
	t.Helper()
	err := filepath.WalkDir(mount, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			if errors.Is(err, syscall.EIO) {
				return nil
			}
			return err
		}
		defer file.Close()
		n, err := io.Copy(io.Discard, file)
		if err == nil && n != info.Size() {
			t.Errorf("%s has %d bytes, and reads as %d", path, info.Size(), n)
		}
		if errors.Is(err, syscall.EIO) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
