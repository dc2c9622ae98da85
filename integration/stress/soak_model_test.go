package stress

import (
	"bytes"
	le "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"wfs/integration/harness"
)

// soakModel is a source, and what the libraries say that a mount of it holds.
type soakModel struct {
	Name, Source string
	Files        map[string]string            // name in the mount: the file with its bytes
	Tensors      map[string]map[string]string // view: key: the file with its bytes
	harness.Mounted
}

// target is a file of a mount and its bytes.
type target struct {
	path string
	want []byte
}

func (m *soakModel) targets(t testing.TB) []*target {
	t.Helper()
	var all []*target
	for name, expected := range m.Files {
		all = append(all, &target{filepath.Join(m.Path, name), harness.ReadFile(t, expected)})
	}
	for name, tensors := range m.Tensors {
		all = append(all, m.view(t, name, tensors))
	}
	return all
}

// view builds the bytes of a synthesized view: its own header, and the tensors at the
// places that the header gives them, which leave no gap.
func (m *soakModel) view(t testing.TB, name string, tensors map[string]string) *target {
	t.Helper()
	path := filepath.Join(m.Path, name)
	got := harness.ReadFile(t, path)
	head := 8 + le.LittleEndian.Uint64(got)
	var header map[string]struct {
		Offsets [2]uint64 `json:"data_offsets"`
	}
	harness.Must(t, json.Unmarshal(got[8:head], &header))
	delete(header, "__metadata__")
	if len(header) != len(tensors) {
		t.Fatalf("%s has %d tensors, want %d", path, len(header), len(tensors))
	}
	want := bytes.Clone(got[:head])
	total := head
	for key, expected := range tensors {
		b := harness.ReadFile(t, expected)
		at := header[key].Offsets
		if at[1]-at[0] != uint64(len(b)) {
			t.Fatalf("%s: %s has %d bytes, want %d", path, key, at[1]-at[0], len(b))
		}
		if end := int(head + at[1]); len(want) < end {
			want = append(want, make([]byte, end-len(want))...)
		}
		copy(want[head+at[0]:], b)
		total += uint64(len(b))
	}
	if total != uint64(len(want)) || len(want) != len(got) {
		t.Fatalf("%s has %d bytes, want %d without a gap", path, len(got), total)
	}
	return &target{path, want}
}

// uses are the ways in which a file is used. Each returns how many bytes it compared.
var uses = []struct {
	name string
	do   func(*target, *rand.Rand) (int, error)
}{
	{"pread", pread}, {"pread", pread}, {"mmap", mapRandom}, {"read", readWhole}, {"O_DIRECT", readDirect}, {"stat", statTarget}, {"listing", listTarget},
}

func pread(at *target, rng *rand.Rand) (n int, err error) {
	file, err := os.Open(at.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if rng.IntN(4) == 0 {
		harness.DropCache(file)
	}
	buf := make([]byte, 1<<rng.IntN(20))
	for range 1 + rng.IntN(20) {
		off := rng.Int64N(int64(len(at.want)) + 5000)
		part := buf[:1+rng.IntN(len(buf))]
		got, err := file.ReadAt(part, off)
		if err != nil && err != io.EOF {
			return n, err
		}
		lo, hi := min(int(off), len(at.want)), min(int(off)+len(part), len(at.want))
		if !bytes.Equal(part[:got], at.want[lo:hi]) {
			return n, fmt.Errorf("other bytes: %d at %d", len(part), off)
		}
		n += got
	}
	return n, nil
}

func mapRandom(at *target, rng *rand.Rand) (n int, err error) {
	file, err := os.Open(at.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if rng.IntN(3) == 0 {
		harness.DropCache(file)
	}
	flags := []int{syscall.MAP_PRIVATE, syscall.MAP_SHARED, syscall.MAP_PRIVATE | syscall.MAP_POPULATE}[rng.IntN(3)]
	data, err := syscall.Mmap(int(file.Fd()), 0, len(at.want), syscall.PROT_READ, flags)
	if err != nil {
		return 0, err
	}
	defer syscall.Munmap(data)
	for range 1 + rng.IntN(20) {
		lo := rng.IntN(len(data))
		hi := min(lo+rng.IntN(1<<18), len(data))
		if !bytes.Equal(data[lo:hi], at.want[lo:hi]) {
			return n, fmt.Errorf("other bytes between %d and %d", lo, hi)
		}
		n += hi - lo
	}
	return n, nil
}

func readWhole(at *target, _ *rand.Rand) (int, error) {
	got, err := os.ReadFile(at.path)
	if err == nil && !bytes.Equal(got, at.want) {
		err = fmt.Errorf("other bytes, %d of them, want %d", len(got), len(at.want))
	}
	return len(got), err
}

func readDirect(at *target, rng *rand.Rand) (int, error) {
	fd, err := syscall.Open(at.path, syscall.O_RDONLY|syscall.O_DIRECT|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	const block = 4096
	space := make([]byte, 33*block)
	buf := space[block-int(uintptr(unsafe.Pointer(&space[0]))%block):][:32*block]
	off := rng.Int64N(int64(len(at.want))) / block * block
	n, err := syscall.Pread(fd, buf, off)
	if err != nil {
		return 0, err
	}
	if want := at.want[off:min(int(off)+len(buf), len(at.want))]; !bytes.Equal(buf[:n], want) {
		return n, fmt.Errorf("other bytes: %d at %d", n, off)
	}
	return n, nil
}

func statTarget(at *target, _ *rand.Rand) (int, error) {
	info, err := os.Stat(at.path)
	if err == nil && info.Size() != int64(len(at.want)) {
		err = fmt.Errorf("%d bytes, want %d", info.Size(), len(at.want))
	}
	return 0, err
}

func listTarget(at *target, _ *rand.Rand) (int, error) {
	entries, err := os.ReadDir(filepath.Dir(at.path))
	for _, e := range entries {
		if e.Name() == filepath.Base(at.path) {
			return 0, err
		}
	}
	if err == nil {
		err = fmt.Errorf("it is not listed among %d", len(entries))
	}
	return 0, err
}
