package views

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ways reads the file in each way that the kernel has, at random places, and compares.
func (c *readOnlyCases) ways() {
	f, err := os.Open(c.file)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer f.Close()
	fd := int(f.Fd())
	rng := rand.New(rand.NewPCG(3, 4))
	for name, read := range map[string]func(off int64, n int) ([]byte, error){
		"pread": func(off int64, n int) ([]byte, error) {
			p := make([]byte, n)
			n, err := unix.Pread(fd, p, off)
			return p[:max(n, 0)], err
		},
		"preadv": func(off int64, n int) ([]byte, error) {
			p, q, r := make([]byte, n/3), make([]byte, 1), make([]byte, n-n/3-1)
			n, err := unix.Preadv(fd, [][]byte{p, q, r}, off)
			return slices.Concat(p, q, r)[:max(n, 0)], err
		},
		"seek and readv": func(off int64, n int) ([]byte, error) {
			if _, err := unix.Seek(fd, off, io.SeekStart); err != nil {
				return nil, err
			}
			p, q := make([]byte, n/2), make([]byte, n-n/2)
			n, err := unix.Readv(fd, [][]byte{p, q})
			return slices.Concat(p, q)[:max(n, 0)], err
		},
		"sendfile": c.into(func(out int, off int64, n int) (int, error) { return unix.Sendfile(out, fd, &off, n) }),
		"copy_file_range": c.into(func(out int, off int64, n int) (int, error) {
			k, err := unix.CopyFileRange(fd, &off, out, nil, n, 0)
			if err == unix.EXDEV { // to another file system the kernel may refuse; programs fall back, to sendfile too
				return unix.Sendfile(out, fd, &off, n)
			}
			return k, err
		}),
		"splice": spliced(fd),
		"readahead": func(off int64, n int) ([]byte, error) {
			if _, _, e := unix.Syscall(unix.SYS_READAHEAD, uintptr(fd), uintptr(off), uintptr(n)); e != 0 {
				return nil, e
			}
			return c.want[min(int(off), len(c.want)):min(int(off)+n, len(c.want))], nil
		},
	} {
		for range 60 {
			off, n := rng.Int64N(int64(len(c.want))+6000), 3+rng.IntN(20_000)
			if rng.IntN(5) == 0 {
				unix.Fadvise(fd, 0, 0, []int{unix.FADV_DONTNEED, unix.FADV_RANDOM, unix.FADV_SEQUENTIAL, unix.FADV_WILLNEED, unix.FADV_NOREUSE, unix.FADV_NORMAL}[rng.IntN(6)])
			}
			got, err := read(off, n)
			want := c.want[min(int(off), len(c.want)):min(int(off)+n, len(c.want))]
			if err != nil || !bytes.Equal(got, want) {
				c.failf("%s of %d bytes at %d: %d bytes, want %d: %v", name, n, off, len(got), len(want), err)
				break
			}
		}
	}
	c.direct(rng)
}

// into is a way to read that moves bytes into another file.
func (c *readOnlyCases) into(move func(out int, off int64, n int) (int, error)) func(int64, int) ([]byte, error) {
	return func(off int64, n int) ([]byte, error) {
		out, err := os.CreateTemp(c.scratch, "out")
		if err != nil {
			return nil, err
		}
		defer os.Remove(out.Name())
		defer out.Close()
		for done := 0; done < n; {
			k, err := move(int(out.Fd()), off+int64(done), n-done)
			if err != nil {
				return nil, err
			}
			if k == 0 {
				break
			}
			done += k
		}
		return os.ReadFile(out.Name())
	}
}

// spliced reads through a pipe.
func spliced(fd int) func(off int64, n int) ([]byte, error) {
	return func(off int64, n int) ([]byte, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		defer w.Close()
		var all []byte
		for len(all) < n {
			k, err := unix.Splice(fd, &off, int(w.Fd()), nil, n-len(all), 0)
			if err != nil {
				return nil, err
			}
			if k == 0 {
				break
			}
			part := make([]byte, k)
			if _, err := io.ReadFull(r, part); err != nil {
				return nil, err
			}
			all = append(all, part...)
		}
		return all, nil
	}
}

// direct reads with O_DIRECT: aligned the bytes are right; not aligned they are too, or
// the call says EINVAL.
func (c *readOnlyCases) direct(rng *rand.Rand) {
	fd, err := unix.Open(c.file, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		c.failf("O_DIRECT: %v", err)
		return
	}
	defer unix.Close(fd)
	space := make([]byte, 1<<16)
	aligned := space[4096-int(uintptr(unsafe.Pointer(&space[0]))%4096):]
	for i := range 100 {
		p, off := aligned[:4096*(1+rng.IntN(8))], rng.Int64N(int64(len(c.want))+8192)/4096*4096
		if i%2 == 1 {
			p, off = aligned[1:][:1+rng.IntN(9000)], off+rng.Int64N(4096)
		}
		n, err := unix.Pread(fd, p, off)
		if err == unix.EINVAL && i%2 == 1 {
			continue
		}
		want := c.want[min(int(off), len(c.want)):min(int(off)+len(p), len(c.want))]
		if err != nil || !bytes.Equal(p[:n], want) {
			c.failf("O_DIRECT, %d bytes at %d: %d bytes, %v", len(p), off, n, err)
		}
	}
}

// seeks are lseek in all its forms.
func (c *readOnlyCases) seeks() {
	f, err := os.Open(c.file)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer f.Close()
	fd, size := int(f.Fd()), int64(len(c.want))
	for _, s := range []struct {
		off    int64
		whence int
		want   int64
		err    error
	}{
		{0, io.SeekEnd, size, nil}, {-1, io.SeekEnd, size - 1, nil}, {5, io.SeekEnd, size + 5, nil}, {1 << 40, io.SeekStart, 1 << 40, nil},
		{-1, io.SeekStart, -1, unix.EINVAL}, {-size - 1, io.SeekEnd, -1, unix.EINVAL}, {7, io.SeekStart, 7, nil}, {3, io.SeekCurrent, 10, nil},
		{0, unix.SEEK_DATA, 0, nil}, {100, unix.SEEK_DATA, 100, nil}, {0, unix.SEEK_HOLE, size, nil}, {size - 1, unix.SEEK_HOLE, size, nil},
		{size, unix.SEEK_DATA, -1, unix.ENXIO}, {size + 1, unix.SEEK_HOLE, -1, unix.ENXIO}, {0, 99, -1, unix.EINVAL},
	} {
		got, err := unix.Seek(fd, s.off, s.whence)
		c.is(fmt.Sprintf("lseek(%d, %d)", s.off, s.whence), err, s.err)
		if err == nil && got != s.want {
			c.failf("lseek(%d, %d) is %d, want %d", s.off, s.whence, got, s.want)
		}
	}
	for _, off := range []int64{size, size + 1, 1 << 40} {
		n, err := unix.Pread(fd, make([]byte, 10), off)
		c.is(fmt.Sprintf("pread at %d", off), err, nil)
		if n != 0 {
			c.failf("pread at %d gives %d bytes", off, n)
		}
	}
	_, err = unix.Pread(fd, make([]byte, 10), -1)
	c.is("pread at -1", err, unix.EINVAL)
}

// directory lists a directory with buffers of all sizes, and from positions that
// telldir gave.
func (c *readOnlyCases) directory() {
	fd, err := unix.Open(c.root+"/tensors", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		c.failf("%v", err)
		return
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, make([]byte, 10))
	c.is("read of a directory", err, unix.EISDIR)
	whole := names(c, fd, 1<<16)
	if len(whole) < 3 || !slices.Contains(whole, ".") || !slices.Contains(whole, "..") {
		c.failf("listed: %q", whole)
	}
	for _, size := range []int{512, 600, 1024, 4096} {
		if got := names(c, fd, size); !slices.Equal(got, whole) {
			c.failf("with a buffer of %d bytes: %q, want %q", size, got, whole)
		}
	}
	c.is("a buffer that is too small", second(unix.Getdents(fd, make([]byte, 8))), unix.EINVAL, nil)
	// d_off of each entry is where the rest begins.
	buf := make([]byte, 1<<16)
	unix.Seek(fd, 0, io.SeekStart)
	n, err := unix.Getdents(fd, buf)
	if err != nil {
		c.failf("getdents: %v", err)
		return
	}
	position := 0
	for at := 0; at < n; position++ {
		offset := *(*int64)(unsafe.Pointer(&buf[at+8]))
		at += int(*(*uint16)(unsafe.Pointer(&buf[at+16])))
		if _, err := unix.Seek(fd, offset, io.SeekStart); err != nil {
			c.failf("seekdir: %v", err)
		}
		if got := rest(c, fd, 1<<16); !slices.Equal(got, whole[position+1:]) {
			c.failf("from position %d: %q, want %q", offset, got, whole[position+1:])
		}
	}
	var st unix.Stat_t
	c.is("stat of a listed name", unix.Fstatat(fd, whole[len(whole)-1], &st, 0), nil)
}

func second(_ int, err error) error { return err }

// names is all names from the start.
func names(c *readOnlyCases, fd, size int) []string {
	unix.Seek(fd, 0, io.SeekStart)
	return rest(c, fd, size)
}

// rest is the names from where the directory stands.
func rest(c *readOnlyCases, fd, size int) (all []string) {
	buf := make([]byte, size)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			c.failf("getdents with %d bytes: %v", size, err)
			return all
		}
		if n == 0 {
			return all
		}
		for at := 0; at < n; {
			length := int(*(*uint16)(unsafe.Pointer(&buf[at+16])))
			name, _, _ := strings.Cut(string(buf[at+19:at+length]), "\x00")
			all = append(all, name)
			at += length
		}
	}
}
