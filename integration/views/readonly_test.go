package views

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/integration/harness"
)

// TestReadOnly tries every call that changes something, and every way to read, as root
// on root's mount and as an ordinary user on one of his own. The cases are those of
// pjdfstest and fsx that a read-only file system has.
func TestReadOnly(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		path := harness.Mount(t, harness.Large(t))
		w := harness.StartWorker(t, "readonly", path, t.TempDir())
		w.Begin()
		if _, err := w.End(); err != nil {
			t.Error(err)
		}
	})
	t.Run("user", func(t *testing.T) {
		harness.OpenDevice(t)
		dir := harness.Dir(t, "readonly")
		harness.Must(t, os.Chmod(dir, 0o777))
		source, mountpoint := filepath.Join(dir, "model.pt"), filepath.Join(dir, "mnt")
		harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Large(t)), 0o644))
		t.Cleanup(func() { harness.Unmount(t, mountpoint) })
		if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "mount", source, mountpoint)); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
		scratch := filepath.Join(dir, "scratch")
		harness.Must(t, os.Mkdir(scratch, 0o777))
		harness.Must(t, os.Chmod(scratch, 0o777))
		w := harness.StartWorkerAsNobody(t, "readonly", mountpoint, scratch)
		w.Begin()
		if _, err := w.End(); err != nil {
			t.Error(err)
		}
	})
}

func init() { harness.RegisterWorker("readonly", checkReadOnly) }

// checkReadOnly runs all cases. args: a mount, and a directory for scratch files.
func checkReadOnly(args []string) error {
	root, scratch := args[0], args[1]
	file := filepath.Join(root, "model.safetensors")
	want, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(want) < 8192 {
		return fmt.Errorf("%s has %d bytes: too few", file, len(want))
	}
	c := &readOnlyCases{root: root, file: file, scratch: scratch, want: want}
	c.changes()
	c.descriptor()
	c.paths()
	c.ways()
	c.seeks()
	c.directory()
	c.locks()
	return errors.Join(c.errs...)
}

type readOnlyCases struct {
	root, file, scratch string
	want                []byte
	errs                []error
	count               int
}

func (c *readOnlyCases) failf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// is checks the error of a call.
func (c *readOnlyCases) is(name string, err error, want ...error) {
	c.count++
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	c.failf("%s: %v, want %v", name, err, want)
}

func openWith(path string, flags int) error {
	fd, err := unix.Open(path, flags, 0o644)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// changes are calls that name a file.
func (c *readOnlyCases) changes() {
	dir, fresh, sub := c.root, filepath.Join(c.root, "new"), filepath.Join(c.root, "raw")
	times := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	for name, err := range map[string]error{
		"open O_WRONLY": openWith(c.file, unix.O_WRONLY), "open O_RDWR": openWith(c.file, unix.O_RDWR),
		"open O_TRUNC": openWith(c.file, unix.O_RDONLY|unix.O_TRUNC), "open O_APPEND": openWith(c.file, unix.O_WRONLY|unix.O_APPEND),
		"open O_CREAT": openWith(fresh, unix.O_RDONLY|unix.O_CREAT), "open O_CREAT|O_EXCL": openWith(fresh, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL),
		"open O_TMPFILE": openWith(dir, unix.O_RDWR|unix.O_TMPFILE),
		"mkdir":          unix.Mkdir(fresh, 0o755), "mkdir in raw": unix.Mkdir(sub+"/new", 0o755), "rmdir": unix.Rmdir(sub),
		"unlink": unix.Unlink(c.file), "link": unix.Link(c.file, fresh), "symlink": unix.Symlink("x", fresh),
		"mknod": unix.Mknod(fresh, unix.S_IFREG|0o644, 0), "mkfifo": unix.Mkfifo(fresh, 0o644),
		"rename": unix.Rename(c.file, fresh), "rename a directory": unix.Rename(sub, fresh),
		"renameat2 NOREPLACE": unix.Renameat2(unix.AT_FDCWD, c.file, unix.AT_FDCWD, fresh, unix.RENAME_NOREPLACE),
		"renameat2 EXCHANGE":  unix.Renameat2(unix.AT_FDCWD, c.file, unix.AT_FDCWD, sub, unix.RENAME_EXCHANGE),
		"chmod":               unix.Chmod(c.file, 0o777), "chmod a directory": unix.Chmod(sub, 0o777),
		"chown": unix.Chown(c.file, os.Getuid(), os.Getgid()), "lchown": unix.Lchown(c.file, -1, -1),
		"utimensat": unix.UtimesNanoAt(unix.AT_FDCWD, c.file, times, 0), "truncate": unix.Truncate(c.file, 0), "truncate longer": unix.Truncate(c.file, 1<<40),
		"setxattr": unix.Setxattr(c.file, "user.x", []byte("x"), 0), "removexattr": unix.Removexattr(c.file, "user.x"),
		"access W_OK": unix.Access(c.file, unix.W_OK), "access W_OK of a directory": unix.Access(sub, unix.W_OK),
	} {
		c.is(name, err, unix.EROFS)
	}
	c.is("rename over the boundary", unix.Rename(c.file, filepath.Join(c.scratch, "x")), unix.EXDEV)
	c.is("link over the boundary", unix.Link(c.file, filepath.Join(c.scratch, "x")), unix.EXDEV)
	c.is("access R_OK", unix.Access(c.file, unix.R_OK), nil)
	c.is("access X_OK", unix.Access(c.file, unix.X_OK), unix.EACCES)
	c.is("access X_OK of a directory", unix.Access(sub, unix.X_OK|unix.R_OK), nil)
	c.is("execve", exec.Command(c.file).Run(), unix.EACCES)
	if now, err := os.ReadFile(c.file); err != nil || string(now) != string(c.want) {
		c.failf("the file is another after all that: %v", err)
	}
}

// descriptor are changes through a descriptor that is open for reading.
func (c *readOnlyCases) descriptor() {
	f, err := os.Open(c.file)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer f.Close()
	fd := int(f.Fd())
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer src.Close()
	_, write := unix.Write(fd, []byte("x"))
	_, pwrite := unix.Pwrite(fd, []byte("x"), 0)
	_, sendfile := unix.Sendfile(fd, int(src.Fd()), nil, 10)
	_, clone := unix.CopyFileRange(int(src.Fd()), nil, fd, nil, 10, 0)
	for name, err := range map[string]error{
		"write": write, "pwrite": pwrite, "sendfile to it": sendfile, "copy_file_range to it": clone,
		"ftruncate": unix.Ftruncate(fd, 0), "fallocate": unix.Fallocate(fd, 0, 0, 1), "punch a hole": unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096),
	} {
		c.is(name, err, unix.EBADF, unix.EINVAL)
	}
	for name, err := range map[string]error{
		"fchmod": unix.Fchmod(fd, 0o777), "fchown": unix.Fchown(fd, os.Getuid(), os.Getgid()),
		"futimes": unix.Futimes(fd, []unix.Timeval{{Sec: 1}, {Sec: 1}}), "fsetxattr": unix.Fsetxattr(fd, "user.x", []byte("x"), 0),
	} {
		c.is(name, err, unix.EROFS)
	}
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	c.is("mmap PROT_WRITE, MAP_SHARED", err, unix.EACCES)
	m, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	c.is("mmap PROT_WRITE, MAP_PRIVATE", err, nil)
	if err == nil {
		m[0]++ // a copy
		if m[1] != c.want[1] {
			c.failf("other bytes in a private mapping")
		}
		unix.Munmap(m)
	}
	m, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	c.is("mmap PROT_READ, MAP_SHARED", err, nil)
	if err == nil {
		c.is("mprotect PROT_WRITE", unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE), unix.EACCES)
		unix.Munmap(m)
	}
	c.is("fsync", unix.Fsync(fd), nil)
	c.is("fdatasync", unix.Fdatasync(fd), nil)
}

// paths are names that are wrong.
func (c *readOnlyCases) paths() {
	var st unix.Stat_t
	for name, want := range map[string]error{
		"missing": unix.ENOENT, "raw/missing": unix.ENOENT, "missing/x": unix.ENOENT, "model.safetensors/x": unix.ENOTDIR, "model.safetensors/": unix.ENOTDIR,
		strings.Repeat("x", 255): unix.ENOENT, strings.Repeat("x", 256): unix.ENAMETOOLONG, strings.Repeat("raw/../", 600): unix.ENAMETOOLONG,
		"raw/..": nil, "raw/./": nil, "raw//": nil,
	} {
		c.is("stat "+name[:min(len(name), 40)], unix.Stat(c.root+"/"+name, &st), want)
	}
	c.is("open O_DIRECTORY of a file", openWith(c.file, unix.O_RDONLY|unix.O_DIRECTORY), unix.ENOTDIR)
	c.is("open O_WRONLY of a directory", openWith(c.root+"/raw", unix.O_WRONLY), unix.EISDIR)
	c.is("open O_PATH", openWith(c.file, unix.O_PATH), nil)
	buf := make([]byte, 10)
	_, err := unix.Readlink(c.file, buf)
	c.is("readlink", err, unix.EINVAL)
	c.is("chdir into a file", unix.Chdir(c.file), unix.ENOTDIR)
	var fs unix.Statfs_t
	c.is("statfs", unix.Statfs(c.file, &fs), nil)
	if fs.Bavail != 0 || fs.Bfree != 0 || fs.Blocks == 0 || fs.Namelen != 255 {
		c.failf("statfs: %+v", fs)
	}
	var sx unix.Statx_t
	c.is("statx", unix.Statx(unix.AT_FDCWD, c.file, unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &sx), nil)
	c.is("stat", unix.Stat(c.file, &st), nil)
	if sx.Size != uint64(len(c.want)) || sx.Ino != st.Ino || sx.Mtime.Sec != st.Mtim.Sec || uint64(st.Size) != sx.Size {
		c.failf("statx %+v, stat %+v", sx, st)
	}
}

// locks are those that loaders and backup programs take.
func (c *readOnlyCases) locks() {
	a, err := os.Open(c.file)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer a.Close()
	b, err := os.Open(c.file)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer b.Close()
	c.is("flock shared", unix.Flock(int(a.Fd()), unix.LOCK_SH|unix.LOCK_NB), nil)
	c.is("flock shared again", unix.Flock(int(b.Fd()), unix.LOCK_SH|unix.LOCK_NB), nil)
	c.is("flock exclusive", unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB), syscall.EWOULDBLOCK)
	c.is("unlock", unix.Flock(int(a.Fd()), unix.LOCK_UN), nil)
	lock := unix.Flock_t{Type: unix.F_RDLCK, Len: 100}
	c.is("fcntl read lock", unix.FcntlFlock(a.Fd(), unix.F_SETLK, &lock), nil)
	lock = unix.Flock_t{Type: unix.F_WRLCK, Len: 100}
	c.is("fcntl write lock", unix.FcntlFlock(a.Fd(), unix.F_SETLK, &lock), unix.EBADF)
}
