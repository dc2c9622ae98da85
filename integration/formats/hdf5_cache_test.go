package formats

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestChunkCache reads eight chunked datasets of two shards at once, 512 MiB in all:
// one cache serves the whole mount, and its cap is that of the daemon's memory.
func TestChunkCache(t *testing.T) {
	const (
		datasets = 8
		size     = 64 << 20
		// 64 MiB of chunks, what is to be collected, and the requests.
		most = 224 << 20
	)
	dir := t.TempDir()
	harness.Python(t, harness.Keras, "write_cache.py", nil, nil, dir)
	m := harness.MountAt(t, filepath.Join(dir, "x.weights.json"), harness.Mountpoint(t))
	errs := make(chan error)
	for i := range datasets {
		go func() {
			errs <- readFilled(filepath.Join(m.Path, "raw", fmt.Sprintf("layers%%2Fdense_%d%%2Fvars%%2F0.bin", i)), byte(i), size)
		}()
	}
	for range datasets {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if used := harness.Memory(t, m.PID, "VmHWM"); used > most {
		t.Errorf("the daemon took %d MiB, want %d", used>>20, most>>20)
	}
}

// readFilled reads a file of int32 that are all the same.
func readFilled(path string, value byte, size int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, 1<<20)
	total := 0
	for {
		n, err := io.ReadFull(f, p)
		for i, b := range p[:n] {
			if want := value * byte((3-i%4)/3); b != want {
				return fmt.Errorf("%s: byte %d is %d, want %d", path, total+i, b, want)
			}
		}
		if total += n; err != nil {
			break
		}
	}
	if total != size {
		return fmt.Errorf("%s: %d bytes, want %d", path, total, size)
	}
	return nil
}
