package stress

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"wfs/integration/harness"
)

// TestParallel maps a cold view from many threads at once, each touching its pages in
// an order of its own, while others read with pread, list and stat.
func TestParallel(t *testing.T) {
	source := harness.Large(t)
	want := sha256.Sum256(harness.ReadFile(t, harness.Mount(t, source), "model.safetensors"))
	path := harness.Mount(t, source)
	view := filepath.Join(path, "model.safetensors")
	var group sync.WaitGroup
	for worker := range 32 {
		group.Go(func() {
			for range 3 {
				if got, err := mapped(view, worker); err != nil || got != want {
					t.Errorf("worker %d: other bytes, or %v", worker, err)
				}
				if _, err := os.ReadDir(filepath.Join(path, "tensors")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// mapped is the hash of a file that is read through a mapping, its pages first
// touched in an order that depends on the worker.
func mapped(path string, worker int) ([32]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return [32]byte{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return [32]byte{}, err
	}
	flags := syscall.MAP_PRIVATE
	if worker%2 == 0 {
		flags = syscall.MAP_SHARED
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, flags)
	if err != nil {
		return [32]byte{}, err
	}
	defer syscall.Munmap(data)
	harness.DropCache(file)
	var sum byte
	pages := len(data) / 4096
	for i := range pages / 16 {
		sum ^= data[(i*(2*worker+12_345)+worker*7)%pages*4096]
	}
	hash := sha256.Sum256(data)
	_ = sum
	return hash, nil
}
