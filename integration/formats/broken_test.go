package formats

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
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
	harness.Python(t, harness.Torch, "write_broken.py", nil, &cases, dir)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			harness.Refused(t, []string{"ls", c.Source}, append(c.Says, c.Name)...)
			mountpoint := harness.Mountpoint(t)
			defer harness.Unmount(t, mountpoint)
			harness.Refused(t, []string{"mount", c.Source, mountpoint}, append(c.Says, c.Name)...)
		})
	}
	t.Run("good", func(t *testing.T) {
		if r := harness.WFS(t, "ls", filepath.Join(dir, "good.pt")); r.Code != 0 {
			t.Errorf("the file that the damaged ones were made from: %s", r.Stderr)
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
				harness.Refused(t, []string{"ls", path}, name)
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
				r := harness.WFS(t, "ls", path)
				switch {
				case r.Code != 0:
					if r.Code != 1 {
						t.Errorf("seed %d, file %d: exit code %d", seed, i, r.Code)
					}
					harness.CheckOneLine(t, r, name)
				case mounts < 8:
					mounts++
					harness.ReadAll(t, harness.Mount(t, path))
				}
			}
			if mounts == 0 {
				t.Error("no flipped file mounted: nothing was read")
			}
		})
	}
}
