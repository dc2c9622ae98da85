package fs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inMemory is how much of a file lies in the page cache.
func inMemory(t *testing.T, f *os.File) int64 {
	t.Helper()
	var there unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &there, 0); err != nil {
		t.Skip("the kernel does not say what it has cached: ", err)
	}
	return int64(there.Cache) * pageSize
}

// set has room answer so.
func (m *memory) set(room int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free, m.at = room, time.Now().Add(time.Hour)
}

// evict takes a file out of the page cache.
func evict(t *testing.T, f *os.File) {
	t.Helper()
	must(t, f.Sync())
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		if inMemory(t, f) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Skip("the file stays in memory: its file system has no other place for it")
		}
	}
}

// TestBehind reads a view where source and view do not both fit: the source's pages are
// dropped, but for those that were there before. Where both fit, all stay.
func TestBehind(t *testing.T) {
	const size, kept = 64 << 20, 16 << 20
	for _, room := range []int64{size * 3 / 2, size * 10} {
		path, b := randomFile(t, size)
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		evict(t, f)
		_, err = f.ReadAt(make([]byte, kept), 0) // somebody reads this part
		must(t, err)
		before := inMemory(t, f)
		src := open(t, path)
		server, dir := mount(t, treeOf(t, modelOf(src, ranges(src, 4)...)), Options{Log: testLog(t)})
		server.fs.memory.set(room)
		got, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
		must(t, err)
		if !bytes.Contains(got, b) {
			t.Error("the view has other bytes")
		}
		if room > 2*size {
			time.Sleep(100 * time.Millisecond)
			if n := inMemory(t, f); n < size*9/10 {
				t.Errorf("%d bytes stay in memory where all fit", n)
			}
			continue
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			n := inMemory(t, f)
			if n >= kept && n <= before+size/8 {
				break
			}
			if time.Now().After(end) {
				t.Errorf("%d bytes of the source are in memory; %d were before", n, before)
				break
			}
		}
	}
}
