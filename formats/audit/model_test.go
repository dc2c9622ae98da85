//go:build unix

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// TestOneReport has a directory in which what is passed through, what is hidden and what lies
// deeper would run something: the door of wfs scan and the door of the mount say the same.
func TestOneReport(t *testing.T) {
	const call = "\x80\x02cos\ngetcwd\n)R."
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	for name, content := range map[string]string{
		"model.safetensors": "\x02\x00\x00\x00\x00\x00\x00\x00{}", "training_args.bin": call, "pytorch_model.bin": "\x80\x02N.",
		"deep/er/x.pkl": call, "../outside.bin": call,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link.bin": "../outside.bin", "linked": "deep"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := source.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(reports func(func(*Report, error) bool)) (dangerous []string, failed []error) {
		for r, err := range reports {
			if err != nil {
				failed = append(failed, err)
			} else if r.Dangerous() != "" {
				dangerous = append(dangerous, strings.TrimPrefix(r.Path, dir+"/"))
			}
		}
		return dangerous, failed
	}
	scanned, failed := collect(Dir(d))
	if len(failed) != 3 || !errors.Is(failed[0], source.ErrOutside) || !strings.Contains(failed[1].Error(), "linked is a link to a directory") ||
		!strings.Contains(failed[2].Error(), "pipe is not a regular file") {
		t.Errorf("a scan does not say what it does not look into: %v", failed)
	}
	mounted, failed := collect(Model(&checkpoint.Model{Path: dir, Dir: d}))
	if len(failed) > 0 {
		t.Errorf("what no mount has keeps it from being mounted: %v", failed)
	}
	if want := []string{"deep/er/x.pkl", "training_args.bin"}; !slices.Equal(scanned, want) || !slices.Equal(mounted, want) {
		t.Errorf("scan finds %q, the mount %q, want %q", scanned, mounted, want)
	}
}
