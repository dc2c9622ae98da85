package views

import (
	"bytes"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestViewOfView mounts what a mount shows, and tries to mount below a mount.
func TestViewOfView(t *testing.T) {
	below := harness.MountAt(t, harness.Small(t), filepath.Join(t.TempDir(), "below"))
	view := filepath.Join(below.Path, "model.safetensors")
	want := harness.ReadFile(t, view)
	for _, source := range []string{view, below.Path} {
		above := harness.Mount(t, source)
		if !bytes.Equal(harness.ReadFile(t, above, "model.safetensors"), want) {
			t.Errorf("the view of %s has other bytes", source)
		}
		harness.ReadAll(t, above)
		harness.Refused(t, []string{"umount", below.Path}, below.Path, "busy")
	}
	harness.Refused(t, []string{"mount", harness.Small(t), below.Path}, below.Path, "mounted there", "wfs umount")
	harness.Refused(t, []string{"mount", harness.Small(t), filepath.Join(below.Path, "tensors")}, "tensors", "not empty")
	harness.Refused(t, []string{"mount", harness.Small(t), filepath.Join(below.Path, "new")}, "new", "read-only")
	harness.Refused(t, []string{"mount", view, below.Path}, below.Path)
	harness.Refused(t, []string{"mount", view, filepath.Dir(below.Path)}, filepath.Dir(below.Path), "not empty")
}
