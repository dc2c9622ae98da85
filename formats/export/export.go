package export

import (
	"context"
	"fmt"
	"os"
	"time"

	"wfs/formats/segment"
)

// File is what is written to one file.
type File struct {
	segment.Data
	// ModTime is the modification time that the file gets; that of writing it where it is zero.
	ModTime time.Time
}

// Entry is something below a directory that is written.
type Entry struct {
	// Path is slash-separated below the directory. Directories come before what is in them.
	Path string
	// Open makes a file's content readable when its turn comes; nil for a directory.
	Open func() (File, error)
	// Size is the number of bytes that Open will have.
	Size int64
	// Link is the path of an earlier entry whose file this is another name of: a hard link, or
	// what Open has where the file system has none; "" for none.
	Link string
}

// Options choose how something is written.
type Options struct {
	// Replace lets the destination be there already. It stays as it was until it is replaced.
	Replace bool
	// Verify reads what was written back from the device, and compares it with the source.
	Verify bool
	// NoSync returns before the bytes are on the device, as cp(1) does: what is written
	// survives the death of the process and not that of the machine.
	NoSync bool
	// Check, where it is not nil, is an error where bytes that were read may be of two states
	// of the source. It is asked after bytes were read, also by several goroutines at once,
	// and last before the destination is there.
	Check func() error
	// Progress, where it is not nil, is told of bytes that were written, holes included, and
	// then of those that were compared. Several goroutines call it at once.
	Progress func(n int64)
}

func (o Options) check() error {
	if o.Check == nil {
		return nil
	}
	return o.Check()
}

func (o Options) progress(n int64) {
	if o.Progress != nil {
		o.Progress(n)
	}
}

// Write writes one file at path. Its directory is there. An error is one line that begins
// with the path, or with that of the source.
func Write(ctx context.Context, path string, f File, opt Options) error {
	t, err := newTemp(path, opt)
	if err != nil {
		return err
	}
	defer t.discard()
	w := &writer{pool: newPool(ctx), opt: opt}
	w.create(t.name, f)
	err = w.wait()
	if err == nil && opt.Verify {
		p := newPool(ctx)
		p.compare(t.name, f, opt)
		err = p.wait()
	}
	if err != nil {
		return t.explain(err)
	}
	return t.commitFile(opt)
}

// WriteDir writes a directory at path, where nothing is or an empty directory. Its parent is
// there. With Replace it may have something in it, all of which is gone then. entries are in
// the order in which they can be made.
func WriteDir(ctx context.Context, path string, entries []Entry, opt Options) error {
	t, err := newTemp(path, opt)
	if err != nil {
		return err
	}
	if t.now != nil && !t.now.IsDir() {
		return fmt.Errorf("%s: is not a directory", path)
	}
	defer t.discard()
	if err := os.Mkdir(t.name, 0o777); err != nil {
		return t.explain(err)
	}
	w := &writer{pool: newPool(ctx), opt: opt, late: len(entries) > few && canSyncAll}
	for _, e := range entries {
		if !w.entry(t.name, e) {
			break
		}
	}
	err = w.wait()
	if err == nil {
		err = w.settle(t.name, entries)
	}
	if err == nil && opt.Verify {
		err = compareAll(ctx, t.name, entries, opt)
	}
	if err != nil {
		return t.explain(err)
	}
	return t.commitDir(opt)
}
