package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			path := mount(t, source) // cold
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
			if failed == 0 && name != "grown" {
				t.Error("no read failed")
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
