package faults

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestSourceChanged changes the source under a mount: what is read is right or an
// error, and never zeros or other bytes.
func TestSourceChanged(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) { harness.Must(t, os.Truncate(path, 20<<20)) },
		"emptied":   func(t *testing.T, path string) { harness.Must(t, os.Truncate(path, 0)) },
		"rewritten": func(t *testing.T, path string) {
			harness.Must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, len(harness.ReadFile(t, path))), 0o644))
		},
		"rewritten, and its mtime put back": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			harness.Must(t, err)
			harness.Must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, int(info.Size())), 0o644))
			harness.Must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"rewritten through a mapping": rewriteMapped,
		"grown": func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			harness.Must(t, err)
			_, err = file.Write(make([]byte, 4096))
			harness.Must(t, err)
			harness.Must(t, file.Close())
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			source := harness.Large(t)
			before := harness.ReadTensors(t, harness.Mount(t, source))
			log := filepath.Join(t.TempDir(), "log")
			path := harness.Mount(t, source, "--log-file", log) // cold
			// Of two files the kernel has pages from before the change: one is open, one is closed.
			kept, err := os.Open(harness.TensorFile(path, 14))
			harness.Must(t, err)
			defer kept.Close()
			_, err = kept.ReadAt(make([]byte, 4096), 0)
			harness.Must(t, err)
			harness.ReadFile(t, harness.TensorFile(path, 15))
			time.Sleep(20 * time.Millisecond)
			change(t, source)
			failed := 0
			for i, want := range before {
				got, err := os.ReadFile(harness.TensorFile(path, i))
				switch {
				case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE):
					failed++
				case err != nil:
					t.Errorf("tensor %d: %v, want EIO or ESTALE", i, err)
				case !bytes.Equal(got, want):
					t.Errorf("tensor %d reads as other bytes", i)
				}
			}
			if failed != len(before) {
				t.Errorf("%d of %d files cannot be read", failed, len(before))
			}
			got := make([]byte, len(before[14]))
			if n, err := kept.ReadAt(got, 0); err == nil || !bytes.Equal(got[:n], before[14][:n]) {
				t.Errorf("the file that was open: %d bytes, %v; want old bytes, and an error where there are none", n, err)
			}
			text := string(harness.ReadFile(t, log))
			if n := strings.Count(text, "was changed"); n != len(before) || !strings.Contains(text, source) {
				t.Errorf("%d log lines for %d files:\n%s", n, len(before), text)
			}
		})
	}
}

// rewriteMapped writes to each page of a file through a mapping.
func rewriteMapped(t *testing.T, path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	harness.Must(t, err)
	defer file.Close()
	info, err := file.Stat()
	harness.Must(t, err)
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	harness.Must(t, err)
	for i := 0; i < len(data); i += 4096 {
		data[i]++
	}
	harness.Must(t, syscall.Munmap(data))
}

// TestPassedThroughChanged changes files that the kernel may read by itself. Who has one
// open sees what he would see without a mount: the file as it is. Nobody opens it again,
// so that no program mixes old and new, and the log says why.
func TestPassedThroughChanged(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) { harness.Must(t, os.Truncate(path, 5000)) },
		"rewritten": func(t *testing.T, path string) {
			harness.Must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, len(harness.ReadFile(t, path))), 0o644))
		},
		"rewritten through a mapping": rewriteMapped,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			paths := writeModel(t, dir)
			log := filepath.Join(t.TempDir(), "log")
			path := harness.Mount(t, dir, "--log-file", log)
			for _, source := range paths {
				before := harness.ReadFile(t, source)
				name := filepath.Join(path, filepath.Base(source))
				kept, err := os.Open(name)
				harness.Must(t, err)
				defer kept.Close()
				time.Sleep(20 * time.Millisecond)
				change(t, source)
				now := harness.ReadFile(t, source)
				got := make([]byte, len(before))
				n, err := kept.ReadAt(got, 0)
				switch {
				case errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EIO): // the daemon has read it
				case !bytes.Equal(got[:n], now) || n < len(got) && err != io.EOF:
					t.Errorf("%s: the file that was open has %d bytes, %v; the source has %d", filepath.Base(source), n, err, len(now))
				}
				if b, err := os.ReadFile(name); !errors.Is(err, syscall.ESTALE) {
					t.Errorf("%s: opened again: %d bytes, %v; want ESTALE", filepath.Base(source), len(b), err)
				}
			}
			if text := string(harness.ReadFile(t, log)); strings.Count(text, "was changed") != len(paths) {
				t.Errorf("the log, for %d files:\n%s", len(paths), text)
			}
		})
	}
}

// writeModel writes a model directory of two files that a mount passes through.
func writeModel(t *testing.T, dir string) (paths []string) {
	config, weights := filepath.Join(dir, "config.json"), filepath.Join(dir, "model.safetensors")
	harness.Must(t, os.WriteFile(config, []byte(`{"model_type": "bert", "pad": "`+strings.Repeat("x", 30_000)+`"}`), 0o644))
	data := make([]byte, 300*1000*4)
	rand.NewChaCha8([32]byte{3}).Read(data)
	harness.WriteSafetensors(t, weights, map[string]string{"format": "pt"}, harness.Tensor{Key: "w", DType: "F32", Shape: []int64{300, 1000}, Data: data})
	return []string{config, weights}
}

// TestSourceReplaced replaces the source by rename, and deletes it: the mount goes on
// with the old bytes.
func TestSourceReplaced(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"replaced": func(t *testing.T, path string) {
			next := path + ".next"
			harness.Must(t, os.WriteFile(next, []byte("another file"), 0o644))
			harness.Must(t, os.Rename(next, path))
		},
		"deleted": func(t *testing.T, path string) { harness.Must(t, os.Remove(path)) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			source := harness.Large(t)
			before := harness.ReadTensors(t, harness.Mount(t, source))
			path := harness.Mount(t, source)
			change(t, source)
			for i, want := range harness.ReadTensors(t, path) {
				if !bytes.Equal(want, before[i]) {
					t.Errorf("tensor %d reads as other bytes", i)
				}
			}
		})
	}
}
