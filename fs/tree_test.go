package fs

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// TestStat checks what stat says, and that it says the same after a remount.
func TestStat(t *testing.T) {
	path, b := randomFile(t, 1<<20)
	src := open(t, path)
	model := func() *checkpoint.Model { return modelOf(src, ranges(src, 8)...) }
	opt := Options{UID: 12, GID: 34, Umask: 0o027}
	_, first := mount(t, treeOf(t, model()), opt)
	_, second := mount(t, treeOf(t, model()), opt)
	count := 0
	must(t, filepath.WalkDir(first, func(path string, _ iofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var a, b unix.Stat_t
		must(t, unix.Lstat(path, &a))
		must(t, unix.Lstat(second+strings.TrimPrefix(path, first), &b))
		a.Dev = b.Dev
		if a != b {
			t.Errorf("%s: %+v, and after a remount %+v", path, a, b)
		}
		want := uint32(unix.S_IFREG | 0o440)
		if a.Mode&unix.S_IFMT == unix.S_IFDIR {
			want = unix.S_IFDIR | 0o550
		}
		if a.Mode != want || a.Uid != 12 || a.Gid != 34 || a.Mtim.Nano() != src.ModTime().UnixNano() {
			t.Errorf("%s: mode %o, owner %d:%d, mtime %v", path, a.Mode, a.Uid, a.Gid, a.Mtim)
		}
		count++
		return nil
	}))
	if count < 30 {
		t.Errorf("the tree has %d files", count)
	}
	var one, tied, deep, raw unix.Stat_t
	must(t, unix.Stat(filepath.Join(first, "tensors/layer.0.weight.npy"), &one))
	must(t, unix.Stat(filepath.Join(first, "tensors/tied.npy"), &tied))
	must(t, unix.Stat(filepath.Join(first, "tree/layer/0/weight.npy"), &deep))
	must(t, unix.Stat(filepath.Join(first, "raw/layer.0.weight.bin"), &raw))
	if one.Ino != tied.Ino || one.Ino != deep.Ino || one.Nlink != 4 || raw.Ino == one.Ino || raw.Nlink != 2 {
		t.Errorf("inodes %d %d %d with %d links, %d with %d", one.Ino, tied.Ino, deep.Ino, one.Nlink, raw.Ino, raw.Nlink)
	}
	if raw.Size != int64(len(b)/8) || raw.Blocks != 0 {
		t.Errorf("raw has %d bytes, %d blocks", raw.Size, raw.Blocks)
	}
}

// TestNames checks names that are not there, and paths that are none.
func TestNames(t *testing.T) {
	_, dir, _, _ := standard(t)
	for name, want := range map[string]error{
		"missing": unix.ENOENT, "raw/missing": unix.ENOENT, "raw/.bin": unix.ENOENT, "raw/layer.0.weight": unix.ENOENT,
		"raw/layer.0.weight.bin.bin": unix.ENOENT, "model.safetensors/x": unix.ENOTDIR, "TENSORS": unix.ENOENT,
		strings.Repeat("x", 255): unix.ENOENT, strings.Repeat("x", 256): unix.ENAMETOOLONG, "raw/../../" + filepath.Base(dir) + "x": unix.ENOENT,
	} {
		for range 2 { // the second time from the kernel's cache
			if _, err := os.Stat(dir + "/" + name); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	if _, err := os.Stat(dir + "/tree/layer/../../raw/./tied.bin"); err != nil {
		t.Error(err)
	}
	if unix.Access(dir+"/model.safetensors", unix.X_OK) == nil || unix.Access(dir+"/model.safetensors", unix.R_OK) != nil {
		t.Error("a file is said to be executable, or not to be readable")
	}
	if err := unix.Access(dir+"/raw", unix.R_OK|unix.X_OK); err != nil {
		t.Errorf("access to a directory: %v", err)
	}
	if err := unix.Access(dir+"/raw", unix.W_OK); err != unix.EROFS {
		t.Errorf("write access: %v", err)
	}
}

// TestReadOnly tries everything that changes something.
func TestReadOnly(t *testing.T) {
	_, dir, _, _ := standard(t)
	file, sub, fresh := dir+"/model.safetensors", dir+"/raw", dir+"/new"
	openFor := func(path string, flags int) error {
		fd, err := unix.Open(path, flags, 0o644)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	for name, err := range map[string]error{
		"open O_WRONLY":               openFor(file, unix.O_WRONLY),
		"open O_RDWR":                 openFor(file, unix.O_RDWR),
		"open O_RDWR verbatim":        openFor(dir+"/sub/source.bin", unix.O_RDWR),
		"open O_RDONLY|O_TRUNC":       openFor(file, unix.O_RDONLY|unix.O_TRUNC),
		"open O_APPEND":               openFor(file, unix.O_WRONLY|unix.O_APPEND),
		"open O_CREAT":                openFor(fresh, unix.O_WRONLY|unix.O_CREAT),
		"open O_CREAT|O_RDONLY":       openFor(fresh, unix.O_RDONLY|unix.O_CREAT),
		"open O_TMPFILE":              openFor(dir, unix.O_RDWR|unix.O_TMPFILE),
		"truncate":                    unix.Truncate(file, 0),
		"chmod":                       unix.Chmod(file, 0o777),
		"chown":                       unix.Chown(file, 1, 1),
		"utimes":                      unix.Utimes(file, []unix.Timeval{{}, {}}),
		"mkdir":                       unix.Mkdir(fresh, 0o755),
		"mkdir below":                 unix.Mkdir(sub+"/new", 0o755),
		"mknod":                       unix.Mknod(fresh, unix.S_IFREG|0o644, 0),
		"mkfifo":                      unix.Mkfifo(fresh, 0o644),
		"symlink":                     unix.Symlink("x", fresh),
		"link":                        unix.Link(file, fresh),
		"unlink":                      unix.Unlink(file),
		"rmdir":                       unix.Rmdir(sub),
		"rename":                      unix.Rename(file, fresh),
		"rename of a directory":       unix.Rename(sub, fresh),
		"setxattr":                    unix.Setxattr(file, "user.x", []byte("x"), 0),
		"removexattr":                 unix.Removexattr(file, "user.wfs.key"),
		"rename with RENAME_EXCHANGE": unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, dir+"/sub", unix.RENAME_EXCHANGE),
	} {
		if err != unix.EROFS {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	for name, err := range map[string]error{
		"write":     second(unix.Write(int(f.Fd()), []byte("x"))),
		"ftruncate": unix.Ftruncate(int(f.Fd()), 0),
		"fallocate": unix.Fallocate(int(f.Fd()), 0, 0, 1),
	} {
		if err == nil {
			t.Errorf("%s on a file that is open for reading works", name)
		}
	}
	if _, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		t.Error("a file can be mapped for writing")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Errorf("flock: %v", err) // tar, rsync and loaders take shared locks
	}
}

func second(_ int, err error) error { return err }

// TestMany lists 50 000 files, whole and in pieces.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const count = 50_000
	path, b := randomFile(t, 1<<20)
	src := open(t, path)
	var tensors []*checkpoint.Tensor
	for i := range count {
		tensors = append(tensors, tensor(fmt.Sprintf("t.%d", i), &segment.Range{Src: src, Off: int64(i), N: 16}))
	}
	_, dir := mount(t, treeOf(t, modelOf(src, tensors...)), Options{})
	raw := filepath.Join(dir, "raw")
	for range 2 { // the second listing comes from the kernel's cache
		f, err := os.Open(raw)
		must(t, err)
		seen := map[string]bool{}
		for {
			names, err := f.Readdirnames(777)
			for _, n := range names {
				if seen[n] {
					t.Fatalf("%s is listed twice", n)
				}
				seen[n] = true
			}
			if err != nil {
				break
			}
		}
		must(t, f.Close())
		if len(seen) != count {
			t.Fatalf("%d names, want %d", len(seen), count)
		}
	}
	infos, err := os.ReadDir(raw)
	must(t, err)
	for _, i := range []int{0, 1, 999, 31_337, count - 1} {
		info, err := infos[i].Info()
		must(t, err)
		if info.Size() != 16 || info.Sys() == nil {
			t.Errorf("%s has %d bytes", info.Name(), info.Size())
		}
	}
	got, err := os.ReadFile(filepath.Join(raw, "t.49999.bin"))
	if err != nil || !bytes.Equal(got, b[49_999:][:16]) {
		t.Errorf("the last tensor: % x, %v", got, err)
	}
}

// TestDots checks that "." and ".." are listed, with the inodes they have.
func TestDots(t *testing.T) {
	_, dir, _, _ := standard(t)
	fd, err := unix.Open(filepath.Join(dir, "tree/layer"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(fd)
	buf := make([]byte, 1<<16)
	n, err := unix.Getdents(fd, buf)
	must(t, err)
	if !bytes.Contains(buf[:n], []byte("\x04.\x00")) || !bytes.Contains(buf[:n], []byte("\x04..\x00")) {
		t.Errorf("no dots in % x", buf[:n])
	}
	if off, err := unix.Seek(fd, 1<<62, 0); err == nil {
		if n, err := unix.Getdents(fd, buf); n != 0 {
			t.Errorf("%d bytes at position %d, %v", n, off, err)
		}
	}
}

func TestXAttr(t *testing.T) {
	path, _ := randomFile(t, 4096)
	src := open(t, path)
	for _, shown := range []bool{false, true} {
		_, dir := mount(t, treeOf(t, modelOf(src, ranges(src, 2)...)), Options{XAttr: shown})
		file := filepath.Join(dir, "raw/layer.1.weight.bin")
		buf := make([]byte, 256)
		n, err := unix.Getxattr(file, "user.wfs.shape", buf)
		if !shown {
			if err != unix.ENOTSUP {
				t.Errorf("without --xattr: %v, want ENOTSUP", err)
			}
			continue
		}
		if err != nil || string(buf[:n]) != "2048" {
			t.Errorf("shape %q, %v", buf[:max(n, 0)], err)
		}
		if n, err := unix.Getxattr(file, "user.wfs.key", nil); n != len("layer.1.weight") || err != nil {
			t.Errorf("size of the key: %d, %v", n, err)
		}
		if _, err := unix.Getxattr(file, "user.wfs.key", buf[:3]); err != unix.ERANGE {
			t.Errorf("a buffer that is too small: %v", err)
		}
		n, err = unix.Listxattr(file, buf)
		if want := "user.wfs.dtype\x00user.wfs.key\x00user.wfs.shape\x00"; err != nil || string(buf[:n]) != want {
			t.Errorf("names %q, %v", buf[:max(n, 0)], err)
		}
		if _, err := unix.Getxattr(file, "user.other", buf); err != unix.ENODATA {
			t.Errorf("another name: %v", err)
		}
		if n, err := unix.Listxattr(filepath.Join(dir, "sub/source.bin"), buf); n != 0 || err != nil {
			t.Errorf("a file that is not a tensor: %d, %v", n, err)
		}
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not within 30 s: %s", what)
			return
		}
	}
}
