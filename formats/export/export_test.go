package export

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wfs/formats/segment"
)

// noise is bytes with runs of zeros among them, some at multiples of a block and some not.
func noise(n int) segment.Literal {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for at := 0; at < n; {
		run := min(n-at, 1+random.IntN(3*holeSize))
		if random.IntN(3) > 0 {
			for i := range b[at : at+run] {
				b[at+i] = byte(random.Uint32())
			}
		}
		at += run
	}
	return b
}

// left is what is in a directory.
func left(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWrite(t *testing.T) {
	for _, size := range []int{0, 1, holeSize - 1, holeSize, pieceSize + 1, chunkSize, 2*chunkSize + 12345} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x")
		want := noise(size)
		var told atomic.Int64
		made := time.Unix(1e9, 0)
		opt := Options{Verify: true, Progress: func(n int64) { told.Add(n) }}
		if err := Write(context.Background(), path, File{want, made}, opt); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: others were written, %v", size, err)
		}
		if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(made) {
			t.Errorf("its time is %v, %v", info.ModTime(), err)
		}
		if told.Load() != 2*int64(size) {
			t.Errorf("%d bytes: told of %d, want each once written and once compared", size, told.Load())
		}
		if names := left(t, dir); !slices.Equal(names, []string{"x"}) {
			t.Errorf("left behind: %q", names)
		}
	}
}

// TestSparse has zeros take no room.
func TestSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	data := make(segment.Literal, 4*chunkSize)
	data[chunkSize+holeSize] = 1
	if err := Write(context.Background(), path, File{Data: data}, Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, data) {
		t.Errorf("others were written, %v", err)
	}
	if !Sparse(f) {
		t.Error("zeros take room")
	}
}

// TestThere refuses a path where something is, and replaces it with Replace alone: its bytes
// and not its permissions.
func TestThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Write(context.Background(), path, File{Data: noise(10)}, Options{})
	if !errors.Is(err, fs.ErrExist) || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("%v, want ErrExist and the path", err)
	}
	if err := Write(context.Background(), path, File{Data: segment.Literal("new")}, Options{Replace: true}); err != nil {
		t.Error(err)
	}
	text, _ := os.ReadFile(path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || string(text) != "new" {
		t.Errorf("%q, %v, %v", text, info.Mode(), err)
	}
	for _, rename := range []func(name, path string) error{renameNew, linkNew} {
		name := filepath.Join(dir, "y")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rename(name, path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a file that came there meanwhile is replaced: %v", err)
		}
	}
}

// broken fails, or changes, from an offset on.
type broken struct {
	segment.Data
	from int64
	err  error
	// flips makes each read of that offset give another byte.
	flips bool
	reads atomic.Int64
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.Data.ReadAt(p, off)
	if off+int64(n) > b.from {
		if b.err != nil {
			return int(max(0, b.from-off)), b.err
		}
		if b.flips && off <= b.from {
			p[b.from-off] = byte(b.reads.Add(1))
		}
	}
	return n, err
}

// TestNothingLeft has each way to fail leave what was there, and nothing else.
func TestNothingLeft(t *testing.T) {
	gone := errors.New("input/output error")
	data := noise(3 * chunkSize)
	stopped, stop := context.WithCancelCause(context.Background())
	stop(gone)
	for name, c := range map[string]struct {
		ctx  context.Context
		data segment.Data
		opt  Options
		want string
	}{
		"a read fails":          {data: &broken{Data: data, from: 2 * chunkSize, err: gone}, want: gone.Error()},
		"the source ends early": {data: &broken{Data: data, from: 2 * chunkSize, err: io.EOF}, want: "unexpected EOF"},
		"the source changes":    {data: data, opt: Options{Check: func() error { return gone }}, want: gone.Error()},
		"interrupted":           {ctx: stopped, data: data, want: gone.Error()},
		"read back as another":  {data: &broken{Data: data, from: chunkSize + 3, flips: true}, opt: Options{Verify: true}, want: "byte 8388611 was read back as another"},
		"read back, and changes": {data: &broken{Data: data, from: chunkSize + 3, flips: true},
			opt: Options{Verify: true, Check: after(3, gone)}, want: gone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = context.Background()
			}
			dir := t.TempDir()
			for _, replace := range []bool{false, true} {
				path := filepath.Join(dir, "x")
				if replace {
					if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				c.opt.Replace = replace
				err := Write(c.ctx, path, File{Data: c.data}, c.opt)
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), TempPrefix) {
					t.Errorf("%v, want %q", err, c.want)
				}
				text, _ := os.ReadFile(path)
				if names := left(t, dir); replace != (string(text) == "old") || replace != slices.Equal(names, []string{"x"}) {
					t.Errorf("left: %q", names)
				}
				tree := filepath.Join(dir, "d")
				err = WriteDir(c.ctx, tree, []Entry{
					{Path: "sub"}, {Path: "sub/x", Size: c.data.Size(), Open: func() (File, error) { return File{Data: c.data}, nil }},
				}, c.opt)
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), TempPrefix) {
					t.Errorf("%v, want %q", err, c.want)
				}
				if names := left(t, dir); replace != slices.Equal(names, []string{"x"}) {
					t.Errorf("left of a directory: %q", names)
				}
			}
		})
	}
}

// after is a Check that fails once it was asked n times.
func after(n int64, err error) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) > n {
			return err
		}
		return nil
	}
}

// TestHangs gives up a source that does not answer, and leaves nothing.
func TestHangs(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	answer := make(chan struct{})
	defer close(answer)
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	err := Write(ctx, filepath.Join(dir, "x"), File{Data: hangs{noise(chunkSize), answer}}, Options{})
	if !errors.Is(err, gone) || len(left(t, dir)) > 0 {
		t.Errorf("%v, and %q is left", err, left(t, dir))
	}
}

type hangs struct {
	segment.Data
	until chan struct{}
}

func (h hangs) ReadAt(p []byte, off int64) (int, error) {
	<-h.until
	return h.Data.ReadAt(p, off)
}

func literal(b []byte) func() (File, error) {
	return func() (File, error) { return File{Data: segment.Literal(b)}, nil }
}

// TestWriteDir writes directories, links and many small files.
func TestWriteDir(t *testing.T) {
	want := map[string][]byte{"a/b/big": noise(chunkSize + 1), "a/empty": {}, "z": noise(100)}
	list := []Entry{
		{Path: "a"}, {Path: "a/b"}, {Path: "a/b/big", Size: chunkSize + 1, Open: literal(want["a/b/big"])},
		{Path: "a/empty", Open: literal(nil)}, {Path: "z", Size: 100, Open: literal(want["z"])},
		{Path: "a/link", Link: "z", Size: 100, Open: literal(want["z"])},
	}
	want["a/link"] = want["z"]
	for i := range few {
		name := "a/b/" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		want[name] = noise(i)
		list = append(list, Entry{Path: name, Size: int64(i), Open: literal(want[name])})
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "d")
	check := func() {
		t.Helper()
		for name, b := range want {
			if got, err := os.ReadFile(filepath.Join(path, name)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s: others were written, %v", name, err)
			}
		}
		if n := len(left(t, dir)); n != 1+len(want)+2 {
			t.Errorf("%d names, want %d", n, 1+len(want)+2)
		}
	}
	for _, opt := range []Options{{Verify: true}, {NoSync: true, Replace: true}, {Replace: true}} {
		if err := WriteDir(context.Background(), path, list, opt); err != nil {
			t.Fatal(err)
		}
		check()
		z, _ := os.Stat(filepath.Join(path, "z"))
		link, _ := os.Stat(filepath.Join(path, "a/link"))
		if !os.SameFile(z, link) {
			t.Error("a link is a file of its own")
		}
	}
	err := WriteDir(context.Background(), path, list, Options{})
	if !errors.Is(err, fs.ErrExist) && (err == nil || !strings.Contains(err.Error(), "not empty")) {
		t.Errorf("a directory with something in it is replaced: %v", err)
	}
	check()
	// An empty directory is taken, and keeps its permissions.
	if err := errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o750), WriteDir(context.Background(), path, list, Options{})); err != nil {
		t.Error(err)
	}
	check()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// As where the system cannot exchange two directories at once.
	other := filepath.Join(dir, TempPrefix+"other")
	if err := errors.Join(WriteDir(context.Background(), other, list[:2], Options{}), swap(other, path)); err != nil {
		t.Error(err)
	}
	if names := left(t, dir); !slices.Equal(names, []string{"d", "d/a", "d/a/b"}) {
		t.Errorf("after swap: %q", names)
	}
}

// TestOutside writes nothing outside of the directory, whatever entries are called.
func TestOutside(t *testing.T) {
	for _, name := range []string{"..", "../x", "/x", "a/../../x", "", ".", "a\x00b"} {
		dir := t.TempDir()
		err := WriteDir(context.Background(), filepath.Join(dir, "d"), []Entry{{Path: name, Open: literal([]byte("x"))}}, Options{})
		if err == nil || len(left(t, dir)) > 0 {
			t.Errorf("%q: %v, %q", name, err, left(t, dir))
		}
	}
}

// TestCopyRange has the system copy plain ranges, as on a file system that can have another
// machine do it.
func TestCopyRange(t *testing.T) {
	dir := t.TempDir()
	disk := noise(chunkSize)
	if err := os.WriteFile(filepath.Join(dir, "src"), disk, 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := os.Open(filepath.Join(dir, "src"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	data, err := segment.NewList(segment.Literal("head"), segment.NewRange(opened{disk, src}, 5, chunkSize/2), segment.Literal("tail"))
	if err != nil {
		t.Fatal(err)
	}
	dst, err := os.Create(filepath.Join(dir, "dst"))
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	f := File{Data: data}
	shared := allRanges()
	if shared == nil {
		t.Skip("only Linux copies ranges")
	}
	if err := dst.Truncate(f.Size()); err != nil {
		t.Fatal(err)
	}
	c := chunk{&target{file: dst, source: f, shared: shared}, 0, f.Size()}
	if err := c.copy(context.Background(), make([]byte, pieceSize), Options{}); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat([]byte("head"), disk[5:5+chunkSize/2], []byte("tail"))
	if got, err := os.ReadFile(dst.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("others were copied, %v", err)
	}
}

// opened is bytes that are in an open file.
type opened struct {
	segment.Literal
	file *os.File
}

func (o opened) File() *os.File { return o.file }

func TestStream(t *testing.T) {
	for _, size := range []int{0, 1, pieceSize, 3*pieceSize + 7} {
		var got bytes.Buffer
		want := noise(size)
		if err := Stream(context.Background(), &got, File{Data: want}, Options{}); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes: %d others, %v", size, got.Len(), err)
		}
	}
	gone := errors.New("gone")
	data := &broken{Data: noise(3 * pieceSize), from: pieceSize + 1, err: gone}
	var got bytes.Buffer
	if err := Stream(context.Background(), &got, File{Data: data}, Options{}); err != gone || got.Len() != pieceSize {
		t.Errorf("%v after %d bytes", err, got.Len())
	}
	r, w := io.Pipe()
	r.CloseWithError(gone)
	if err := Stream(context.Background(), w, File{Data: noise(3 * pieceSize)}, Options{}); err != gone {
		t.Errorf("%v, want the reader's", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	if err := Stream(ctx, io.Discard, File{Data: noise(3 * pieceSize)}, Options{}); err != gone {
		t.Errorf("%v, want what it was ended for", err)
	}
}

func TestFree(t *testing.T) {
	dir := t.TempDir()
	n, known := Free(dir)
	if below, _ := Free(filepath.Join(dir, "not", "there")); known && (n <= 0 || below <= 0) {
		t.Errorf("%d bytes, %d below", n, below)
	}
}
