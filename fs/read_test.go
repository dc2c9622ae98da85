package fs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestRead reads at random offsets, with pread and through mappings of both kinds.
func TestRead(t *testing.T) {
	server, dir, _, b := standard(t)
	part := len(b) / 8
	for name, want := range map[string][]byte{
		"raw/layer.0.weight.bin": b[:part], "raw/layer.7.weight.bin": b[7*part:], "raw/tied.bin": b[:part], "sub/source.bin": b,
	} {
		f, err := os.Open(filepath.Join(dir, name))
		must(t, err)
		defer f.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			off, p := rng.IntN(len(want)+4096), make([]byte, rng.IntN(1<<18))
			n, err := f.ReadAt(p, int64(off))
			expect := want[min(off, len(want)):min(off+len(p), len(want))]
			if !bytes.Equal(p[:n], expect) || n < len(p) && err != io.EOF {
				t.Fatalf("%s: %d bytes at %d: got %d bytes, %v", name, len(p), off, n, err)
			}
		}
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			// All is read in the system call. A fault would be answered by this process, and a
			// collection that begins meanwhile waits for the thread in the fault, and has the
			// rest of the process wait for it.
			m, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, flags|unix.MAP_POPULATE)
			must(t, err)
			if !bytes.Equal(m, want) {
				t.Errorf("%s: other bytes through a mapping", name)
			}
			must(t, unix.Munmap(m))
		}
	}
	if s := server.Stats(); s.Bytes == 0 || s.Reads == 0 || s.Opens < 3 || s.Errors != 0 {
		t.Errorf("counters %+v", s)
	}
}

// TestDirect opens with O_DIRECT, as fastsafetensors does, and with the flags that
// programs like to add.
func TestDirect(t *testing.T) {
	_, dir, _, b := standard(t)
	buf := make([]byte, 3*4096)
	p := buf[4096-int(uintptr(unsafe.Pointer(&buf[0]))%4096):][:4096]
	for _, name := range []string{"raw/layer.0.weight.bin", "sub/source.bin"} {
		for _, flag := range []int{unix.O_DIRECT, unix.O_NOATIME, unix.O_NONBLOCK, unix.O_NOFOLLOW, unix.O_SYNC} {
			fd, err := unix.Open(filepath.Join(dir, name), unix.O_RDONLY|flag, 0)
			if err != nil {
				t.Errorf("%s: open with %#x: %v", name, flag, err)
				continue
			}
			for _, off := range []int64{0, 8192, 1<<20 - 4096} {
				if n, err := unix.Pread(fd, p, off); n != len(p) || err != nil || !bytes.Equal(p, b[off:off+4096]) {
					t.Errorf("%s with %#x at %d: %d bytes, %v", name, flag, off, n, err)
				}
			}
			must(t, unix.Close(fd))
		}
	}
}

// TestPassthrough reads a verbatim file, which the kernel may do without us: nothing
// is counted then, and everything is right in either case.
func TestPassthrough(t *testing.T) {
	server, dir, _, b := standard(t)
	first, err := os.Open(filepath.Join(dir, "sub/source.bin"))
	must(t, err)
	o := server.fs.files.get(server.fs.tree.Nodes[0].Dir.Dirs[inodeOfSub(server)].Dir.Files[0].Ino)
	if o == nil {
		t.Fatal("the file is not known to be open")
	}
	o.once.Do(func() { t.Error("the file is not prepared") })
	if o.backing == 0 {
		t.Log("passthrough is not possible here")
	}
	second, err := os.ReadFile(filepath.Join(dir, "sub/source.bin"))
	must(t, err)
	if !bytes.Equal(second, b) {
		t.Error("other bytes")
	}
	if reads := server.Stats().Reads; o.backing != 0 && reads != 0 {
		t.Errorf("%d reads came here", reads)
	}
	must(t, first.Close())
	eventually(t, "the file is released", func() bool { return openCount(server) == 0 })
	// Reopened after its last close it is registered anew.
	second, err = os.ReadFile(filepath.Join(dir, "sub/source.bin"))
	must(t, err)
	if !bytes.Equal(second, b) {
		t.Error("other bytes when opened again")
	}
}

func inodeOfSub(s *Server) int {
	for i, d := range s.fs.tree.Root.Dirs {
		if d.Name == "sub" {
			return i
		}
	}
	return -1
}

func openCount(s *Server) int {
	s.fs.files.mu.Lock()
	defer s.fs.files.mu.Unlock()
	return len(s.fs.files.open)
}
