package daemon

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// overlay lays an overlay over a mount, as the help of wfs mount says it. What is written
// goes to a file system in memory: the test's own directory may be on overlayfs.
func overlay(t *testing.T, lower string) string {
	t.Helper()
	memory, path := t.TempDir(), t.TempDir()
	asRoot := func(args ...string) {
		t.Helper()
		if r := harness.Run(t, time.Minute, harness.AsRoot(args...)); r.Code != 0 {
			t.Fatalf("%q: exit code %d\n%s", args, r.Code, r.Stderr)
		}
	}
	asRoot("mount", "-t", "tmpfs", "-o", "mode=0777", "none", memory)
	t.Cleanup(func() { asRoot("umount", memory) })
	asRoot("mkdir", "-m", "0777", memory+"/upper", memory+"/work")
	asRoot("mount", "-t", "overlay", "overlay", "-o", "lowerdir="+lower+",upperdir="+memory+"/upper,workdir="+memory+"/work", path)
	t.Cleanup(func() {
		if harness.IsMounted(path) {
			asRoot("umount", path)
		}
	})
	return path
}

// TestOverlay has programs write beside the weights, through an overlay: one makes a cache
// of single tensors under a lock, as vLLM's npcache does, one writes another file by a
// temporary name, as converters do. Both read the weights through it, mapped and not.
func TestOverlay(t *testing.T) {
	source := filepath.Join(t.TempDir(), "model")
	harness.Must(t, os.Mkdir(source, 0o755))
	harness.WriteSafetensors(t, filepath.Join(source, "model.safetensors"), nil, harness.SmallTensors()[0])
	harness.Must(t, os.WriteFile(filepath.Join(source, "config.json"), []byte(`{"model_type":"test"}`), 0o644))
	mounted := harness.Mount(t, source, "--allow-other")
	path := overlay(t, mounted)
	weights := harness.ReadFile(t, source, "model.safetensors")

	cache := filepath.Join(path, "np")
	harness.Must(t, os.Mkdir(cache, 0o755))
	lock, err := os.OpenFile(filepath.Join(path, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	harness.Must(t, err)
	defer lock.Close()
	harness.Must(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	harness.Must(t, os.WriteFile(filepath.Join(cache, "w"), harness.ReadFile(t, path, "tensors/w.npy"), 0o644))
	names, err := json.Marshal([]string{"w"})
	harness.Must(t, err)
	harness.Must(t, os.WriteFile(filepath.Join(cache, "weight_names.json"), names, 0o644))
	if !bytes.Equal(harness.ReadFile(t, cache, "w"), harness.ReadFile(t, mounted, "tensors/w.npy")) {
		t.Error("the cache has another tensor")
	}

	in, err := os.Open(filepath.Join(path, "model.safetensors"))
	harness.Must(t, err)
	mapped, err := syscall.Mmap(int(in.Fd()), 0, len(weights), syscall.PROT_READ, syscall.MAP_SHARED)
	harness.Must(t, err)
	in.Close()
	if !bytes.Equal(mapped, weights) {
		t.Error("the weights, mapped through the overlay, are others")
	}
	temporary := filepath.Join(path, "model.gguf.tmp")
	harness.Must(t, os.WriteFile(temporary, mapped, 0o644))
	harness.Must(t, syscall.Munmap(mapped))
	harness.Must(t, os.Rename(temporary, filepath.Join(path, "model.gguf")))
	harness.Must(t, os.WriteFile(filepath.Join(path, "config.json"), []byte("{}"), 0o644)) // of a file that is below

	for name, want := range map[string]string{"config.json": `{"model_type":"test"}`, "model.safetensors": string(weights)} {
		if got := string(harness.ReadFile(t, mounted, name)); got != want {
			t.Errorf("%s in the mount was changed", name)
		}
	}
	if string(harness.ReadFile(t, path, "config.json")) != "{}" || !bytes.Equal(harness.ReadFile(t, path, "model.gguf"), weights) {
		t.Error("what was written through the overlay is not there")
	}
	for _, name := range []string{"np", ".lock", "model.gguf"} {
		if _, err := os.Lstat(filepath.Join(mounted, name)); err == nil {
			t.Errorf("%s is in the mount", name)
		}
	}
}

// TestOverlayUmount takes a mount down that an overlay lies on: the name is free at once,
// the overlay goes on, and the daemon ends with it.
func TestOverlayUmount(t *testing.T) {
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t))
	path := overlay(t, m.Path)
	r := harness.WFS(t, "umount", m.Path)
	if r.Code != 0 || harness.IsMounted(m.Path) {
		t.Errorf("exit code %d, mounted %v", r.Code, harness.IsMounted(m.Path))
	}
	harness.CheckOneLine(t, r, "note: "+m.Path, "the overlay at "+path+" lies on it")
	if !strings.HasPrefix(string(harness.ReadFile(t, path, "tensors/w.npy")), "\x93NUMPY") {
		t.Error("the overlay shows nothing")
	}
	if r := harness.Run(t, time.Minute, harness.AsRoot("umount", path)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	if !harness.Gone(m.Path) {
		t.Error("the daemon has not ended with the overlay")
	}
}
