package stress

import (
	"crypto/sha256"
	le "encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestPressure has 32 processes map a cold view of 128 MiB, each of four threads that
// fault in an order of their own, in a control group that has too little room for it.
// All end, and every tensor has the bytes that torch saved.
func TestPressure(t *testing.T) {
	const processes, tensors, room = 32, 32, 96 << 20 // a process needs 1 MiB of its own
	source := filepath.Join(t.TempDir(), "large.pt")
	var sums map[string]string
	harness.Python(t, harness.Torch, "write_large.py", nil, &sums, source, strconv.Itoa(tensors))
	if len(sums) != tensors {
		t.Fatalf("%d tensors were written", len(sums))
	}
	want, err := json.Marshal(sums)
	harness.Must(t, err)
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	group := harness.NewCgroup(t)
	if group == nil {
		t.Log("no control group can be made here: without memory pressure")
	}
	var all []*harness.Worker
	for i := range processes {
		w := harness.StartWorker(t, "map", filepath.Join(m.Path, "model.safetensors"), strconv.Itoa(i), string(want))
		if group != nil {
			group.Add(t, w.Process.Pid)
		}
		all = append(all, w)
	}
	if group != nil {
		group.Squeeze(t, room)
	}
	for _, w := range all {
		w.Begin()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i, w := range all {
			if _, err := w.End(); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		t.Fatal("the processes hang")
	}
}

func init() { harness.RegisterWorker("map", mapTensors) }

// mapTensors maps a view and compares the SHA-256 of its tensors.
// args: the view, the worker's number, and the sums as JSON.
func mapTensors(args []string) error {
	number, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var want map[string]string
	if err := json.Unmarshal([]byte(args[2]), &want); err != nil {
		return err
	}
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	flags := []int{syscall.MAP_PRIVATE, syscall.MAP_SHARED}[number%2]
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, flags)
	if err != nil {
		return err
	}
	defer syscall.Munmap(data)
	head := le.LittleEndian.Uint64(data)
	var header map[string]struct {
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:8+head], &header); err != nil {
		return err
	}
	delete(header, "__metadata__")
	if len(header) != len(want) {
		return fmt.Errorf("%d tensors, want %d", len(header), len(want))
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	const threads = 4
	keys := slices.Sorted(maps.Keys(header))
	for thread := range threads {
		group.Go(func() {
			for i := thread; i < len(keys); i += threads {
				key := keys[(i*(2*number+1)+number)%len(keys)] // len(keys) is a power of two
				at := header[key].Offsets
				sum := sha256.Sum256(data[8+head+at[0] : 8+head+at[1]])
				if hex.EncodeToString(sum[:]) != want[key] {
					mu.Lock()
					err = fmt.Errorf("%s has other bytes", key)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return err
}
