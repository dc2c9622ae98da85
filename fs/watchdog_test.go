package fs

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
)

// hungMount has a good tensor and one that hangs while on is set.
func hungMount(t *testing.T, wait time.Duration, size int64) (server *Server, dir string, on *atomic.Bool, release func(), log *lines) {
	t.Helper()
	path, _ := randomFile(t, 1<<20)
	good, other := open(t, path), open(t, path)
	on = &atomic.Bool{}
	until := make(chan struct{})
	release = sync.OnceFunc(func() { on.Store(false); close(until) })
	large := faulty{zeros(size), func(p []byte, off int64) (int, error) {
		if on.Load() {
			<-until
		}
		return zeros(size).ReadAt(p, off)
	}}
	m := modelOf(other, tensor("slow", large))
	m.Sets = append(m.Sets, modelOf(good, tensor("good", &segment.Range{Src: good, N: good.Size()})).Sets...)
	m.Sets[1].Dir, m.Files = "second", nil
	log = &lines{}
	server, dir = mount(t, treeOf(t, m), Options{Log: log.logger(), Patience: wait})
	t.Cleanup(func() {
		release()
		eventually(t, "the requests that hung have ended", func() bool { return hung(server) == 0 })
	})
	return server, dir, on, release, log
}

// hung is how many requests were given up and hang in a source.
func hung(s *Server) (n int) {
	s.fs.waits.mu.Lock()
	defer s.fs.waits.mu.Unlock()
	for _, k := range s.fs.waits.hung {
		n += k
	}
	return n
}

// zeros is n zeros.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), int64(z)-off)
	clear(p[:max(n, 0)])
	if n < int64(len(p)) {
		return int(max(n, 0)), io.EOF
	}
	return int(n), nil
}

// TestHung has a hundred readers at a source that hangs, which fills the kernel's queue
// for read-ahead: each gets EIO, other files go on, and when the source is back so is
// the file.
func TestHung(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const size, readers = 256 << 20, 100
	server, dir, on, release, log := hungMount(t, 3*time.Second, size)
	slow := filepath.Join(dir, "raw/slow.bin")
	on.Store(true)
	var group sync.WaitGroup
	for i := range readers {
		group.Go(func() {
			f, err := os.Open(slow)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if n, err := f.ReadAt(make([]byte, 1<<20), int64(i)*size/readers); !errors.Is(err, unix.EIO) {
				t.Errorf("%d bytes, %v; want EIO", n, err)
			}
		})
	}
	within(t, 2*time.Minute, "the readers of a source that hangs", group.Wait)
	within(t, time.Minute, "the reader of another file", func() {
		if _, err := os.ReadFile(filepath.Join(dir, "raw/second/good.bin")); err != nil {
			t.Error(err)
		}
	})
	if n := log.count(); n != 1 || !strings.Contains(log.String(), "does not answer") {
		t.Errorf("%d log lines, want one:\n%s", n, log)
	}
	release()
	eventually(t, "the requests that hung have ended", func() bool { return hung(server) == 0 })
	f, err := os.Open(slow)
	must(t, err)
	defer f.Close()
	if n, err := f.ReadAt(make([]byte, 1<<20), 1<<20); n != 1<<20 || err != nil {
		t.Errorf("after the source is back: %d bytes, %v", n, err)
	}
}

// TestHungOpen has a source that hangs when a file is opened; nothing stays open.
func TestHungOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	path, _ := randomFile(t, 1<<20)
	src := open(t, path)
	slow := hanging{&segment.Range{Src: src, N: 1 << 20}, &atomic.Bool{}, make(chan struct{}, 100), make(chan struct{})}
	server, dir := mount(t, treeOf(t, modelOf(src, tensor("slow", slow))), Options{Log: testLog(t), Patience: 2 * time.Second})
	npy := filepath.Join(dir, "tensors/slow.npy")
	_, err := os.Stat(npy)
	must(t, err)
	slow.on.Store(true)
	for range 3 {
		if _, err := os.Open(npy); !errors.Is(err, unix.EIO) {
			t.Errorf("open: %v; want EIO", err)
		}
	}
	slow.on.Store(false)
	close(slow.until)
	eventually(t, "nothing is open", func() bool { return openCount(server) == 0 })
	if _, err := os.ReadFile(npy); err != nil {
		t.Error(err)
	}
}

// TestKilledReader kills processes that read from a source that hangs, by read-ahead,
// by O_DIRECT and through a mapping: they end, although the source does not.
func TestKilledReader(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	_, dir, on, _, _ := hungMount(t, time.Hour, 64<<20)
	slow := filepath.Join(dir, "raw/slow.bin")
	on.Store(true)
	for name, args := range map[string][]string{
		"read":   {"dd", "if=" + slow, "of=/dev/null", "bs=1M"},
		"direct": {"dd", "if=" + slow, "of=/dev/null", "bs=64K", "count=1", "iflag=direct"},
		"random": {"dd", "if=" + slow, "of=/dev/null", "bs=4K", "count=1", "skip=3000"},
	} {
		for _, signal := range []os.Signal{unix.SIGKILL, unix.SIGTERM} {
			cmd := exec.Command(args[0], args[1:]...)
			must(t, cmd.Start())
			time.Sleep(200 * time.Millisecond) // it reads by now; if not, it ends the sooner
			must(t, cmd.Process.Signal(signal))
			within(t, 20*time.Second, name+" after "+signal.String(), func() {
				if err := cmd.Wait(); err == nil {
					t.Errorf("%s: it has read from a source that hangs", name)
				}
			})
		}
	}
}

// TestHungUnmount detaches a mount whose source hangs, and kills the reader: the server
// ends without the source.
func TestHungUnmount(t *testing.T) {
	s, dir, on, _, _ := hungMount(t, time.Hour, 64<<20)
	on.Store(true)
	cmd := exec.Command("dd", "if="+filepath.Join(dir, "raw/slow.bin"), "of=/dev/null", "bs=1M")
	must(t, cmd.Start())
	eventually(t, "the reader waits", func() bool { return openCount(s) > 0 })
	must(t, s.Unmount(true))
	must(t, cmd.Process.Kill())
	within(t, 20*time.Second, "the reader", func() { cmd.Wait() })
	within(t, 20*time.Second, "the server", func() { <-s.Done() })
}

// within fails the test when f takes longer.
func within(t testing.TB, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s: not within %v", what, limit)
	}
}
