package source

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSwapped has a file and a directory replaced by links that lead out, again and again,
// while they are opened.
func TestSwapped(t *testing.T) {
	top := write(t, map[string]string{
		"out/file": "secret", "out/dir/secret": "", "in/file": "good", "in/dir/good": "",
		"in/file.link": "-> ../out/file", "in/dir.link": "-> ../out/dir",
	})
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			for _, name := range []string{"in/file", "in/dir"} {
				select {
				case <-stop:
					return
				default:
				}
				path := filepath.Join(top, name)
				unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, path+".link", unix.RENAME_EXCHANGE)
			}
		}
	}()
	for way, open := range ways {
		dir, err := open(filepath.Join(top, "in"))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		good, refused := 0, 0
		for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
			if s, err := dir.Open("file"); err == nil {
				b := make([]byte, s.Size())
				if s.ReadAt(b, 0); string(b) != "good" {
					t.Fatalf("%s: the file reads as %q", way, b)
				}
				s.Close()
				good++
			} else {
				refused++
			}
			if list, err := dir.List("dir"); err == nil && len(list) > 0 && list[0].Name != "good" {
				t.Fatalf("%s: the directory lists %v", way, list)
			}
		}
		t.Logf("%s: opened %d times, refused %d times", way, good, refused)
	}
	close(stop)
	<-stopped
}

// TestLooking opens without openat2, as on a kernel that has none.
func TestLooking(t *testing.T) {
	top := write(t, map[string]string{"out": "x", "in/file": "good", "in/link": "-> file", "in/out": "-> ../out", "in/deep/x": ""})
	dir, err := OpenDir(filepath.Join(top, "in"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "link", "deep", "."} {
		fd, err := dir.openLooking(name, unix.O_RDONLY)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		unix.Close(fd)
	}
	for _, name := range []string{"out", "../out", ".."} {
		if _, err := dir.openLooking(name, unix.O_RDONLY); !errors.Is(err, ErrOutside) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
