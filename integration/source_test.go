package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSourceChanged changes the source under a mount: what is read is right or an
// error, and never zeros or other bytes.
func TestSourceChanged(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) { must(t, os.Truncate(path, 20<<20)) },
		"emptied":   func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
		"rewritten": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, len(readFile(t, path))), 0o644))
		},
		"rewritten, and its mtime put back": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, int(info.Size())), 0o644))
			must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"rewritten through a mapping": rewriteMapped,
		"grown": func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = file.Write(make([]byte, 4096))
			must(t, err)
			must(t, file.Close())
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			source := large(t)
			before := readTensors(t, mount(t, source))
			log := filepath.Join(t.TempDir(), "log")
			path := mount(t, source, "--log-file", log) // cold
			// Of two files the kernel has pages from before the change: one is open, one is closed.
			kept, err := os.Open(tensorFile(path, 14))
			must(t, err)
			defer kept.Close()
			_, err = kept.ReadAt(make([]byte, 4096), 0)
			must(t, err)
			readFile(t, tensorFile(path, 15))
			time.Sleep(20 * time.Millisecond)
			change(t, source)
			failed := 0
			for i, want := range before {
				got, err := os.ReadFile(tensorFile(path, i))
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
			text := string(readFile(t, log))
			if n := strings.Count(text, "was changed"); n != len(before) || !strings.Contains(text, source) {
				t.Errorf("%d log lines for %d files:\n%s", n, len(before), text)
			}
		})
	}
}

// rewriteMapped writes to each page of a file through a mapping.
func rewriteMapped(t *testing.T, path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	must(t, err)
	for i := 0; i < len(data); i += 4096 {
		data[i]++
	}
	must(t, syscall.Munmap(data))
}

// TestPassedThroughChanged changes files that the kernel may read by itself. Who has one
// open sees what he would see without a mount: the file as it is. Nobody opens it again,
// so that no program mixes old and new, and the log says why.
func TestPassedThroughChanged(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) { must(t, os.Truncate(path, 5000)) },
		"rewritten": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte{7}, len(readFile(t, path))), 0o644))
		},
		"rewritten through a mapping": rewriteMapped,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var paths []string
			python(t, "torch", "write_safetensors_pair.py", nil, &paths, dir)
			log := filepath.Join(t.TempDir(), "log")
			path := mount(t, dir, "--log-file", log)
			for _, source := range paths {
				before := readFile(t, source)
				name := filepath.Join(path, filepath.Base(source))
				kept, err := os.Open(name)
				must(t, err)
				defer kept.Close()
				time.Sleep(20 * time.Millisecond)
				change(t, source)
				now := readFile(t, source)
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
			if text := string(readFile(t, log)); strings.Count(text, "was changed") != len(paths) {
				t.Errorf("the log, for %d files:\n%s", len(paths), text)
			}
		})
	}
}

// TestSourceReplaced replaces the source by rename, and deletes it: the mount goes on
// with the old bytes.
func TestSourceReplaced(t *testing.T) {
	changes := map[string]func(t *testing.T, path string){
		"replaced": func(t *testing.T, path string) {
			next := path + ".next"
			must(t, os.WriteFile(next, []byte("another file"), 0o644))
			must(t, os.Rename(next, path))
		},
		"deleted": func(t *testing.T, path string) { must(t, os.Remove(path)) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			source := large(t)
			before := readTensors(t, mount(t, source))
			path := mount(t, source)
			change(t, source)
			for i, want := range readTensors(t, path) {
				if !bytes.Equal(want, before[i]) {
					t.Errorf("tensor %d reads as other bytes", i)
				}
			}
		})
	}
}

func readTensors(t *testing.T, mount string) [][]byte {
	t.Helper()
	var tensors [][]byte
	for i := range 16 {
		tensors = append(tensors, readFile(t, tensorFile(mount, i)))
	}
	return tensors
}

func tensorFile(mount string, i int) string {
	return filepath.Join(mount, "raw", fmt.Sprintf("layer.%d.weight.bin", i))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
