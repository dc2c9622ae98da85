package fs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestComputed reads meta/SHA256SUMS of tensors that take much longer than a request may
// wait for its source, as those of a large model do. A reader that is killed ends, one that
// stays gets the sums, and a source that fails is EIO.
func TestComputed(t *testing.T) {
	const blocks, patience = 40, 300 * time.Millisecond
	var reads, fail atomic.Int64
	slow := faulty{zeros(blocks << 19), func(p []byte, off int64) (int, error) {
		reads.Add(1)
		time.Sleep(patience / 5)
		if fail.Load() > 0 {
			return 0, unix.EIO
		}
		return zeros(blocks<<19).ReadAt(p, off)
	}}
	path, _ := randomFile(t, 1<<20)
	server, dir := mount(t, treeOf(t, modelOf(open(t, path), tensor("slow", slow))), Options{Log: testLog(t), Patience: patience})
	sums := filepath.Join(dir, "meta/SHA256SUMS")
	info, err := os.Stat(sums)
	must(t, err)
	want := fmt.Sprintf("%x  raw/slow.bin\n", sha256.Sum256(make([]byte, blocks<<19)))
	if info.Size() != int64(len(want)) || reads.Load() != 0 {
		t.Errorf("stat says %d bytes, want %d; %d reads", info.Size(), len(want), reads.Load())
	}

	fail.Store(1)
	if _, err := os.ReadFile(sums); !errors.Is(err, unix.EIO) {
		t.Errorf("of a source that fails: %v", err)
	}
	fail.Store(0)
	cat := exec.Command("cat", sums)
	must(t, cat.Start())
	eventually(t, "the sums are computed", func() bool { return reads.Load() > 3 })
	must(t, cat.Process.Kill())
	within(t, 10*time.Second, "a reader that was killed", func() { cat.Wait() })
	for range 2 {
		if text, err := os.ReadFile(sums); err != nil || string(text) != want {
			t.Errorf("%q, %v", text, err)
		}
	}
	eventually(t, "nothing hangs", func() bool { return hung(server) == 0 })
	check := exec.Command("sha256sum", "--check", "meta/SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "raw/slow.bin: OK") {
		t.Errorf("sha256sum -c: %v\n%s", err, out)
	}
}
