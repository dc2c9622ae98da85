package stress

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestSparse mounts a sparse checkpoint of 6 GiB (a zip64 file) and reads all of it:
// every byte is right, and the daemon stays below 64 MiB throughout.
func TestSparse(t *testing.T) {
	const limit = 64 << 20
	source := filepath.Join(t.TempDir(), "sparse.pt")
	var marks map[string]struct {
		Size int64   `json:"size"`
		At   []int64 `json:"at"`
	}
	harness.Python(t, harness.Torch, "write_sparse.py", nil, &marks, source)
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	if rss := harness.Memory(t, m.PID, "VmHWM"); rss > limit {
		t.Errorf("the daemon has had %d MiB resident after mounting", rss>>20)
	}
	for key, mark := range marks {
		checkMarks(t, filepath.Join(m.Path, "raw", key+".bin"), mark.Size, mark.At)
	}
	view := filepath.Join(m.Path, "model.safetensors")
	if n := stream(t, view, func([]byte, int64) {}); n < 6<<30 {
		t.Errorf("the view has %d bytes", n)
	}
	var problems []string
	harness.Python(t, harness.Torch, "verify_sparse.py", nil, &problems, source, m.Path)
	for _, problem := range problems {
		t.Error(problem)
	}
	if rss := harness.Memory(t, m.PID, "VmHWM"); rss > limit {
		t.Errorf("the daemon has had %d MiB resident after streaming", rss>>20)
	}
}

// checkMarks checks that a file is zero but for the seven bytes at each mark.
func checkMarks(t *testing.T, path string, size int64, at []int64) {
	t.Helper()
	mark := []byte{1, 2, 3, 4, 5, 6, 7}
	zero := make([]byte, 1<<20)
	want := make([]byte, 1<<20)
	n := stream(t, path, func(got []byte, offset int64) {
		want = want[:len(got)]
		copy(want, zero)
		for _, start := range at {
			for i, b := range mark {
				if k := start + int64(i) - offset; k >= 0 && k < int64(len(want)) {
					want[k] = b
				}
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs between %d and %d", path, offset, offset+int64(len(got)))
		}
	})
	if n != size {
		t.Errorf("%s has %d bytes, want %d", path, n, size)
	}
}

// stream reads a file to its end, 1 MiB at a time.
func stream(t *testing.T, path string, each func(part []byte, offset int64)) int64 {
	t.Helper()
	file, err := os.Open(path)
	harness.Must(t, err)
	defer file.Close()
	buf := make([]byte, 1<<20)
	for offset := int64(0); ; {
		n, err := io.ReadFull(file, buf)
		each(buf[:n], offset)
		offset += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return offset
		}
		harness.Must(t, err)
	}
}

// TestMany mounts a file of 100 000 tensors.
func TestMany(t *testing.T) {
	const count = 100_000
	source := filepath.Join(t.TempDir(), "many.pt")
	harness.Python(t, harness.Torch, "write_many.py", nil, nil, source, "100000")
	path := harness.Mount(t, source)
	entries, err := os.ReadDir(filepath.Join(path, "tensors"))
	harness.Must(t, err)
	if len(entries) != count {
		t.Errorf("tensors/ has %d entries, want %d", len(entries), count)
	}
	var problems []string
	harness.Python(t, harness.Torch, "verify_many.py", nil, &problems, source, path)
	for _, problem := range problems {
		t.Error(problem)
	}
}
