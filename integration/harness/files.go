package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Must fails the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ReadFile reads a file or fails the test.
func ReadFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(fmt.Errorf("reading: %w", err))
	}
	return b
}

// ReadAll reads every file of a mount. A file gives its bytes, as many as it is long, or
// EIO.
func ReadAll(t testing.TB, mount string) {
	t.Helper()
	err := filepath.WalkDir(mount, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			if errors.Is(err, syscall.EIO) {
				return nil
			}
			return err
		}
		defer file.Close()
		n, err := io.Copy(io.Discard, file)
		if err == nil && n != info.Size() {
			t.Errorf("%s has %d bytes, and reads as %d", path, info.Size(), n)
		}
		if errors.Is(err, syscall.EIO) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Files is the regular files below a directory and their sizes.
func Files(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		found[name] = info.Size()
		return err
	})
	Must(t, err)
	return found
}

// DropCache drops the pages that the kernel keeps of a file.
func DropCache(file *os.File) {
	const dontNeed = 4
	syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, dontNeed, 0, 0)
}

// Evict is [DropCache] for a file that is not open.
func Evict(t testing.TB, path string) {
	t.Helper()
	file, err := os.Open(path)
	Must(t, err)
	defer file.Close()
	DropCache(file)
}

// CheckText waits for a file, a log say, to have all of words.
func CheckText(t testing.TB, path string, words ...string) {
	t.Helper()
	var text []byte
	if !Eventually(30*time.Second, func() bool {
		text, _ = os.ReadFile(path)
		for _, word := range words {
			if !bytes.Contains(text, []byte(word)) {
				return false
			}
		}
		return true
	}) {
		t.Errorf("%s does not say all of %q:\n%s", filepath.Base(path), words, text)
	}
}
